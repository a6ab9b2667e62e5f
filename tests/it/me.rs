//! The own account: GET and PATCH /me, POST /me/password, GET /protected, GET /admin.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{PASSWORD, Tacit, eventually, problem};
use crate::jar::{Jar, set_cookies};
use crate::problems;
use crate::shapes::{assert_user, members};

const NEW_PASSWORD: &str = "quite another staple of horses";

async fn patch(tacit: &Tacit, jar: &Jar, body: Value) -> Response {
    let request = tacit.request(Method::PATCH, "/me").header("cookie", jar.header());
    request.json(&body).send().await.unwrap()
}

async fn change_password(tacit: &Tacit, jar: &Jar, current: &str, new: &str) -> Response {
    let body = json!({"current_password": current, "new_password": new});
    tacit.post("/me/password").header("cookie", jar.header()).json(&body).send().await.unwrap()
}

async fn can_log_in(tacit: &Tacit, name: &str, password: &str) -> bool {
    tacit.post("/login").json(&json!({"username": name, "password": password})).send().await.unwrap().status() == 200
}

#[tokio::test]
async fn a_user_sees_the_own_account_and_never_the_hash() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let answer = tacit.get_with("/me", &jar).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["cache-control"], "no-store");
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    problems::assert_plain_security_headers(answer.headers());
    let me: Value = answer.json().await.unwrap();
    assert_user(&me);
    assert_eq!(me["username"], "ada");
}

#[tokio::test]
async fn names_change_with_the_current_password_only() {
    let tacit = Tacit::start().await;
    let mut jar = tacit.new_session("ada").await;
    tacit.register("bob").await;
    let wrong = patch(&tacit, &jar, json!({"username": "eve", "current_password": "wrong"})).await;
    assert!(problems::read(wrong).await.is(401, "invalid_credentials"));
    for (body, status, code) in [
        (json!({"username": "eve"}), 400, "bad_request"),
        (json!({"current_password": PASSWORD}), 400, "bad_request"),
        (json!({"username": " eve", "current_password": PASSWORD}), 400, "bad_request"),
        (json!({"email": "nonsense", "current_password": PASSWORD}), 400, "bad_request"),
        (json!({"username": null, "current_password": PASSWORD}), 400, "bad_request"),
        (json!({"username": "eve", "role": "admin", "current_password": PASSWORD}), 400, "bad_request"),
        (json!({"username": "eve", "disabled": false, "current_password": PASSWORD}), 400, "bad_request"),
        (json!({"username": "BOB", "current_password": PASSWORD}), 409, "username_taken"),
    ] {
        let problem = problems::read(patch(&tacit, &jar, body.clone()).await).await;
        assert!(problem.is(status, code), "{body}: {problem:?}");
    }
    let answer =
        patch(&tacit, &jar, json!({"username": "Eve", "email": "eve@example.com", "current_password": PASSWORD})).await;
    assert_eq!(answer.status(), 200);
    jar.apply(&answer);
    let user: Value = answer.json().await.unwrap();
    assert_user(&user);
    assert_eq!((&user["username"], &user["email"]), (&json!("Eve"), &json!("eve@example.com")));
    assert!(can_log_in(&tacit, "eve@example.com", PASSWORD).await);
    assert!(!can_log_in(&tacit, "ada", PASSWORD).await);
    // Whatever its access cookie says by now, the session goes on, and learns the name.
    let renamed = async || {
        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        answer.status() == 200 && answer.json::<Value>().await.unwrap()["username"] == "Eve"
    };
    assert!(eventually(renamed).await);
}

#[tokio::test]
async fn an_account_may_drop_one_of_two_names_but_not_the_last() {
    let tacit = Tacit::start().await;
    let sent = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    tacit.post("/register").json(&sent).send().await.unwrap();
    let jar = tacit.log_in("ada").await;
    let answer = patch(&tacit, &jar, json!({"username": null, "current_password": PASSWORD})).await;
    let user: Value = answer.json().await.unwrap();
    assert_eq!((&user["username"], &user["email"]), (&Value::Null, &json!("ada@example.com")));
    let answer = patch(&tacit, &jar.without_access(), json!({"email": null, "current_password": PASSWORD})).await;
    assert!(problems::read(answer).await.is(400, "bad_request"));
    let jar = tacit.log_in("ada@example.com").await;
    let shown: Value = tacit.get_with("/protected", &jar).await.json().await.unwrap();
    assert_eq!(shown["message"], "You are viewing protected content, ada@example.com!");
    assert_eq!(shown["username"], Value::Null);
}

