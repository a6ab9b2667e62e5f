//! HTTP as such: paths, methods, versions, and what is no HTTP at all.

use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::app::{PASSWORD, Tacit};
use crate::problems;
use crate::raw;

#[tokio::test]
async fn unknown_paths_are_404_in_the_one_shape() {
    let tacit = Tacit::start().await;
    for path in [
        "/nothing",
        "/ME",
        "/me//",
        "//me",
        "/me/x",
        "/sessions/a/b",
        "/.env",
        "/.git/config",
        "/%00",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/users",
        "/.well-known/openid-configuration",
        "/verify/nginx",
        "/docs/x/y",
    ] {
        for method in ["GET", "POST", "DELETE", "PUT", "OPTIONS"] {
            let answer = tacit.request(method.parse().unwrap(), path).send().await.unwrap();
            let problem = problems::read(answer).await;
            assert!(problem.is(404, "not_found"), "{method} {path}: {problem:?}");
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/openapi.json",
        "/me",
        "/sessions",
        "/protected",
        "/admin",
        "/",
        "/docs",
        "/nothing",
    ] {
        let send = |method: &str| {
            tacit
                .request(method.parse().unwrap(), path)
                .header("cookie", jar.header())
                .header("x-request-id", "same")
                .send()
        };
        let (get, head) = (send("GET").await.unwrap(), send("HEAD").await.unwrap());
        assert_eq!(get.status(), head.status(), "{path}");
        assert_eq!(get.headers()["content-type"], head.headers()["content-type"], "{path}");
        assert_eq!(head.text().await.unwrap(), "", "{path}");
    }
}

#[tokio::test]
async fn the_length_that_an_answer_names_is_its_bodys() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    for path in ["/healthz", "/metrics", "/openapi.json", "/me", "/sessions", "/verify", "/login", "/docs", "/nothing"]
    {
        for (cookie, body) in [(jar.header(), true), ("x=y".to_owned(), true), (jar.header(), false)] {
            let method = if body { "GET" } else { "HEAD" };
            let end = format!("Host: x\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
            let answer = raw::send(&tacit, format!("{method} {path} HTTP/1.1\r\n{end}")).await;
            let named: usize = answer.headers["content-length"].to_str().unwrap().parse().unwrap();
            assert_eq!(answer.body.len(), if body { named } else { 0 }, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn http_1_0_is_answered() {
    let tacit = Tacit::start().await;
    let answer = raw::send(&tacit, "GET /healthz HTTP/1.0\r\n\r\n").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "{\"status\":\"ok\"}"));
    let answer = raw::send(&tacit, "GET /nothing HTTP/1.0\r\nHost: x\r\n\r\n").await;
    assert!(problems::check(answer.status, &answer.headers, &answer.body).is(404, "not_found"));
    let body = json!({"username": "ada", "password": PASSWORD}).to_string();
    let request = format!(
        "POST /register HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(raw::send(&tacit, request).await.status, 201);
}

#[tokio::test]
async fn broken_http_is_refused_and_the_service_goes_on() {
    let tacit = Tacit::start().await;
    let endless = format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(200_000));
    let wide = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: {}\r\nConnection: close\r\n\r\n", "a".repeat(200_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: x\r\n{}Connection: close\r\n\r\n", "X-A: b\r\n".repeat(2000));
    for request in [
        "nonsense\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
        &endless,
        &wide,
        &many,
    ] {
        let answer = raw::send(&tacit, request).await;
        assert!((400..500).contains(&answer.status), "{request:.80}: {answer:?}");
        // What the framework refuses before there is a request has no body; what we refuse has ours.
        if !answer.body.is_empty() {
            problems::check(answer.status, &answer.headers, &answer.body);
        }
    }
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_disturbs_nobody() {
    let tacit = Tacit::start().await;
    for _ in 0..20 {
        let mut stream = raw::connect(&tacit).await;
        let head = "POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"user";
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    assert!(tacit.metric("tacit_panics_total").await < 1.0);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    let tacit = Tacit::start().await;
    let mut stream = raw::connect(&tacit).await;
    let head = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = raw::receive(&mut stream).await;
    let problem = problems::check(answer.status, &answer.headers, &answer.body);
    assert!(problem.is(408, "request_timeout"), "{problem:?}");
}

#[tokio::test]
async fn headers_that_do_not_arrive_end_the_connection() {
    let tacit = Tacit::start().await;
    let mut stream = raw::connect(&tacit).await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ").await.unwrap();
    assert_eq!(raw::receive(&mut stream).await.status, 408);
}

#[tokio::test]
async fn a_request_id_is_taken_over_only_if_it_is_a_plain_word() {
    let tacit = Tacit::start().await;
    let id = async |given: &str| {
        let answer = tacit.get("/nothing").header("x-request-id", given).send().await.unwrap();
        let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
        assert_eq!(problems::read(answer).await.body["request_id"], json!(id));
        id
    };
    for good in ["abc-123_x.y", "0", &"a".repeat(64)] {
        assert_eq!(id(good).await, good);
    }
    for bad in ["", "a b", "a\"b", "<x>", "\u{e9}", &"a".repeat(65)] {
        let made = id(bad).await;
        assert!(made != bad && made.len() == 16, "{bad}: {made}");
    }
}
