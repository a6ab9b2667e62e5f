//! POST /token, in both its dialects.

use reqwest::Response;
use reqwest::multipart;
use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit};
use crate::jar::set_cookies;
use crate::problems;
use crate::shapes::{assert_time, members, part};

/// Sends a form and checks what holds for every answer of /token.
async fn send(tacit: &Tacit, form: &[(&str, &str)]) -> Response {
    checked(tacit.post("/token").form(form).send().await.unwrap())
}

fn checked(answer: Response) -> Response {
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["pragma"], "no-cache");
    assert!(set_cookies(&answer).is_empty());
    answer
}

/// An error of RFC 6749: status, and the member `error`.
async fn oauth_error(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    let body: Value = answer.json().await.unwrap();
    assert!(members(&body).iter().all(|name| ["code", "error", "error_description"].contains(name)), "{body}");
    assert!(!body["error_description"].as_str().unwrap().is_empty());
    (status, body["error"].as_str().unwrap().to_owned())
}

fn is(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

#[tokio::test]
async fn the_password_grant_answers_tokens_in_both_dialects_and_as_multipart() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let named = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("client_id", "spa")];
    let parts = multipart::Form::new().text("username", "ada").text("password", PASSWORD);
    for answer in [
        send(&tacit, &named).await,
        send(&tacit, &named[1..]).await,
        checked(tacit.post("/token").multipart(parts).send().await.unwrap()),
    ] {
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
        let body: Value = answer.json().await.unwrap();
        assert_eq!(members(&body), ["access_token", "expires_at", "expires_in", "refresh_token", "token_type"]);
        assert_eq!(body["token_type"], "bearer");
        let token = body["access_token"].as_str().unwrap();
        let claims = part(token, 1);
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), body["expires_in"]);
        assert_eq!(assert_time(&body["expires_at"]).timestamp(), claims["exp"].as_i64().unwrap());
        assert!(body["refresh_token"].as_str().unwrap().starts_with("rt1_"));
        assert_eq!(tacit.get("/me").bearer_auth(token).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn with_grant_type_errors_are_those_of_rfc_6749() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let password = ("grant_type", "password");
    for (form, error) in [
        (vec![password, ("username", "ada"), ("password", "wrong")], "invalid_grant"),
        (vec![password, ("username", "eve"), ("password", PASSWORD)], "invalid_grant"),
        (vec![password, ("username", "a\0b"), ("password", PASSWORD)], "invalid_grant"),
        (vec![password, ("username", "ada")], "invalid_request"),
        (vec![password, ("password", PASSWORD)], "invalid_request"),
        (vec![password, ("username", ""), ("password", "")], "invalid_request"),
        (vec![password, password, ("username", "ada"), ("password", PASSWORD)], "invalid_request"),
        (vec![password, ("username", "ada"), ("username", "eve"), ("password", PASSWORD)], "invalid_request"),
        (vec![("grant_type", "implicit")], "unsupported_grant_type"),
        (vec![("grant_type", "PASSWORD"), ("username", "ada"), ("password", PASSWORD)], "unsupported_grant_type"),
        (vec![("grant_type", "refresh_token")], "invalid_request"),
        (vec![("grant_type", "refresh_token"), ("refresh_token", "rt1_nonsense")], "invalid_grant"),
        (vec![("grant_type", "refresh_token"), ("refresh_token", "")], "invalid_request"),
    ] {
        assert_eq!(oauth_error(send(&tacit, &form).await).await, is(400, error), "{form:?}");
    }
    let wrong = send(&tacit, &[password, ("username", "ada"), ("password", "wrong")]).await;
    assert_eq!(wrong.json::<Value>().await.unwrap()["error_description"], "Incorrect username or password");
    let long = "x".repeat(1025);
    let answer = send(&tacit, &[password, ("username", "ada"), ("password", &long)]).await;
    assert_eq!(oauth_error(answer).await, is(400, "invalid_request"));
}

#[tokio::test]
async fn without_grant_type_errors_are_those_of_fastapi() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for name in ["ada", "eve", "a\0b"] {
        let answer = send(&tacit, &[("username", name), ("password", "wrong"), ("scope", "")]).await;
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
        assert_eq!(answer.text().await.unwrap(), r#"{"detail":"Incorrect username or password"}"#);
    }
    let missing = |name: &str| json!({"type": "missing", "loc": ["body", name], "msg": "Field required"});
    for (form, detail) in [
        (vec![("password", "x")], vec![missing("username")]),
        (vec![("username", "ada")], vec![missing("password")]),
        (vec![("username", ""), ("password", "x")], vec![missing("username")]),
        (vec![], vec![missing("username"), missing("password")]),
    ] {
        let answer = send(&tacit, &form).await;
        assert_eq!(answer.status(), 422, "{form:?}");
        assert_eq!(answer.json::<Value>().await.unwrap(), json!({ "detail": detail }));
    }
    let empty = send(&tacit, &[("grant_type", ""), ("username", "ada"), ("password", "wrong")]).await;
    assert_eq!(empty.status(), 401, "an empty parameter counts as absent");
}

