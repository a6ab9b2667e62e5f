//! Requests from other sites' pages: CSRF and CORS.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Setup, Tacit};
use crate::forge;
use crate::jar::{ACCESS, Jar, set_cookies};
use crate::problems;
use crate::shapes::part;

const APP: &str = "https://app.example.com";

async fn start() -> Tacit {
    Setup::default().set("cross_site.allowed_origins", APP).start().await
}

/// What a page of another site may show of itself.
const FOREIGN: [(&str, &str); 13] = [
    ("sec-fetch-site", "cross-site"),
    ("sec-fetch-site", "same-site"),
    ("sec-fetch-site", ""),
    ("sec-fetch-site", "Same-Origin"),
    ("sec-fetch-site", "\u{e9}"),
    ("origin", "https://evil.example"),
    ("origin", "null"),
    ("origin", ""),
    ("origin", "https://app.example.com.evil.example"),
    ("origin", "https://evilapp.example.com"),
    ("origin", "https://app.example.com:8443"),
    ("origin", "http://app.example.com"),
    ("origin", "file://"),
];

/// Unsafe requests that cookies authenticate, or that set cookies.
fn unsafe_requests(tacit: &Tacit, jar: &Jar) -> Vec<(&'static str, RequestBuilder)> {
    let form = "application/x-www-form-urlencoded";
    let sent = json!({"username": "ada", "password": PASSWORD});
    let passwords = json!({"current_password": PASSWORD, "new_password": "quite another staple of horses"});
    let multipart = reqwest::multipart::Form::new().text("username", "ada").text("password", PASSWORD);
    let session = "/sessions/00000000-0000-4000-8000-000000000000";
    let requests = vec![
        ("log in", tacit.post("/login").json(&sent)),
        ("log in by form", tacit.post("/login").form(&[("username", "ada"), ("password", PASSWORD)])),
        ("log in by multipart", tacit.post("/login").multipart(multipart)),
        ("log in as text", tacit.post("/login").header("content-type", "text/plain").body(sent.to_string())),
        ("log out", tacit.post("/logout")),
        ("log out by form", tacit.post("/logout").header("content-type", form).body("")),
        ("log out everywhere", tacit.post("/logout/all")),
        ("log out elsewhere", tacit.post("/logout/others")),
        ("refresh", tacit.post("/refresh")),
        ("rename", tacit.request(Method::PATCH, "/me").json(&json!({"username": "eve", "current_password": PASSWORD}))),
        ("change the password", tacit.post("/me/password").json(&passwords)),
        (
            "change the password as text",
            tacit.post("/me/password").header("content-type", "text/plain").body(passwords.to_string()),
        ),
        ("end a session", tacit.request(Method::DELETE, session)),
        ("verify", tacit.post("/verify")),
    ];
    requests.into_iter().map(|(name, request)| (name, request.header("cookie", jar.header()))).collect()
}

#[tokio::test]
async fn an_unsafe_request_of_a_foreign_page_is_refused_before_anything_happens() {
    let tacit = start().await;
    let jar = tacit.new_session("ada").await;
    let state = || {
        let sessions =
            "SELECT CAST(count(*) + sum(generation) AS BIGINT) AS value FROM sessions WHERE revoked_at IS NULL";
        (tacit.home.database.number(sessions), tacit.home.database.texts("SELECT password_hash AS value FROM users"))
    };
    let before = state();
    for jar in [jar.clone(), jar.without_access()] {
        for (header, value) in FOREIGN {
            for (name, request) in unsafe_requests(&tacit, &jar) {
                let answer = request.header(header, value).send().await.unwrap();
                assert!(set_cookies(&answer).is_empty(), "{name}, {header}: {value}");
                let problem = problems::read(answer).await;
                assert!(problem.is(403, "cross_site"), "{name}, {header}: {value}: {problem:?}");
            }
        }
    }
    assert_eq!(state(), before);
}

