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