#[tokio::test]
async fn a_new_password_ends_every_other_session_and_gives_a_cookie_caller_new_cookies() {
    let tacit = Tacit::start().await;
    let mut jar = tacit.new_session("ada").await;
    let other = tacit.log_in("ada").await;
    let before = jar.clone();
    let answer = change_password(&tacit, &jar, PASSWORD, NEW_PASSWORD).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 2));
    jar.apply(&answer);
    let body: Value = answer.json().await.unwrap();
    assert!(!body.to_string().contains("rt1_") && body.get("access_token").is_none(), "{body}");
    assert_ne!((jar.get(crate::jar::ACCESS), jar.refresh()), (before.get(crate::jar::ACCESS), before.refresh()));
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    assert_eq!(problem(tacit.get_with("/me", &other).await).await, (401, "session_revoked".to_owned()));
    assert!(can_log_in(&tacit, "ada", NEW_PASSWORD).await && !can_log_in(&tacit, "ada", PASSWORD).await);
}

#[tokio::test]
async fn a_bearer_caller_who_changes_the_password_gets_what_token_answers() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let old = tacit.token("ada").await;
    let request = tacit.post("/me/password").bearer_auth(old["access_token"].as_str().unwrap());
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let answer = request.json(&body).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 0));
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    let new: Value = answer.json().await.unwrap();
    assert_eq!(members(&new), ["access_token", "expires_at", "expires_in", "refresh_token", "token_type"]);
    let me = |token: &Value| tacit.get("/me").bearer_auth(token["access_token"].as_str().unwrap()).send();
    assert_eq!(me(&new).await.unwrap().status(), 200);
    assert_eq!(me(&old).await.unwrap().status(), 401);
    let form = [("grant_type", "refresh_token"), ("refresh_token", old["refresh_token"].as_str().unwrap())];
    assert_eq!(tacit.post("/token").form(&form).send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_password_that_may_not_be_changed_leaves_everything_as_it_was() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("mallory-quint").await;
    for (current, new, status, code) in [
        ("wrong", NEW_PASSWORD, 401, "invalid_credentials"),
        (PASSWORD, "password1", 422, "weak_password"),
        (PASSWORD, "mallory-quint", 422, "weak_password"),
        (PASSWORD, "short", 422, "weak_password"),
        ("", NEW_PASSWORD, 400, "bad_request"),
        (PASSWORD, "", 400, "bad_request"),
    ] {
        let answer = change_password(&tacit, &jar, current, new).await;
        assert!(set_cookies(&answer).is_empty());
        let problem = problems::read(answer).await;
        assert!(problem.is(status, code), "{new}: {problem:?}");
    }
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    assert!(can_log_in(&tacit, "mallory-quint", PASSWORD).await);
}

#[tokio::test]
async fn the_protected_resource_names_who_looks_at_it() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let body: Value = tacit.get_with("/protected", &jar).await.json().await.unwrap();
    let message = "You are viewing protected content, ada!";
    assert_eq!(body, json!({"status": "success", "message": message, "username": "ada", "role": "user"}));
}

#[tokio::test]
async fn the_admin_panel_reads_the_role_from_the_database() {
    let tacit = Tacit::start().await;
    let user = tacit.new_session("ada").await;
    let refused = problems::read(tacit.get_with("/admin", &user).await).await;
    assert!(refused.is(403, "admin_required"), "{refused:?}");
    assert_eq!(refused.detail, "Admin access required");
    let admin = tacit.new_admin("root").await;
    let body: Value = tacit.get_with("/admin", &admin).await.json().await.unwrap();
    assert_eq!(body, json!({"status": "success", "message": "Welcome to the admin panel, root!"}));
    // Neither command nor version: the row alone counts, at once.
    tacit.home.database.execute("UPDATE users SET role = 'user' WHERE username = 'root'");
    assert_eq!(tacit.get_with("/admin", &admin).await.status(), 403);
}
