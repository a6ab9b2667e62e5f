//! What somebody tries who is paid to get in, by subject; docs/attacks.md lists all of it with the tests that prove the
//! outcome, here and elsewhere.

mod caches;
mod cookies;
mod enumeration;
mod framing;
mod identity;
mod listed;
mod log_lines;
mod power;
mod races;
mod sql;
mod tokens;

use reqwest::{Method, Response};
use tacit::routers::{Policy, routes};

use crate::app::Tacit;
use crate::matrix::concrete;

/// Where people, gateways and backends have to be signed in: method, and a path that exists.
fn signed_in_routes() -> Vec<(Method, String)> {
    let mut found = Vec::new();
    for route in routes() {
        if !matches!(route.policy, Policy::SignedIn | Policy::RefreshCookie | Policy::Page | Policy::Gateway(_)) {
            continue;
        }
        let path = concrete(route.path);
        let methods =
            if route.methods.is_empty() { vec![Method::GET, Method::POST] } else { methods_of(&route.methods) };
        found.extend(methods.into_iter().map(|method| (method, path.clone())));
    }
    assert!(found.len() > 20, "{found:?}");
    found
}

fn methods_of(methods: &[actix_web::http::Method]) -> Vec<Method> {
    methods.iter().map(|method| method.as_str().parse().expect("a method")).collect()
}

/// Whether an answer says "not signed in": 401, or of a page the way to the sign-in page.
fn is_refused(answer: &Response) -> bool {
    let to_sign_in = answer.headers().get("location").is_some_and(|to| to.to_str().unwrap().contains("/login"));
    answer.status() == 401 || (answer.status() == 302 && to_sign_in)
}

/// Asks every route that needs somebody signed in, with one header; each has to refuse, and to name nobody.
async fn assert_refused_everywhere(tacit: &Tacit, header: &str, value: &str, why: &str) {
    for (method, path) in signed_in_routes() {
        let answer = tacit.request(method.clone(), &path).header(header, value).send().await.unwrap();
        // Only a gateway learns that nginx' mounts exist.
        let hidden = path.starts_with("/verify/nginx") && answer.status() == 404;
        assert!(hidden || is_refused(&answer), "{why}: {method} {path} answers {}", answer.status());
        let names = answer.headers().keys().filter(|name| name.as_str().starts_with("x-auth-"));
        assert_eq!(names.count(), 0, "{why}: {method} {path}");
        assert!(!answer.headers().contains_key("authorization"), "{why}: {method} {path}");
    }
}
