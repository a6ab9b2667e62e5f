//! What caches make of an answer.

use std::collections::BTreeSet;

use reqwest::header::HeaderMap;
use tacit::routers::routes;

use crate::app::{Setup, Tacit};
use crate::jar::{ACCESS, Jar};
use crate::matrix::concrete;
use crate::shapes::part;

/// Every path that GET answers, made concrete.
fn paths() -> Vec<String> {
    let routes = routes();
    let get = routes.iter().filter(|route| route.methods.is_empty() || route.methods.iter().any(|m| *m == "GET"));
    get.map(|route| concrete(route.path)).chain(["/nothing".to_owned(), "/me/nothing".to_owned()]).collect()
}

fn list(headers: &HeaderMap, name: &str) -> BTreeSet<String> {
    let values = headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_lowercase());
    values.flat_map(|value| value.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>()).collect()
}

struct Seen {
    headers: HeaderMap,
    content: (u16, Option<String>, String),
}

async fn see(tacit: &Tacit, path: &str, header: Option<(&str, &str)>) -> Seen {
    let mut request = tacit.get(path).header("x-request-id", "same");
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let headers = answer.headers().clone();
    let location = headers.get("location").map(|to| to.to_str().unwrap().to_owned());
    Seen { content: (answer.status().as_u16(), location, answer.text().await.unwrap()), headers }
}

#[tokio::test]
async fn an_answer_that_depends_on_a_header_is_kept_by_no_cache_or_varies_by_it() {
    let setup = Setup::default().set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.set("cross_site.allowed_origins", "https://app.example.com").start().await;
    let jar = tacit.new_admin("ada").await;
    let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    let (cookie, bearer) = (jar.header(), format!("Bearer {token}"));
    for path in paths().iter().filter(|path| !["/metrics", "/readyz"].contains(&path.as_str())) {
        let plain = see(&tacit, path, None).await;
        for (header, value) in [
            ("cookie", cookie.as_str()),
            ("authorization", &bearer),
            ("accept", "text/html"),
            ("accept-language", "ja"),
            ("host", "evil.example"),
            ("origin", "https://app.example.com"),
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
            ("sec-purpose", "prefetch"),
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-uri", "/elsewhere"),
            ("x-forwarded-method", "POST"),
            ("range", "bytes=0-0"),
            ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
        ] {
            let other = see(&tacit, path, Some((header, value))).await;
            for answer in [&plain, &other] {
                let safe = list(&answer.headers, "cache-control").contains("no-store")
                    || list(&answer.headers, "vary").contains(header);
                assert!(
                    safe || plain.content == other.content,
                    "{path} depends on {header}: {:?} {:?}",
                    answer.content.0,
                    answer.headers
                );
            }
        }
    }
}

#[tokio::test]
async fn whatever_is_personal_or_sets_a_cookie_is_marked_no_store() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
    let jar = tacit.new_admin("ada").await;
    let id = part(jar.get(ACCESS).unwrap(), 1)["sub"].as_str().unwrap().to_owned();
    for path in paths() {
        for jar in [&jar, &jar.without_access(), &Jar::default()] {
            let answer = tacit.get_with(&path, jar).await;
            let (headers, status) = (answer.headers().clone(), answer.status());
            let body = answer.text().await.unwrap();
            let personal = headers.contains_key("set-cookie")
                || headers.contains_key("x-auth-user-id")
                || status == 401
                || body.contains(&id);
            let no_store = list(&headers, "cache-control").contains("no-store");
            assert!(no_store || !personal, "{path}: {headers:?}");
        }
    }
}
