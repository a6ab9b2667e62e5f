use reqwest::Method;

use super::{browser, header, location, open, open_with, page, send_form, sign_in};
use crate::app::{PASSWORD, Setup, Tacit, problem};
use crate::jar::{Jar, set_cookies};

#[tokio::test]
async fn the_sign_in_page_is_one_that_password_managers_and_screen_readers_understand() {
    let tacit = Tacit::start().await;
    for path in ["/login", "/login/"] {
        let answer = open(&tacit, path).await;
        assert_eq!(answer.status(), 200);
        let html = page(answer).await;
        for part in [
            "<html lang=\"en\">",
            "name=\"viewport\"",
            "<main",
            "<h1",
            "<form method=\"post\" action=\"/login\"",
            "<label for=\"username\">",
            "autocomplete=\"username\"",
            "<label for=\"password\">",
            "autocomplete=\"current-password\"",
            "<button type=\"submit\"",
            "href=\"/register\"",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert!(!html.contains("role=\"alert\""), "an error before anything happened");
    }
    let html = page(open(&tacit, "/register").await).await;
    assert!(html.contains("autocomplete=\"new-password\"") && html.contains("autocomplete=\"email\""), "{html}");
    assert!(html.contains("At least 8 characters, and not easy to guess."), "{html}");
}

#[tokio::test]
async fn a_person_without_javascript_registers_and_signs_out_and_in_again() {
    let tacit = Tacit::start().await;
    let answer = send_form(&tacit, "/register", &[("username", "ada"), ("email", ""), ("password", PASSWORD)]).await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/account"));
    let mut jar = Jar::default();
    jar.apply(&answer);
    let html = page(open_with(&tacit, "/account", &jar).await).await;
    assert!(html.contains("ada") && html.contains("action=\"/logout\""), "{html}");

    let sent = browser(&tacit, Method::POST, "/logout").header("cookie", jar.header()).header("origin", &tacit.url);
    let answer = sent.form::<[(&str, &str)]>(&[]).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/login"));
    let old = jar.clone();
    jar.apply(&answer);
    assert_eq!(jar, Jar::default());
    let answer = open_with(&tacit, "/account", &old).await;
    assert_eq!(location(&answer), "/login?return_to=/account");

    let answer = sign_in(&tacit, "/login", "ADA").await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/account"));
    assert_eq!(set_cookies(&answer).len(), 2);
    assert!(header(&answer, "cache-control").contains("no-store"));
    jar.apply(&answer);
    assert_eq!(open_with(&tacit, "/account", &jar).await.status(), 200);
}

#[tokio::test]
async fn a_wrong_password_shows_the_page_again_with_its_status_and_the_name_but_never_the_password() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for name in ["ada", "nobody"] {
        let sent = [("username", name), ("password", "wrong-horse-battery")];
        let answer = send_form(&tacit, "/login?return_to=/docs", &sent).await;
        assert_eq!(answer.status(), 401);
        assert!(set_cookies(&answer).is_empty());
        assert!(header(&answer, "www-authenticate").starts_with("Bearer"));
        let html = page(answer).await;
        assert!(html.contains("role=\"alert\"") && html.contains("The name or the password is wrong."), "{html}");
        assert!(html.contains(&format!("value=\"{name}\"")) && !html.contains("wrong-horse"), "{html}");
        assert!(html.contains("action=\"/login?return_to=%2Fdocs\""), "the way back is lost: {html}");
    }
}

