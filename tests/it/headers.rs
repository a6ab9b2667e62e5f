//! The headers that protect browsers, on every answer of every route.

use reqwest::Response;
use tacit::routers::{Policy, routes};

use crate::app::{PASSWORD, Setup, Tacit, run};
use crate::jar::{Jar, set_cookies};
use crate::matrix::concrete;

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
}

/// What holds for an answer of any kind; whether it is a document.
fn assert_protected(answer: &Response, about: &str) -> bool {
    assert_eq!(header(answer, "x-content-type-options"), "nosniff", "{about}");
    assert_eq!(header(answer, "cross-origin-resource-policy"), "same-origin", "{about}");
    assert!(["no-referrer", "same-origin"].contains(&header(answer, "referrer-policy")), "{about}");
    let policy = header(answer, "content-security-policy");
    for directive in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(directive), "{about}: {policy}");
    }
    let scripts = policy.split(';').find(|directive| directive.trim().starts_with("script-src"));
    assert!(scripts.is_none_or(|scripts| scripts.trim() == "script-src 'self'"), "{about}: {policy}");
    let kind = header(answer, "content-type");
    let is_document = kind.starts_with("text/html");
    if is_document {
        assert!(policy.contains("base-uri '") && policy.contains("script-src 'self';"), "{about}: {policy}");
        assert_eq!(header(answer, "cross-origin-opener-policy"), "same-origin", "{about}");
    }
    let has_body = header(answer, "content-length") != "0" && answer.status() != 304;
    if has_body && !kind.starts_with("image/png") {
        assert!(kind.ends_with("; charset=utf-8"), "{about}: {kind:?}");
    }
    for tell in ["server", "x-powered-by", "via"] {
        assert!(!answer.headers().contains_key(tell), "{about}: {tell}");
    }
    is_document
}

async fn get(tacit: &Tacit, path: &str, jar: &Jar, accept: &str) -> Response {
    let request = tacit.get(path).header("cookie", jar.header()).header("accept", accept);
    request.send().await.expect("an answer")
}

#[tokio::test]
async fn every_answer_of_every_route_protects_the_browser_that_gets_it() {
    let tacit = Tacit::start().await;
    let signed_in = tacit.new_session("ada").await;
    let mut documents = 0;
    let unknown = ["/nothing", "/docs/nothing"];
    for path in routes().iter().map(|route| concrete(route.path)).chain(unknown.map(str::to_owned)) {
        for jar in [&Jar::default(), &signed_in] {
            for accept in ["*/*", "text/html"] {
                let answer = get(&tacit, &path, jar, accept).await;
                documents += usize::from(assert_protected(&answer, &format!("{path} for {accept}")));
            }
        }
    }
    assert!(documents >= 6, "{documents}");
}

#[tokio::test]
async fn what_is_for_one_person_is_kept_in_no_cache() {
    // To a gateway, and to a stranger, who does not even see some of it.
    for proxies in ["127.0.0.1", ""] {
        let tacit = Setup::default().set("server.trusted_proxies", proxies).start().await;
        let jar = tacit.new_session("ada").await;
        for route in routes().iter().filter(|route| !matches!(route.policy, Policy::Anyone)) {
            for jar in [&Jar::default(), &jar, &jar.without_access()] {
                for method in ["GET", "POST", "DELETE"] {
                    let path = concrete(route.path);
                    let request = tacit.request(method.parse().unwrap(), &path).header("cookie", jar.header());
                    let answer = request.send().await.unwrap();
                    let cache = header(&answer, "cache-control");
                    assert!(cache.contains("no-store"), "{method} {path}: {} {cache}", answer.status());
                }
            }
        }
    }
}

#[tokio::test]
async fn behind_https_every_answer_says_that_it_stays_so() {
    let tacit = Setup::default().set("server.public_url", "https://auth.example.com").start().await;
    for route in routes() {
        let answer = tacit.get(&concrete(route.path)).send().await.unwrap();
        assert_eq!(header(&answer, "strict-transport-security"), "max-age=31536000", "{}", route.path);
    }
    let plain = Tacit::start().await.get("/healthz").send().await.unwrap();
    assert!(!plain.headers().contains_key("strict-transport-security"));
}

#[tokio::test]
async fn the_largest_cookies_are_small_enough_to_be_kept() {
    let (name, role) = ("\u{1f600}".repeat(64), "r".repeat(32));
    let words: Vec<String> = (0..100).map(|number| format!("scope:{number:03}")).collect();
    let scopes = format!("{role}={}", words.join(" "));
    let setup = Setup::default().set("throttle.enabled", "true").set("oauth.role_scopes", &scopes);
    let tacit = setup.start().await;
    assert!(run(&tacit.home, &["user", "create", &name, "--role", &role], PASSWORD).status.success());
    let sent = serde_json::json!({"username": name, "password": PASSWORD});
    let answer = tacit.post("/login").json(&sent).send().await.unwrap();
    let cookies = set_cookies(&answer);
    assert_eq!(cookies.len(), 3);
    for cookie in cookies {
        let kept = cookie.split(';').next().unwrap_or_default();
        // Production's names are longer by this.
        assert!(kept.len() + "__Host-Http-".len() < 4096, "{} bytes", kept.len());
    }
}
