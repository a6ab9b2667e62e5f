//! ANY /verify, in its plain form.

use reqwest::Response;
use serde_json::json;
use tokio::io::AsyncWriteExt;

use crate::app::{PASSWORD, Setup, Tacit, run};
use crate::forge::{self, SECRET};
use crate::jar::{ACCESS, set_cookies};
use crate::problems;
use crate::raw;
use crate::shapes::part;

const IDENTITY: [&str; 5] = ["x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session", "authorization"];

async fn behind_a_gateway() -> Tacit {
    Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    let mut values = answer.headers().get_all(name).iter();
    let value = values.next().unwrap_or_else(|| panic!("no {name}")).to_str().expect("ASCII");
    assert!(values.next().is_none(), "{name} comes twice");
    assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{name}: {value}");
    value
}

#[tokio::test]
async fn yes_is_200_with_an_empty_body_and_every_identity_header() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    let claims = part(jar.get(ACCESS).unwrap(), 1);
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "TRACE"] {
        let request = tacit.request(method.parse().unwrap(), "/verify").header("cookie", jar.header());
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200, "{method}");
        assert_eq!(header(&answer, "x-auth-user-id"), claims["sub"], "{method}");
        assert_eq!(header(&answer, "x-auth-username"), "ada");
        assert_eq!(header(&answer, "x-auth-roles"), "user");
        assert_eq!(header(&answer, "x-auth-session"), claims["sid"]);
        assert_eq!(header(&answer, "authorization"), format!("Bearer {}", jar.get(ACCESS).unwrap()));
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert!(set_cookies(&answer).is_empty());
        assert_eq!(answer.text().await.unwrap(), "", "{method}");
    }
}

#[tokio::test]
async fn a_stranger_gets_the_identity_but_no_token() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    for jar in [jar.clone(), jar.without_access()] {
        let answer = tacit.get_with("/verify", &jar).await;
        assert_eq!(answer.status(), 200);
        assert_eq!((header(&answer, "x-auth-username"), header(&answer, "authorization")), ("ada", ""));
    }
    let spoofed = tacit.get("/verify").header("cookie", jar.header()).header("x-forwarded-for", "127.0.0.1, 10.0.0.1");
    assert_eq!(header(&spoofed.send().await.unwrap(), "authorization"), "");
}

#[tokio::test]
async fn a_refresh_at_verify_gives_both_cookies_and_the_new_token() {
    let tacit = behind_a_gateway().await;
    let mut jar = tacit.new_session("ada").await;
    let answer = tacit.get_with("/verify", &jar.without_access()).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "x-auth-refresh")), (200, "rotated"));
    let cookies = set_cookies(&answer);
    assert!(cookies[0].starts_with("tacit-access=") && cookies[1].starts_with("tacit-refresh="), "{cookies:?}");
    assert!(header(&answer, "cache-control").contains("no-store"));
    jar.apply(&answer);
    assert_eq!(header(&answer, "authorization"), format!("Bearer {}", jar.get(ACCESS).unwrap()));
}

#[tokio::test]
async fn no_names_nobody_and_is_for_no_cache() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    tacit.post_with("/logout", &jar).await;
    for request in [
        tacit.get("/verify"),
        tacit.get("/verify").bearer_auth("nonsense"),
        tacit.get("/verify").header("authorization", "Bearer "),
        tacit.get("/verify").header("cookie", "tacit-access=x; tacit-refresh=y"),
        tacit.get("/verify").header("cookie", jar.header()),
        tacit
            .get("/verify")
            .header("x-auth-user-id", "x")
            .header("x-auth-username", "root")
            .header("x-auth-roles", "admin"),
        tacit.get("/verify").header("accept", "text/html").header("sec-purpose", "prefetch"),
        tacit.get("/verify?access_token=x"),
    ] {
        let answer = request.send().await.unwrap();
        for name in IDENTITY {
            assert!(!answer.headers().contains_key(name), "{name} on a refusal");
        }
        assert_eq!(header(&answer, "cache-control"), "no-store");
        assert_eq!(problems::read(answer).await.status, 401);
    }
    let twice = tacit.get("/verify").header("authorization", "Bearer a").header("authorization", "Bearer b");
    let answer = twice.send().await.unwrap();
    assert_eq!(header(&answer, "cache-control"), "no-store");
    assert!(problems::read(answer).await.is(400, "bad_request"));
}