#[tokio::test]
async fn own_pages_listed_pages_and_what_is_no_browser_pass() {
    let tacit = start().await;
    tacit.register("ada").await;
    let port = tacit.url.rsplit(':').next().unwrap().to_owned();
    let (own, by_address) = (format!("http://localhost:{port}"), format!("http://127.0.0.1:{port}"));
    let by_v6 = format!("http://[::1]:{port}");
    for headers in [
        vec![],
        vec![("sec-fetch-site", "same-origin")],
        vec![("sec-fetch-site", "none")],
        vec![("sec-fetch-site", "same-origin"), ("origin", &own)],
        vec![("origin", &own)],
        // In development the names of this machine count as one origin.
        vec![("origin", &by_address)],
        vec![("origin", &by_v6)],
        vec![("sec-fetch-site", "cross-site"), ("origin", &by_address)],
        vec![("origin", APP)],
        vec![("sec-fetch-site", "cross-site"), ("origin", APP)],
        vec![("sec-fetch-site", "same-site"), ("origin", APP)],
    ] {
        let mut request = tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD}));
        for (name, value) in &headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 2), "{headers:?}");
    }
    let foreign_port = tacit.post("/logout").header("origin", "http://localhost:1");
    assert!(problems::read(foreign_port.send().await.unwrap()).await.is(403, "cross_site"));
    let twice = tacit.post("/logout").header("origin", APP).header("origin", "https://evil.example");
    assert!(problems::read(twice.send().await.unwrap()).await.is(403, "cross_site"));
}

