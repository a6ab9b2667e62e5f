use reqwest::Method;
use serde_json::Value;

use super::{browser, header, location, open, open_with, page};
use crate::app::{Tacit, problem, refreshed};
use crate::jar::{Jar, set_cookies};

#[tokio::test]
async fn a_stranger_is_led_to_the_sign_in_page_and_back() {
    let tacit = Tacit::start().await;
    for path in ["/account", "/account/", "/account?x=1"] {
        let answer = open(&tacit, path).await;
        assert!([302, 303].contains(&answer.status().as_u16()), "{path}");
        assert_eq!(location(&answer), "/login?return_to=/account");
        assert!(header(&answer, "cache-control").contains("no-store"));
        assert!(answer.text().await.unwrap().is_empty());
    }
    let answer = tacit.get("/account").send().await.unwrap();
    assert!(answer.status().is_redirection(), "curl is led too");
    let answer = browser(&tacit, Method::HEAD, "/account").send().await.unwrap();
    assert_eq!(location(&answer), "/login?return_to=/account");
}

#[tokio::test]
async fn what_no_person_looks_at_gets_401_and_no_redirect() {
    let tacit = Tacit::start().await;
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("x-purpose", "preview"),
        ("sec-fetch-mode", "cors"),
    ] {
        let sent = tacit.get("/account").header("accept", super::ACCEPT).header(name, value).send().await.unwrap();
        if name == "x-purpose" {
            assert!(sent.status().is_redirection(), "an unknown header changes nothing");
        } else {
            assert_eq!(problem(sent).await, (401, "not_authenticated".to_owned()), "{name}: {value}");
        }
    }
}

#[tokio::test]
async fn an_access_token_that_ran_out_is_renewed_and_the_page_shown_also_to_a_prerendering_browser() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let sent = browser(&tacit, Method::GET, "/account").header("sec-purpose", "prefetch;prerender");
    let answer = sent.header("cookie", jar.without_access().header()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), refreshed(&answer)), (200, Some("rotated")));
    assert_eq!(set_cookies(&answer).len(), 2);
    assert!(header(&answer, "cache-control").contains("no-store"));
    let html = answer.text().await.unwrap();
    assert!(html.contains("ada") && !html.contains("current-password\" required"), "{html}");
}

#[tokio::test]
async fn the_account_page_holds_no_token_and_names_its_person() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let html = page(open_with(&tacit, "/account", &jar).await).await;
    assert!(html.contains("ada"), "{html}");
    assert!(!html.contains("rt1_") && !html.contains("eyJ"), "a token in {html}");
    for part in ["autocomplete=\"current-password\"", "autocomplete=\"new-password\"", "aria-live", "<noscript>"] {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[tokio::test]
async fn the_front_door_leads_people_to_their_account_and_tells_programs_what_this_is() {
    let tacit = Tacit::start().await;
    let answer = open(&tacit, "/").await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/account"));
    assert!(header(&answer, "vary").contains("Accept"));
    let answer = tacit.get("/").header("accept", "*/*").send().await.unwrap();
    let body: Value = answer.json().await.unwrap();
    assert_eq!((&body["name"], &body["docs"]), (&"tacit".into(), &format!("{}/docs", tacit.url).into()));
}

#[tokio::test]
async fn a_disabled_person_loses_the_cookies_on_the_way_to_the_sign_in_page() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let disabled = crate::app::run(&tacit.home, &["user", "disable", "ada"], "");
    assert!(disabled.status.success());
    // Until the replica has heard of it the row itself says so; the answer is the same.
    let answer = open_with(&tacit, "/account", &jar).await;
    assert_eq!(location(&answer), "/login?return_to=/account");
    let mut left = jar.clone();
    left.apply(&answer);
    assert_eq!(left, Jar::default());
}

#[tokio::test]
async fn a_method_that_a_page_lacks_is_405_also_for_a_stranger() {
    let tacit = Tacit::start().await;
    for (path, allow) in [("/account", "GET, HEAD"), ("/login", "GET, HEAD, POST"), ("/register", "GET, HEAD, POST")] {
        let answer = tacit.request(Method::DELETE, path).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), header(&answer, "allow")), (405, allow), "{path}");
    }
}

#[tokio::test]
async fn without_a_database_pages_say_so_and_leave_the_cookies_alone() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    tacit.home.database.execute("ALTER TABLE users RENAME TO away");
    for jar in [jar.clone(), jar.without_access()] {
        let answer = open_with(&tacit, "/account", &jar).await;
        assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "1"));
        assert!(set_cookies(&answer).is_empty());
        assert!(page(answer).await.contains("Too busy right now."));
        let answer = tacit.get("/account").header("accept", "application/json");
        let answer = answer.header("cookie", jar.header()).send().await.unwrap();
        assert_eq!(problem(answer).await, (503, "database_unavailable".to_owned()));
    }
    assert_eq!(open_with(&tacit, "/login", &jar.without_access()).await.status(), 200);
    for path in ["/login", "/register"] {
        let answer = super::sign_in(&tacit, path, "ada").await;
        assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "1"));
        assert!(page(answer).await.contains("Too busy right now."), "{path}");
    }
    tacit.home.database.execute("ALTER TABLE away RENAME TO users");
    assert_eq!(open_with(&tacit, "/account", &jar.without_access()).await.status(), 200);
}
