//! Input that is meant to break things, sent to every route of the table: the same refusals on both databases, and never a
//! fault of ours.

mod bodies;
mod framing;
mod paths;
mod sources;
mod texts;

use reqwest::header::HeaderMap;
use serde_json::Value;
use tacit::routers::{Policy, routes};

use crate::app::{Setup, Tacit};
use crate::clients::{self, Credentials};
pub use crate::matrix::concrete;
use crate::problems;
use crate::raw::Raw;

/// Routes that read one JSON object.
pub const JSON: [(&str, &str); 4] =
    [("POST", "/register"), ("POST", "/login"), ("PATCH", "/me"), ("POST", "/me/password")];
/// Routes that read a form.
pub const FORM: [(&str, &str); 3] = [("POST", "/token"), ("POST", "/introspect"), ("POST", "/revoke")];
/// Routes that read JSON, a form or nothing.
pub const OPTIONAL: [(&str, &str); 1] = [("POST", "/logout")];
/// Routes that change something and read no body.
pub const BODILESS: [(&str, &str); 4] =
    [("POST", "/refresh"), ("POST", "/logout/all"), ("POST", "/logout/others"), ("DELETE", "/sessions/{id}")];

/// A service with one user, signed in, and one client; whoever asks counts as a gateway.
pub struct Service {
    pub tacit: Tacit,
    pub token: String,
    pub refresh_token: String,
    pub client: Credentials,
}

impl Service {
    pub async fn start() -> Self {
        let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
        tacit.register("ada").await;
        let tokens = tacit.token("ada").await;
        let text = |name: &str| tokens[name].as_str().expect(name).to_owned();
        let client = clients::create(&tacit.home, "api", &["--grant", "password"]);
        Self { token: text("access_token"), refresh_token: text("refresh_token"), client, tacit }
    }

    /// Nothing was registered, broken or stored that should not be, and the service runs as before.
    pub async fn assert_unharmed(&self) {
        assert_eq!(self.tacit.home.database.number("SELECT count(*) AS value FROM users"), 1);
        assert!(self.tacit.metric("tacit_panics_total").await < 1.0, "{}", self.tacit.log());
        let log = self.tacit.log();
        for event in ["internal_error", "database_unavailable"] {
            assert!(!log.contains(event), "{log}");
        }
        assert_eq!(self.tacit.get("/me").bearer_auth(&self.token).send().await.unwrap().status(), 200);
    }
}

/// Every method and path of the table; GET and POST for routes that take any.
pub fn every_route() -> Vec<(String, String, Policy)> {
    let mut all = Vec::new();
    for route in routes() {
        let methods: Vec<String> =
            route.methods.iter().map(ToString::to_string).filter(|method| method != "HEAD").collect();
        let methods = if methods.is_empty() { vec!["GET".to_owned(), "POST".to_owned()] } else { methods };
        all.extend(methods.into_iter().map(|method| (method, route.path.to_owned(), route.policy)));
    }
    all
}

/// An answer that is no fault of ours and in a documented shape; its status and code.
pub fn check(status: u16, headers: &HeaderMap, body: &str) -> (u16, String) {
    assert!((200..500).contains(&status), "{status}: {body}");
    let kind = headers.get("content-type").map(|kind| kind.to_str().expect("ASCII")).unwrap_or_default();
    if status < 400 || kind.starts_with("text/html") {
        return (status, String::new());
    }
    if kind.starts_with("application/problem+json") {
        return (status, problems::check(status, headers, body).code);
    }
    // OAuth's own errors, and FastAPI's.
    assert_eq!(kind, "application/json; charset=utf-8", "{status}: {body}");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let code = body["error"].as_str().unwrap_or("detail");
    assert!(body["error_description"].is_string() || !body["detail"].is_null(), "{body}");
    (status, code.to_owned())
}

/// The same of an answer that reqwest read.
pub async fn read(answer: reqwest::Response) -> (u16, String) {
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    check(status, &headers, &answer.text().await.expect("a body"))
}

/// The same of an answer from a socket, of which there must be one.
pub fn read_raw(answer: &Raw) -> (u16, String) {
    assert!(!answer.body.contains("HTTP/1.1 "), "a second answer: {answer:?}");
    check(answer.status, &answer.headers, &answer.body)
}

#[test]
fn every_route_that_changes_something_says_what_it_reads() {
    let mut known: Vec<_> = [&JSON[..], &FORM, &OPTIONAL, &BODILESS].concat();
    known.sort_unstable();
    let routes = every_route();
    let mut changing: Vec<_> = routes
        .iter()
        .filter(|(method, _, policy)| method != "GET" && !matches!(policy, Policy::Gateway(_)))
        .map(|(method, path, _)| (method.as_str(), path.as_str()))
        .collect();
    changing.sort_unstable();
    assert_eq!(changing, known);
}