#[tokio::test]
async fn a_clients_own_identity_headers_are_never_echoed() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    let mut request = tacit.get("/verify").header("cookie", jar.header());
    for name in ["x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session", "x_auth_roles", "x-auth-email"]
    {
        request = request.header(name, "evil");
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(!format!("{:?}", answer.headers()).contains("evil"));
    assert_eq!(header(&answer, "x-auth-roles"), "user");
}

#[tokio::test]
async fn names_travel_as_visible_ascii_and_no_name_is_an_empty_header() {
    let tacit = behind_a_gateway().await;
    for (name, seen) in [("Ada Lovelace", "Ada%20Lovelace"), ("안녕", "%EC%95%88%EB%85%95"), ("100%", "100%25")] {
        let answer = tacit.get_with("/verify", &tacit.new_session(name).await).await;
        assert_eq!(header(&answer, "x-auth-username"), seen);
    }
    let sent = json!({"email": "ann@example.com", "password": PASSWORD});
    tacit.post("/register").json(&sent).send().await.unwrap();
    let answer = tacit.get_with("/verify", &tacit.log_in("ann@example.com").await).await;
    assert_eq!((answer.status().as_u16(), header(&answer, "x-auth-username")), (200, ""));
    let role = ["user", "create", "odd", "--role", "a-role_9"];
    assert!(run(&tacit.home, &role, PASSWORD).status.success());
    let answer = tacit.get_with("/verify", &tacit.log_in("odd").await).await;
    assert_eq!(header(&answer, "x-auth-roles"), "a-role_9");
}

#[tokio::test]
async fn a_bearer_header_decides_alone_and_refreshes_nothing() {
    let tacit = Setup::default().set("tokens.secret", SECRET).set("server.trusted_proxies", "127.0.0.1").start().await;
    let jar = tacit.new_session("ada").await;
    let token = jar.get(ACCESS).unwrap();
    let mut claims = part(token, 1);
    let good = tacit.get("/verify").bearer_auth(token).header("cookie", jar.without_access().header());
    let answer = good.send().await.unwrap();
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 0));
    claims["exp"] = json!(1);
    let expired = forge::sign(&forge::header(), &claims);
    let answer = tacit.get("/verify").bearer_auth(expired).header("cookie", jar.header()).send().await.unwrap();
    assert!(set_cookies(&answer).is_empty());
    assert!(problems::read(answer).await.is(401, "token_expired"));
}

#[tokio::test]
async fn no_body_is_read_and_ranges_conditions_and_expectations_are_ignored() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    let cookie = jar.header();
    let head = format!("Host: x\r\nCookie: {cookie}\r\nConnection: close\r\n");
    for request in [
        format!("GET /verify HTTP/1.0\r\nCookie: {cookie}\r\n\r\n"),
        format!(
            "GET /verify HTTP/1.1\r\n{head}Range: bytes=0-0\r\nIf-None-Match: *\r\nIf-Modified-Since: Sat, 01 Jan 2000 00:00:00 GMT\r\n\r\n"
        ),
        format!("POST /verify HTTP/1.1\r\n{head}Content-Length: 1000000000\r\n\r\n"),
        format!("POST /verify/ HTTP/1.1\r\n{head}Transfer-Encoding: chunked\r\n\r\n"),
    ] {
        let mut stream = raw::connect(&tacit).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = raw::receive_head(&mut stream).await;
        assert_eq!((answer.status, &answer.headers["content-length"]), (200, &"0".parse().unwrap()), "{request}");
        assert_eq!(answer.headers["x-auth-username"], "ada");
    }
}