#[tokio::test]
async fn a_bearer_token_is_no_cookie_so_any_page_may_send_it() {
    let tacit = start().await;
    tacit.register("ada").await;
    let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    let request = tacit.post("/logout/others").bearer_auth(token).header("origin", "https://evil.example");
    assert_eq!(request.header("sec-fetch-site", "cross-site").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_foreign_image_refreshes_nothing_and_a_link_from_elsewhere_does() {
    let setup = Setup::default().set("cross_site.allowed_origins", APP).set("tokens.secret", forge::SECRET);
    let tacit = setup.start().await;
    let mut jar = tacit.new_session("ada").await;
    let mut claims = part(jar.get(ACCESS).unwrap(), 1);
    let mut forged = Jar::default();
    forged.put(ACCESS, &forge::sign(&forge::header(), &claims));
    assert_eq!(tacit.get_with("/me", &forged).await.status(), 200, "nothing is wrong with it but the time below");
    claims["exp"] = json!(claims["iat"].as_i64().unwrap() - 1);
    claims["iat"] = json!(claims["iat"].as_i64().unwrap() - 900);
    jar.put(ACCESS, &forge::sign(&forge::header(), &claims));
    for (mode, refreshed) in [("no-cors", false), ("cors", false), ("navigate", true)] {
        let request = tacit.get("/protected").header("cookie", jar.header()).header("sec-fetch-site", "cross-site");
        let answer = request.header("sec-fetch-mode", mode).send().await.unwrap();
        assert_eq!(!set_cookies(&answer).is_empty(), refreshed, "{mode}");
        assert_eq!(answer.status(), if refreshed { 200 } else { 401 }, "{mode}");
    }
}

/// By each of these a WebSocket handshake is known: gateways strip `Upgrade` when they ask, and HTTP/2 has no key.
const HANDSHAKES: [(&str, &str); 4] = [
    ("upgrade", "websocket"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("sec-websocket-version", "13"),
    ("sec-fetch-mode", "websocket"),
];

#[tokio::test]
async fn a_websocket_handshake_of_a_foreign_page_is_refused_and_rotates_nothing() {
    let setup = Setup::default().set("cross_site.allowed_origins", APP).set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.start().await;
    let jar = tacit.new_session("ada").await;
    let same_site = "http://localhost:1";
    for path in ["/verify", "/verify/access", "/verify/nginx", "/protected"] {
        for jar in [jar.clone(), jar.without_access()] {
            for (mark, value) in HANDSHAKES {
                let shake = || tacit.get(path).header(mark, value).header("cookie", jar.header());
                for (name, foreign) in FOREIGN.into_iter().chain([("origin", same_site)]) {
                    let answer = shake().header(name, foreign).send().await.unwrap();
                    assert!(set_cookies(&answer).is_empty() && !answer.headers().contains_key("x-auth-user-id"));
                    let problem = problems::read(answer).await;
                    assert!(problem.is(403, "cross_site"), "{path}, {mark}, {name}: {foreign}: {problem:?}");
                }
                let same_site = shake().header("origin", same_site).header("sec-fetch-site", "same-site");
                assert!(problems::read(same_site.send().await.unwrap()).await.is(403, "cross_site"), "{path}, {mark}");
            }
        }
    }
    assert_eq!(tacit.home.database.number("SELECT generation AS value FROM sessions"), 0);
}

#[tokio::test]
async fn a_websocket_handshake_of_an_own_or_listed_page_or_of_no_browser_refreshes() {
    let setup = Setup::default().set("cross_site.allowed_origins", APP).set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.start().await;
    tacit.register("ada").await;
    let own = format!("http://localhost:{}", tacit.url.rsplit(':').next().unwrap());
    let passing = [
        vec![],
        vec![("origin", own.as_str())],
        vec![("origin", APP)],
        vec![("origin", APP), ("sec-fetch-site", "same-site")],
    ];
    for path in ["/verify", "/protected"] {
        for (mark, value) in HANDSHAKES {
            for headers in &passing {
                let jar = tacit.log_in("ada").await;
                for (jar, cookies) in [(jar.without_access(), 2), (jar, 0)] {
                    let mut request = tacit.get(path).header(mark, value).header("cookie", jar.header());
                    for (name, value) in headers {
                        request = request.header(*name, *value);
                    }
                    let answer = request.send().await.unwrap();
                    let got = (answer.status().as_u16(), set_cookies(&answer).len());
                    assert_eq!(got, (200, cookies), "{path}, {mark}, {headers:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_handshake_on_a_second_host_of_the_gateway_is_its_own_pages_alone() {
    let setup =
        Setup::default().set("gateway.return_hosts", "app.example.net").set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.start().await;
    let jar = tacit.new_session("ada").await;
    for (host, origin, status) in [
        ("app.example.net", "https://app.example.net", 200),
        ("app.example.net", "http://app.example.net", 403),
        ("app.example.net", "https://app.example.net:8443", 403),
        ("app.example.net", "https://evil.example.net", 403),
        ("evil.example.net", "https://evil.example.net", 403),
    ] {
        let request = tacit.get("/verify").header("cookie", jar.header()).header("sec-websocket-key", "x");
        let request = request.header("x-forwarded-proto", "wss").header("x-forwarded-host", host);
        let answer = request.header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), status, "{host} {origin}");
    }
    // What is no handshake is held to the list.
    let request = tacit.post("/verify").header("cookie", jar.header()).header("origin", "https://app.example.net");
    let request = request.header("x-forwarded-proto", "https").header("x-forwarded-host", "app.example.net");
    assert!(problems::read(request.send().await.unwrap()).await.is(403, "cross_site"));
}

#[tokio::test]
async fn an_unsafe_forwarded_method_counts_at_verify_when_a_trusted_gateway_sends_it() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
    let jar = tacit.new_session("ada").await;
    let send = async |method: &str, path: &str| {
        let request = tacit.get(path).header("cookie", jar.header()).header("x-forwarded-method", method);
        request.header("sec-fetch-site", "cross-site").send().await.unwrap()
    };
    for method in ["POST", "PUT", "DELETE", "PATCH", "post", "nonsense"] {
        let answer = send(method, "/verify").await;
        assert!(!answer.headers().contains_key("x-auth-user-id"));
        assert!(problems::read(answer).await.is(403, "cross_site"), "{method}");
    }
    assert_eq!(send("GET", "/verify").await.status(), 200);
    let stranger = Tacit::start().await;
    let jar = stranger.new_session("ada").await;
    let request = stranger.get("/verify").header("cookie", jar.header()).header("x-forwarded-method", "POST");
    let answer = request.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(answer.status(), 200, "a stranger's forwarded method counts for nothing");
}

#[tokio::test]
async fn cors_names_listed_origins_exactly_and_nobody_else() {
    let tacit = start().await;
    let jar = tacit.new_session("ada").await;
    let get = async |origin: &str| {
        let request = tacit.get("/me").header("cookie", jar.header()).header("origin", origin);
        request.send().await.unwrap()
    };
    let answer = get(APP).await;
    assert_eq!(answer.headers()["access-control-allow-origin"], APP);
    assert_eq!(answer.headers()["access-control-allow-credentials"], "true");
    for origin in
        ["https://evil.example", "null", "https://app.example.com.evil.example", "http://app.example.com", "*"]
    {
        let answer = get(origin).await;
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{origin}");
    }
    let errors = tacit.get("/nothing").header("origin", APP).send().await.unwrap();
    assert_eq!(errors.headers()["access-control-allow-origin"], APP, "a page could not read the error");
}

#[tokio::test]
async fn every_answer_of_a_service_with_listed_origins_varies_by_origin() {
    let tacit = start().await;
    for origin in [Some(APP), Some("https://evil.example"), None] {
        for path in ["/healthz", "/me", "/nothing", "/"] {
            let mut request = tacit.get(path);
            if let Some(origin) = origin {
                request = request.header("origin", origin);
            }
            let answer = request.send().await.unwrap();
            let vary: Vec<_> =
                answer.headers().get_all("vary").iter().map(|v| v.to_str().unwrap().to_lowercase()).collect();
            assert!(vary.join(",").split(',').any(|name| name.trim() == "origin"), "{path} {origin:?}: {vary:?}");
        }
    }
}

#[tokio::test]
async fn a_preflight_is_answered_for_listed_origins_only_and_touches_no_session() {
    let tacit = start().await;
    let jar = tacit.new_session("ada").await.without_access();
    let preflight = async |origin: &str, method: &str| {
        let request = tacit.request(Method::OPTIONS, "/me").header("origin", origin).header("cookie", jar.header());
        let request = request.header("access-control-request-method", method);
        request.header("access-control-request-headers", "content-type").send().await.unwrap()
    };
    for method in ["GET", "PATCH", "POST", "DELETE"] {
        let answer = preflight(APP, method).await;
        assert!(answer.status().is_success(), "{method}: {}", answer.status());
        assert_eq!(answer.headers()["access-control-allow-origin"], APP);
        let methods = answer.headers()["access-control-allow-methods"].to_str().unwrap();
        assert!(methods.contains(method), "{methods}");
        assert!(set_cookies(&answer).is_empty());
    }
    let answer = preflight("https://evil.example", "PATCH").await;
    assert!(!answer.headers().contains_key("access-control-allow-origin"));
    assert!(problems::read(answer).await.status < 500);
    assert!(!tacit.log().contains("rotated"));
}

#[tokio::test]
async fn without_listed_origins_there_is_no_cors_at_all() {
    let tacit = Tacit::start().await;
    let answer = tacit.get("/healthz").header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert!(answer.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
    let preflight = tacit.request(Method::OPTIONS, "/me").header("origin", APP);
    let answer = preflight.header("access-control-request-method", "PATCH").send().await.unwrap();
    assert!(problems::read(answer).await.is(405, "method_not_allowed"));
}

#[tokio::test]
async fn in_production_only_the_public_url_and_the_list_count() {
    let setup = Setup::default().set("server.public_url", "https://auth.example.com");
    let tacit = setup.set("cross_site.allowed_origins", APP).start_in(Home::new()).await;
    tacit.register("ada").await;
    let own = format!("http://127.0.0.1:{}", tacit.url.rsplit(':').next().unwrap());
    for (origin, status) in [
        ("https://auth.example.com", 200),
        ("https://auth.example.com:443", 200),
        (APP, 200),
        (own.as_str(), 403),
        ("http://auth.example.com", 403),
        ("https://example.com", 403),
    ] {
        let request = tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD}));
        let answer = request.header("origin", origin).send().await.unwrap();
        assert_eq!(answer.status(), status, "{origin}");
        let body: Value = answer.json().await.unwrap();
        assert!(body.get("access_token").is_none(), "{origin}");
    }
}
