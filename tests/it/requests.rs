//! Requests that no well-behaved client sends: refused in one shape, with nothing internal in it, never as a fault of ours.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit, eventually};
use crate::problems::{self, Problem};
use crate::raw;

/// The routes that read JSON.
const JSON_ROUTES: [(&str, &str); 4] =
    [("POST", "/register"), ("POST", "/login"), ("PATCH", "/me"), ("POST", "/me/password")];

struct Service {
    tacit: Tacit,
    token: String,
}

impl Service {
    async fn start() -> Self {
        let tacit = Tacit::start().await;
        tacit.register("ada").await;
        let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
        Self { tacit, token }
    }

    async fn send(&self, (method, path): (&str, &str), kind: &str, body: impl Into<reqwest::Body>) -> Problem {
        let request = self.tacit.request(method.parse().unwrap(), path).bearer_auth(&self.token);
        problems::read(request.header("content-type", kind).body(body).send().await.unwrap()).await
    }
}

#[tokio::test]
async fn what_is_not_one_json_object_is_malformed() {
    let service = Service::start().await;
    let deep = format!("{{\"username\":{}{}}}", "[".repeat(20_000), "]".repeat(20_000));
    let many: String = (0..5000).fold(String::from("{"), |mut text, number| {
        let _ = write!(text, "\"k{number}\":0,");
        text
    });
    for route in JSON_ROUTES {
        for body in [
            "",
            " ",
            "[]",
            "[\"ada\",null,\"x\"]",
            "null",
            "true",
            "1",
            "\"x\"",
            "{",
            "{}{}",
            "{},",
            "nonsense",
            "{\"a\"}",
            "{'username':'ada'}",
            "{\"username\":\"ada\",}",
            "\u{feff}{}",
            "{\"username\":\"ada\"}x",
            "NaN",
            "{\"a\":NaN}",
            "{\"a\":1e999999}",
            "<xml/>",
            "username=ada&password=x",
            &deep,
            &many,
        ] {
            let problem = service.send(route, "application/json", body.to_owned()).await;
            assert!(problem.is(400, "bad_request"), "{route:?} {body:.60}: {problem:?}");
        }
        for body in [b"{\"username\":\"\xff\"}".as_slice(), b"\xff\xfe{\0}\0", b"\0", b"{\"\xc0\x80\":1}"] {
            let problem = service.send(route, "application/json", body.to_vec()).await;
            assert!(problem.is(400, "bad_request"), "{route:?} {body:?}: {problem:?}");
        }
    }
}

#[tokio::test]
async fn a_member_that_comes_twice_is_malformed_also_when_it_is_spelled_differently() {
    let service = Service::start().await;
    for route in JSON_ROUTES {
        for body in [
            r#"{"username":"ada","username":"eve","password":"x","current_password":"x","new_password":"y"}"#,
            r#"{"username":"ada","usern\u0061me":"eve","password":"x"}"#,
            r#"{"current_password":"x","current_password":"x","new_password":"y"}"#,
            r#"{"password":"x","password":null,"username":"ada"}"#,
        ] {
            let problem = service.send(route, "application/json", body).await;
            assert!(problem.is(400, "bad_request"), "{route:?} {body}: {problem:?}");
        }
    }
}

