//! What /verify takes in, whatever the mount: credentials, methods, the other request's origin; and where it answers.

use std::net::TcpListener;

use reqwest::Method;
use reqwest::header::HeaderMap;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::{behind_a_gateway, header, trusting};
use crate::app::{Home, LIMIT, Tacit, eventually, problem, refreshed};
use crate::jar::{ACCESS, Jar, set_cookies};
use crate::raw;

/// The answer's head in lower case but for its first line, read while the request's body is still owed.
async fn head_of_answer(tacit: &Tacit, request: &str) -> String {
    let mut stream = raw::connect(tacit).await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = String::new();
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = timeout(LIMIT, lines.next_line()).await.expect("an answer in time").unwrap() {
        if line.is_empty() {
            break;
        }
        let line = if head.is_empty() { line } else { line.to_lowercase() };
        head.push_str(&line);
        head.push_str("\r\n");
    }
    head
}

#[tokio::test]
async fn no_body_is_read_and_conditions_ranges_and_old_versions_change_nothing() {
    let tacit = behind_a_gateway().await;
    let cookie = tacit.new_session("ada").await.header();
    let heads = [
        "POST /verify HTTP/1.1\r\nContent-Length: 1000000",
        "PUT /verify/nginx HTTP/1.1\r\nTransfer-Encoding: chunked",
        "GET /verify HTTP/1.0",
        "HEAD /verify/nginx/ HTTP/1.0",
        "GET /verify/ HTTP/1.1\r\nRange: bytes=0-1\r\nIf-None-Match: *\r\nIf-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT",
    ];
    for head in heads {
        let request = format!("{head}\r\nHost: x\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
        let answer = head_of_answer(&tacit, &request).await;
        assert!(answer.starts_with("HTTP/1.1 200") || answer.starts_with("HTTP/1.0 200"), "{head}: {answer}");
        assert!(
            answer.contains("\r\nx-auth-username: ada\r\n") && answer.contains("\r\ncontent-length: 0\r\n"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn head_has_the_headers_of_get() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    let of = async |method: Method, jar: &Jar| {
        let answer = tacit.request(method, "/verify").header("cookie", jar.header()).send().await.unwrap();
        let mut headers: HeaderMap = answer.headers().clone();
        for changing in ["date", "x-request-id"] {
            headers.remove(changing);
        }
        (answer.status(), headers)
    };
    assert_eq!(of(Method::HEAD, &jar).await, of(Method::GET, &jar).await);
    let nobody = Jar::default();
    let (head, get) = (of(Method::HEAD, &nobody).await, of(Method::GET, &nobody).await);
    assert_eq!(head.0, get.0);
    assert_eq!(head.1["www-authenticate"], get.1["www-authenticate"]);
}

#[tokio::test]
async fn a_name_travels_as_visible_ascii() {
    let tacit = behind_a_gateway().await;
    tacit.register("Ada Løvelace, 안녕").await;
    let jar = tacit.log_in("Ada Løvelace, 안녕").await;
    let answer = tacit.get_with("/verify", &jar).await;
    let expected = "Ada%20L%C3%B8velace%2C%20%EC%95%88%EB%85%95";
    assert_eq!(header(&answer, "x-auth-username"), Some(expected));
}

#[tokio::test]
async fn a_bearer_header_decides_alone_and_two_are_malformed() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    let token = jar.get(ACCESS).unwrap();
    let ask = |authorization: String| {
        tacit.get("/verify").header("cookie", jar.without_access().header()).header("authorization", authorization)
    };
    let answer = ask(format!("bEARER {token}")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), refreshed(&answer), set_cookies(&answer).len()), (200, None, 0));
    assert_eq!(header(&answer, "authorization"), Some(format!("Bearer {token}").as_str()));
    for bad in ["Bearer", "Bearer x", "Bearer a.b.c"] {
        let answer = ask(bad.to_owned()).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), refreshed(&answer), set_cookies(&answer).len()), (401, None, 0), "{bad}");
    }
    let twice = ask(format!("Bearer {token}")).header("authorization", format!("Bearer {token}")).send().await.unwrap();
    assert_eq!(problem(twice).await, (400, "bad_request".to_owned()));
    for absent in ["", "Basic YTpi", "Bearerx"] {
        let answer = ask(absent.to_owned()).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{absent}");
        assert!(refreshed(&answer).is_some(), "the cookie decides: {absent}");
    }
}