/// Where a form is sent, its fields, and what comes back.
type Case = (&'static str, &'static [(&'static str, &'static str)], u16, &'static str);

#[tokio::test]
async fn the_page_answers_with_the_status_that_a_program_gets() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let cases: [Case; 9] = [
        ("/login", &[("username", "ada")], 400, "Fill in a name and a password."),
        ("/login", &[("username", "a"), ("username", "b"), ("password", "x")], 400, "Fill in a name and a password."),
        ("/register", &[("password", PASSWORD)], 400, "Fill in a name and a password."),
        ("/register", &[("username", "a/b"), ("password", PASSWORD)], 400, "A username has 1 to 64 characters"),
        ("/register", &[("email", "nonsense"), ("password", PASSWORD)], 400, "This is not an e-mail address."),
        ("/register", &[("username", "eve"), ("password", PASSWORD), ("role", "admin")], 400, "role=\"alert\""),
        ("/register", &[("username", "Ada"), ("password", PASSWORD)], 409, "This username is taken."),
        ("/register", &[("username", "eve"), ("password", "password1")], 422, "The password is too easy to guess"),
        ("/register", &[("username", "eve"), ("password", "x")], 422, "role=\"alert\""),
    ];
    for (path, fields, status, words) in cases {
        let answer = send_form(&tacit, path, fields).await;
        assert_eq!(answer.status(), status, "{path} {fields:?}");
        assert!(set_cookies(&answer).is_empty());
        let html = page(answer).await;
        assert!(html.contains(words), "{words} in {html}");
    }
    let long = "x".repeat(70_000);
    let answer = send_form(&tacit, "/login", &[("username", "ada"), ("password", &long)]).await;
    assert_eq!(answer.status(), 413);
    page(answer).await;
}

#[tokio::test]
async fn a_form_of_a_program_is_no_pages_form() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let fields = [("username", "ada"), ("password", PASSWORD)];
    for accept in ["*/*", "application/json", "text/html;q=0, application/json", "text/htmlx"] {
        for path in ["/login", "/register"] {
            let answer = tacit.post(path).header("accept", accept).form(&fields).send().await.unwrap();
            assert_eq!(problem(answer).await, (415, "unsupported_media_type".to_owned()), "{accept}");
        }
    }
    // JSON is JSON, whatever is accepted.
    let sent = serde_json::json!({"username": "ada", "password": PASSWORD});
    let answer = tacit.post("/login").header("accept", super::ACCEPT).json(&sent).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (200, "application/json; charset=utf-8"));
}

#[tokio::test]
async fn somebody_with_an_address_only_registers_and_signs_in() {
    let tacit = Tacit::start().await;
    let answer = send_form(&tacit, "/register", &[("email", "ann@example.com"), ("password", PASSWORD)]).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (303, 2));
    let answer = sign_in(&tacit, "/login", "ann@example.com").await;
    assert_eq!(answer.status(), 303);
}

#[tokio::test]
async fn closed_registration_is_said_and_not_offered() {
    let tacit = Setup::default().set("accounts.registration", "closed").start().await;
    assert!(!page(open(&tacit, "/login").await).await.contains("/register"));
    let answer = open(&tacit, "/register").await;
    assert_eq!(answer.status(), 403);
    assert!(page(answer).await.contains("Nobody can register here."));
    let answer = send_form(&tacit, "/register", &[("username", "ada"), ("password", PASSWORD)]).await;
    assert_eq!(answer.status(), 403);
    page(answer).await;
}

#[tokio::test]
async fn signing_in_again_in_one_browser_supersedes_its_old_session() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let sent = browser(&tacit, Method::POST, "/login").header("cookie", jar.header());
    let answer = sent.form(&[("username", "ada"), ("password", PASSWORD)]).send().await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(problem(tacit.get_with("/me", &jar).await).await, (401, "session_superseded".to_owned()));
}

#[tokio::test]
async fn below_a_base_path_every_link_and_form_stays_below_it() {
    // The address that it prints has the base path in it.
    let tacit = Setup::default().set("server.base_path", "/auth").start().await;
    let html = page(open(&tacit, "/login").await).await;
    assert!(html.contains("action=\"/auth/login\"") && html.contains("href=\"/auth/assets/tacit/"), "{html}");
    let answer = sign_in(&tacit, "/register", "ada").await;
    assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/auth/account"));
    assert_eq!(location(&open(&tacit, "/account").await), "/auth/login?return_to=/auth/account");
    assert_eq!(location(&open(&tacit, "").await), "/auth/account");
}