#[tokio::test]
async fn before_the_dialect_is_known_errors_are_problems_with_oauths_member() {
    let tacit = Tacit::start().await;
    let json = json!({"username": "ada", "password": "x"});
    let form = "application/x-www-form-urlencoded";
    let sent = |body: &'static [u8], kind: &'static str| tacit.post("/token").header("content-type", kind).body(body);
    for (request, status, code) in [
        (tacit.get("/token"), 405, "method_not_allowed"),
        (tacit.get("/token/"), 405, "method_not_allowed"),
        (tacit.post("/token").json(&json), 415, "unsupported_media_type"),
        (tacit.post("/token"), 415, "unsupported_media_type"),
        (tacit.post("/token").header("content-type", form).body("a".repeat(70_000)), 413, "payload_too_large"),
        (sent(b"username=%ff&password=x", form), 400, "bad_request"),
        (sent(b"nonsense", "multipart/form-data"), 400, "bad_request"),
        (sent(b"--b\r\nnonsense", "multipart/form-data; boundary=b"), 400, "bad_request"),
    ] {
        let problem = problems::read(checked(request.send().await.unwrap())).await;
        assert!(problem.is(status, code), "{problem:?}");
        assert_eq!(problem.body["error"], "invalid_request");
    }
}

#[tokio::test]
async fn an_overload_is_a_problem_with_oauths_word_for_it() {
    let setup = Setup::default().set("passwords.bcrypt_cost", "12").set("passwords.hash_workers", "1");
    let tacit = setup.set("passwords.hash_queue", "1").start().await;
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    let answers = futures_util::future::join_all((0..10).map(|_| send(&tacit, &form))).await;
    let overloaded = answers.into_iter().find(|answer| answer.status() == 503).expect("a full queue");
    let problem = problems::read(overloaded).await;
    assert!(problem.is(503, "overloaded"));
    assert_eq!(problem.body["error"], "temporarily_unavailable");
}

#[tokio::test]
async fn the_password_grant_can_be_switched_off_in_both_dialects_and_log_in_stays() {
    let tacit = Setup::default().set("oauth.password_grant", "false").start().await;
    tacit.register("ada").await;
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    assert_eq!(oauth_error(send(&tacit, &form).await).await, is(400, "unsupported_grant_type"));
    assert_eq!(send(&tacit, &form[1..]).await.status(), 403);
    tacit.log_in("ada").await;
}

#[tokio::test]
async fn a_client_with_a_secret_nobody_gave_it_is_refused_and_an_empty_one_is_none() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    let with_secret = [form.as_slice(), &[("client_id", "x"), ("client_secret", "y")]].concat();
    let basic = tacit.post("/token").form(&form).basic_auth("client", Some("secret")).send().await.unwrap();
    let garbage = tacit.post("/token").form(&form).header("authorization", "Basic %%%").send().await.unwrap();
    for answer in [send(&tacit, &with_secret).await, checked(basic), checked(garbage)] {
        assert!(answer.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"));
        assert_eq!(oauth_error(answer).await, is(401, "invalid_client"));
    }
    let empty = tacit.post("/token").form(&form).basic_auth("", Some("")).send().await.unwrap();
    assert_eq!(checked(empty).status(), 200);
}

#[tokio::test]
async fn a_page_from_elsewhere_gets_no_refresh_token_here() {
    let tacit = Setup::default().set("cross_site.allowed_origins", "https://app.example").start().await;
    tacit.register("ada").await;
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    let own = tacit.url.clone();
    for (name, value, given) in [
        ("origin", "https://evil.example", false),
        ("origin", "https://app.example.evil.example", false),
        ("origin", "null", false),
        ("sec-fetch-site", "cross-site", false),
        ("sec-fetch-site", "same-site", false),
        ("origin", "https://app.example", true),
        ("origin", own.as_str(), true),
        ("sec-fetch-site", "same-origin", true),
        ("user-agent", "curl/8", true),
    ] {
        let answer = checked(tacit.post("/token").form(&form).header(name, value).send().await.unwrap());
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body.get("refresh_token").is_some(), given, "{name}: {value}");
    }
}

#[tokio::test]
async fn cookies_are_neither_read_nor_set_here() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    for form in [vec![("grant_type", "refresh_token")], vec![("username", "ada")]] {
        let answer = tacit.post("/token").form(&form).header("cookie", jar.header()).send().await.unwrap();
        assert!(checked(answer).status().is_client_error());
    }
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
}

#[tokio::test]
async fn parameters_in_the_query_are_never_read() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let query = format!("/token?grant_type=password&username=ada&password={}", PASSWORD.replace(' ', "+"));
    let form = "application/x-www-form-urlencoded";
    let answer = tacit.post(&query).header("content-type", form).send().await.unwrap();
    assert_eq!(checked(answer).status(), 422);
}

#[tokio::test]
async fn no_spelling_of_the_path_loses_no_store() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let form = [("username", "ada"), ("password", PASSWORD)];
    for path in ["/token", "/token/", "/%74oken", "/toke%6E/"] {
        let answer = tacit.post(path).form(&form).send().await.unwrap();
        if answer.status() == 200 {
            checked(answer);
        } else {
            assert_eq!(answer.status(), 404, "{path}");
        }
    }
}