#[tokio::test]
async fn the_other_requests_method_decides_whether_it_comes_from_another_site() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await.without_access();
    let ask = async |method: Method, forwarded: &str| {
        let request = tacit.request(method, "/verify").header("cookie", jar.header());
        let request = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", "navigate");
        request.header("origin", "https://evil.example").header("x-forwarded-method", forwarded).send().await.unwrap()
    };
    for unsafe_method in ["POST", "PUT", "DELETE", "PATCH", "BREW"] {
        let answer = ask(Method::GET, unsafe_method).await;
        assert_eq!(set_cookies(&answer).len(), 0);
        assert_eq!(problem(answer).await, (403, "cross_site".to_owned()), "{unsafe_method}");
    }
    assert_eq!(tacit.home.database.number("SELECT generation AS value FROM sessions"), 0, "nothing was rotated");
    assert_eq!(ask(Method::GET, "GET").await.status(), 200);
    assert_eq!(ask(Method::POST, "GET").await.status(), 200, "the gateway asks by POST about a GET");
}

#[tokio::test]
async fn a_stranger_cannot_name_another_method() {
    let tacit = trusting().set("server.trusted_proxies", "192.0.2.1").start().await;
    let jar = tacit.new_session("ada").await;
    let request = tacit.post("/verify").header("cookie", jar.header()).header("x-forwarded-method", "GET");
    let answer = request.header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(problem(answer).await, (403, "cross_site".to_owned()));
}

#[tokio::test]
async fn a_preflight_is_never_a_yes() {
    let tacit = trusting().set("cross_site.allowed_origins", "https://app.example.com").start().await;
    for origin in ["https://app.example.com", "https://evil.example"] {
        for mount in ["/verify", "/%76erify", "/verify/nginx", "/verify/envoy/a", "/verify/access/role/user"] {
            let request = tacit.request(Method::OPTIONS, mount).header("origin", origin);
            let answer = request.header("access-control-request-method", "GET").send().await.unwrap();
            assert_eq!(problem(answer).await, (401, "not_authenticated".to_owned()), "{origin} {mount}");
        }
    }
    // Elsewhere a listed origin gets its answer.
    let request = tacit.request(Method::OPTIONS, "/me").header("origin", "https://app.example.com");
    let answer = request.header("access-control-request-method", "GET").send().await.unwrap();
    assert_eq!(header(&answer, "access-control-allow-origin"), Some("https://app.example.com"));
}

#[tokio::test]
async fn it_is_503_and_leaves_cookies_alone_until_it_can_know() {
    // A port that nobody listens on.
    let dead = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let home = Home::new();
    let tacit = trusting().start_in(std::sync::Arc::clone(&home)).await;
    let jar = tacit.new_session("ada").await;
    let away = trusting()
        .set("database.url", &format!("postgres://tacit@{dead}/tacit"))
        .set("database.acquire_timeout", "1s")
        .spawn_in(home);
    assert!(eventually(async || away.get("/healthz").send().await.is_ok()).await);
    for mount in ["/verify", "/verify/nginx", "/verify/access", "/verify/envoy/a", "/verify/role/admin"] {
        for jar in [&jar, &jar.without_access()] {
            let request = away.get(mount).header("cookie", jar.header()).header("sec-fetch-mode", "navigate");
            let answer = request.send().await.unwrap();
            assert!(header(&answer, "retry-after").is_some());
            assert_eq!((header(&answer, "location"), set_cookies(&answer).len()), (None, 0));
            assert_eq!(header(&answer, "x-auth-user-id"), None);
            assert_eq!(problem(answer).await, (503, "not_ready".to_owned()), "{mount}");
        }
        assert_eq!(away.get(mount).send().await.unwrap().status(), 401, "who shows nothing is not signed in");
    }
}

#[tokio::test]
async fn with_an_internal_listener_the_public_one_knows_no_verify() {
    let tacit = trusting().set("server.internal_listen", "127.0.0.1:0").start().await;
    let jar = tacit.new_session("ada").await;
    let internal = |path: &str| tacit.http.get(format!("{}{path}", tacit.internal)).header("cookie", jar.header());
    let paths =
        ["/verify", "/verify/nginx", "/verify/access", "/verify/envoy/x", "/verify/role/user", "/metrics", "/readyz"];
    for path in paths {
        assert_eq!(internal(path).send().await.unwrap().status(), 200, "{path}");
        assert_eq!(problem(tacit.get_with(path, &jar).await).await, (404, "not_found".to_owned()), "{path}");
    }
    for path in ["/me", "/protected", "/login", "/docs", "/openapi.json", "/sessions"] {
        assert_eq!(internal(path).send().await.unwrap().status(), 404, "{path}");
        assert_ne!(tacit.get_with(path, &jar).await.status(), 404, "{path}");
    }
    for url in [&tacit.url, &tacit.internal] {
        assert_eq!(tacit.http.get(format!("{url}/healthz")).send().await.unwrap().status(), 200);
    }
}