#[tokio::test]
async fn a_value_of_another_type_is_malformed_and_never_read_as_text() {
    let service = Service::start().await;
    for route in JSON_ROUTES {
        for value in ["1", "true", "[]", "[\"ada\"]", "{}", "1.5", "{\"$ne\":null}"] {
            for member in ["username", "email", "password", "current_password", "new_password"] {
                let body = format!("{{\"{member}\":{value}}}");
                let problem = service.send(route, "application/json", body.clone()).await;
                assert!(problem.is(400, "bad_request"), "{route:?} {body}: {problem:?}");
            }
        }
        for lone in
            [r#"{"username":"\ud800"}"#, r#"{"password":"\udc00x"}"#, r#"{"\ud800":1}"#, r#"{"username":"\u12"}"#]
        {
            let problem = service.send(route, "application/json", lone).await;
            assert!(problem.is(400, "bad_request"), "{route:?} {lone}: {problem:?}");
        }
    }
}

#[tokio::test]
async fn texts_with_nul_bidi_sql_and_ten_thousand_characters_break_nothing() {
    let service = Service::start().await;
    let huge = "x".repeat(10_000);
    for text in [
        "a\0b",
        "\0",
        "a\u{202e}b",
        "\u{200b}",
        "\r\nSet-Cookie: a=b",
        "'; DROP TABLE users; --",
        "$1",
        "%s%n",
        "${jndi:x}",
        "\u{1b}[31m",
        "../../etc/passwd",
        "<script>alert(1)</script>",
        "\u{10ffff}",
        "ﷺ",
        "\\",
        "\"",
        &huge,
    ] {
        for (route, body) in [
            (("POST", "/register"), json!({"username": text, "password": "short"})),
            (("POST", "/register"), json!({"email": format!("{text}@x"), "password": "short"})),
            (("POST", "/login"), json!({"username": text, "password": text})),
            (("PATCH", "/me"), json!({"username": text, "current_password": "wrong"})),
            (("POST", "/me/password"), json!({"current_password": text, "new_password": text})),
        ] {
            let problem = service.send(route, "application/json", body.to_string()).await;
            assert!([400, 401, 422].contains(&problem.status), "{route:?} {text:.40}: {problem:?}");
        }
        let form = [("grant_type", "password"), ("username", text), ("password", text)];
        let answer = service.tacit.post("/token").form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{text:.40}");
        let path = format!("/sessions/{}", form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
        let request = service.tacit.request(reqwest::Method::DELETE, &path).bearer_auth(&service.token);
        assert!(problems::read(request.send().await.unwrap()).await.is(404, "not_found"), "{path:.60}");
    }
    assert_eq!(service.tacit.home.database.number("SELECT count(*) AS value FROM users"), 1);
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_a_large_one_413() {
    let service = Service::start().await;
    for route in JSON_ROUTES {
        for kind in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "text/json",
            "x",
            "application/jsonx",
        ] {
            let problem = service.send(route, kind, "{}").await;
            assert!(problem.is(415, "unsupported_media_type"), "{route:?} {kind}: {problem:?}");
        }
        let large = format!("{{\"username\":\"{}\"}}", "x".repeat(70_000));
        let problem = service.send(route, "application/json", large.clone()).await;
        assert!(problem.is(413, "payload_too_large"), "{route:?}: {problem:?}");
        let (method, path) = route;
        let chunked = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n0\r\n\r\n",
            service.token,
            large.len()
        );
        let answer = raw::send(&service.tacit, chunked).await;
        assert!(problems::check(answer.status, &answer.headers, &answer.body).is(413, "payload_too_large"));
        for kind in ["Application/JSON", "application/json; charset=utf-8", "application/vnd.api+json"] {
            assert_ne!(service.send(route, kind, "{}").await.status, 415, "{route:?} {kind}");
        }
    }
}

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
        "/introspect",
        "/revoke",
        "/revocations",
        "/.well-known/jwks.json",
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
    let post = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let smuggled = format!("{post}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let lengths = format!("{post}Content-Length: 5\r\nContent-Length: 6\r\n\r\n{{}}   ");
    let negative = format!("{post}Content-Length: -1\r\n\r\n");
    let chunk = format!("{post}Transfer-Encoding: chunked\r\n\r\nZZ\r\n");
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
        &smuggled,
        &lengths,
        &negative,
        &chunk,
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
    use tokio::io::AsyncWriteExt;
    let tacit = Tacit::start().await;
    for _ in 0..20 {
        let mut stream = raw::connect(&tacit).await;
        let head = "POST /register HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"user";
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(tacit.metric("tacit_panics_total").await, 0.0);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_408() {
    use tokio::io::AsyncWriteExt;
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
    use tokio::io::AsyncWriteExt;
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

#[tokio::test]
async fn without_its_tables_the_database_is_a_503_that_tells_nothing() {
    let tacit = Setup::default().start().await;
    let jar = tacit.new_session("ada").await;
    tacit.home.database.execute("ALTER TABLE users RENAME TO users_away");
    for request in [
        tacit.get("/me").header("cookie", jar.header()),
        tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD})),
        tacit.post("/register").json(&json!({"username": "eve", "password": PASSWORD})),
        tacit.post("/token").form(&[("username", "ada"), ("password", PASSWORD)]),
    ] {
        assert!(problems::read(request.send().await.unwrap()).await.is(503, "database_unavailable"));
    }
    tacit.home.database.execute("ALTER TABLE users_away RENAME TO users");
    let me = async || tacit.get_with("/me", &jar).await.json::<Value>().await.unwrap()["username"] == "ada";
    assert!(eventually(me).await);
}
