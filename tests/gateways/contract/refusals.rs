//! What a request without a session, or without Tacit, comes to.

use reqwest::Method;
use serde_json::{Value, json};

use super::{echo, ours};
use crate::app::{PASSWORD, run};
use crate::front::Front;
use crate::header;
use crate::jar::{Jar, set_cookies};

pub async fn nothing_is_open_when_tacit_is_away(mut front: Front) {
    let jar = front.tacit.new_session("ada").await;
    assert_eq!(front.get_with("/api/x", &jar).await.status(), 200);
    front.tacit.kill();
    for path in ["/api/y", "/slow/y", "/admin/y"] {
        let navigation = front.get(path).header("cookie", jar.header()).header("sec-fetch-mode", "navigate");
        for answer in [front.get_with(path, &jar).await, navigation.send().await.unwrap()] {
            assert!(answer.status().is_server_error(), "{path}: {answer:?}");
            assert_eq!(ours(&answer), Vec::<String>::new());
        }
        assert_eq!(front.upstream.hits(path), 0, "{path}");
    }
    assert_eq!(front.get("/public/x").send().await.unwrap().status(), 200);
}

pub async fn a_refusal_passes_with_the_clearing_cookies(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    assert!(run(&front.tacit.home, &["user", "disable", "ada"], "").status.success());
    let answer = front.get_with("/api/x", &jar).await;
    assert_eq!(answer.status(), 401);
    let cookies = ours(&answer);
    assert_eq!(cookies.len(), 2, "{answer:?}");
    assert!(cookies.iter().all(|cookie| cookie.contains("Max-Age=0")), "{cookies:?}");
    assert!(header(&answer, "www-authenticate").is_some(), "{answer:?}");
    assert!(header(&answer, "content-type").unwrap().starts_with("application/problem+json"), "{answer:?}");
    let nobody = front.get("/api/x").send().await.unwrap();
    assert_eq!((nobody.status().as_u16(), ours(&nobody).len()), (401, 0));
    assert!(header(&nobody, "location").is_none());
    let malformed = front.get("/api/x").header("authorization", "Bearer x").send().await.unwrap();
    assert_eq!(malformed.status(), 401);
    assert_eq!(front.upstream.hits("/api/x"), 0);
}

pub async fn a_401_says_why(front: Front) {
    let code = async |request: reqwest::RequestBuilder| {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 401);
        let problem: Value = answer.json().await.expect("a problem document");
        problem["code"].as_str().expect("a code").to_owned()
    };
    let old = front.tacit.new_session("ada").await;
    let again = front.tacit.post("/login").header("cookie", old.header());
    let again = again.json(&json!({"username": "ada", "password": PASSWORD})).send().await.unwrap();
    assert_eq!(again.status(), 200);
    for path in ["/api/x", "/slow/x", "/admin/x"] {
        assert_eq!(code(front.get(path)).await, "not_authenticated", "{path}");
        assert_eq!(code(front.get(path).bearer_auth("x")).await, "invalid_token", "{path}");
        // After this one a page repeats its request once: the newer session's cookies are there already.
        for jar in [&old, &old.without_access()] {
            assert_eq!(code(front.get(path).header("cookie", jar.header())).await, "session_superseded", "{path}");
        }
    }
}

pub async fn a_navigation_lands_on_the_login_page_and_comes_back(front: Front) {
    front.tacit.register("ada").await;
    let page = "/api/page?a=b&c=%2F";
    let answer =
        front.get(page).header("sec-fetch-mode", "navigate").header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 302, "{answer:?}");
    let location = header(&answer, "location").expect("a location");
    let way_back = location.strip_prefix(&format!("{}/login?return_to=", front.url)).expect("our login page");
    let way_back = percent_encoding::percent_decode_str(way_back).decode_utf8().unwrap();
    assert_eq!(way_back, format!("{}{page}", front.url));
    assert_eq!(front.upstream.hits("/api/page"), 0);
    // The login page is Tacit's, through the same gateway, and nobody is asked to sign in for it.
    let login = front.get("/login").header("accept", "text/html").send().await.unwrap();
    assert!(header(&login, "x-request-id").is_some() && login.status() == 200, "{login:?}");
    let html = login.text().await.unwrap();
    let files: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(!files.is_empty(), "{html}");
    for file in files {
        assert_eq!(front.get(file).send().await.unwrap().status(), 200, "{file}");
    }
    let request =
        front.request(Method::POST, "/login").header("origin", &front.url).header("sec-fetch-site", "same-origin");
    let answer = request.json(&json!({"username": "ada", "password": PASSWORD})).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 2));
    let mut jar = Jar::default();
    jar.apply(&answer);
    let back = way_back.strip_prefix(&front.url).unwrap();
    assert_eq!(echo(front.get_with(back, &jar).await).await["target"], page);
    // Refresh and sign-out are Tacit's too.
    let post = async |path: &str, jar: &Jar| {
        front
            .request(Method::POST, path)
            .header("cookie", jar.header())
            .header("origin", &front.url)
            .send()
            .await
            .unwrap()
    };
    let refreshed = post("/refresh", &jar).await;
    assert_eq!((refreshed.status().as_u16(), set_cookies(&refreshed).len()), (204, 2));
    jar.apply(&refreshed);
    let ended = post("/logout", &jar).await;
    assert_eq!((ended.status().as_u16(), set_cookies(&ended).len()), (200, 2));
    assert_eq!(front.get_with(back, &jar).await.status(), 401);
}

pub async fn an_unsafe_request_of_another_site_is_refused(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let ask = async |method: Method| {
        let request =
            front.request(method, "/api/x").header("cookie", jar.header()).header("x-forwarded-method", "GET");
        let request = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
        request.send().await.unwrap().status().as_u16()
    };
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(ask(method).await, 403);
    }
    assert_eq!(front.upstream.hits("/api/x"), 0);
    assert_eq!(ask(Method::GET).await, 200);
}
