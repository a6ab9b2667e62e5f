//! The pages that people sign in with, as a browser without JavaScript sees them.

mod account;
mod assets;
mod attacks;
mod forms;
mod languages;
mod way_back;

use reqwest::{Method, RequestBuilder, Response};

use crate::app::{PASSWORD, Tacit};
use crate::jar::Jar;

/// What a browser sends as `Accept` when a person opens a page.
const ACCEPT: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8";

/// A browser that opens a page, or sends its form.
fn browser(tacit: &Tacit, method: Method, path: &str) -> RequestBuilder {
    tacit
        .request(method, path)
        .header("accept", ACCEPT)
        .header("sec-fetch-site", "same-origin")
        .header("sec-fetch-mode", "navigate")
        .header("sec-fetch-dest", "document")
}

async fn open(tacit: &Tacit, path: &str) -> Response {
    browser(tacit, Method::GET, path).send().await.expect("an answer")
}

async fn open_with(tacit: &Tacit, path: &str, jar: &Jar) -> Response {
    browser(tacit, Method::GET, path).header("cookie", jar.header()).send().await.expect("an answer")
}

async fn send_form(tacit: &Tacit, path: &str, fields: &[(&str, &str)]) -> Response {
    browser(tacit, Method::POST, path).form(fields).send().await.expect("an answer")
}

/// Signs in on the page, with [`PASSWORD`].
async fn sign_in(tacit: &Tacit, path: &str, username: &str) -> Response {
    send_form(tacit, path, &[("username", username), ("password", PASSWORD)]).await
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
}

/// Where an answer leads.
fn location(answer: &Response) -> &str {
    header(answer, "location")
}

/// The source list of one directive of a page's policy.
fn directive<'a>(answer: &'a Response, name: &str) -> Vec<&'a str> {
    let policy = header(answer, "content-security-policy");
    let found = policy.split(';').map(str::trim).find_map(|directive| directive.strip_prefix(name)?.strip_prefix(' '));
    found.unwrap_or_else(|| panic!("no {name} in {policy}")).split(' ').collect()
}

/// Reads a page after checking what holds for every one of them.
async fn page(answer: Response) -> String {
    assert_eq!(header(&answer, "content-type"), "text/html; charset=utf-8");
    assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
    assert_eq!(header(&answer, "referrer-policy"), "same-origin");
    assert!(header(&answer, "cache-control").contains("no-store"), "{:?}", answer.headers());
    assert!(!header(&answer, "x-request-id").is_empty());
    let vary: Vec<_> = answer.headers().get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
    assert!(vary.join(",").contains("Accept-Language"), "{vary:?}");
    assert_eq!(directive(&answer, "default-src"), ["'none'"]);
    assert_eq!(directive(&answer, "base-uri"), ["'none'"]);
    assert_eq!(directive(&answer, "frame-ancestors"), ["'none'"]);
    for name in ["script-src", "style-src", "img-src", "connect-src"] {
        assert_eq!(directive(&answer, name), ["'self'"], "{name}");
    }
    assert_eq!(directive(&answer, "form-action")[0], "'self'");
    let html = answer.text().await.expect("a page");
    for inline in ["<script>", "style=", " onclick", " onload", " onerror", "javascript:"] {
        assert!(!html.contains(inline), "{inline} in {html}");
    }
    assert!(html.starts_with("<!DOCTYPE html>"), "{html}");
    html
}
