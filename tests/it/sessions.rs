//! GET /sessions, DELETE /sessions/{id}, POST /logout and its kin.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{PASSWORD, Tacit, problem};
use crate::jar::{ACCESS, Jar, set_cookies};
use crate::problems;
use crate::shapes::{assert_time, members, part};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

fn id(jar: &Jar) -> String {
    part(jar.get(ACCESS).unwrap(), 1)["sid"].as_str().unwrap().to_owned()
}

async fn delete(tacit: &Tacit, jar: &Jar, id: &str) -> Response {
    tacit.request(Method::DELETE, &format!("/sessions/{id}")).header("cookie", jar.header()).send().await.unwrap()
}

async fn list(tacit: &Tacit, jar: &Jar) -> Vec<Value> {
    let body: Value = tacit.get_with("/sessions", jar).await.json().await.unwrap();
    assert_eq!(members(&body), ["sessions"]);
    body["sessions"].as_array().unwrap().clone()
}

async fn code(tacit: &Tacit, jar: &Jar) -> String {
    problem(tacit.get_with("/me", jar).await).await.1
}

#[tokio::test]
async fn the_list_shows_own_sessions_with_their_devices_and_no_token() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    tacit.new_session("eve").await;
    let sent = tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD}));
    let mut firefox = Jar::default();
    firefox.apply(&sent.header("user-agent", FIREFOX).send().await.unwrap());
    let sessions = list(&tacit, &jar).await;
    assert_eq!(sessions.len(), 2);
    for session in &sessions {
        assert_eq!(members(session), ["created_at", "current", "id", "ip", "label", "last_refreshed_at", "user_agent"]);
        assert_time(&session["created_at"]);
        assert_eq!(assert_time(&session["last_refreshed_at"]).timestamp() % 60, 0);
        assert_eq!(session["ip"], "127.0.0.1");
        assert_eq!(session["current"], session["id"] == json!(id(&jar)));
    }
    let of_firefox = sessions.iter().find(|session| session["id"] == json!(id(&firefox))).unwrap();
    assert_eq!((&of_firefox["label"], &of_firefox["user_agent"]), (&json!("Firefox on Linux"), &json!(FIREFOX)));
    let text = json!(sessions).to_string();
    for secret in ["rt1_", "eyJ", "hash", "secret"] {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn another_users_session_and_an_absent_one_are_the_same_404() {
    let tacit = Tacit::start().await;
    let eve = tacit.new_session("eve").await;
    let ada = tacit.new_session("ada").await;
    let foreign = id(&ada);
    let mut bodies = Vec::new();
    let sql = "'%20OR%20'1'='1";
    for id in [foreign.as_str(), "00000000-0000-4000-8000-000000000000", "nonsense", sql, "%00", "..%2f..%2fadmin"] {
        let problem = problems::read(delete(&tacit, &eve, id).await).await;
        assert!(problem.is(404, "not_found"), "{id}: {problem:?}");
        bodies.push(problem.detail);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    assert_eq!(tacit.get_with("/me", &ada).await.status(), 200);
}

#[tokio::test]
async fn ending_a_session_ends_it_at_once_and_clears_cookies_only_if_it_is_the_current_one() {
    let tacit = Tacit::start().await;
    let mut jar = tacit.new_session("ada").await;
    let other = tacit.log_in("ada").await;
    let answer = delete(&tacit, &jar, &id(&other)).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 0));
    assert_eq!(code(&tacit, &other).await, "session_revoked");
    assert_eq!(code(&tacit, &other.without_access()).await, "session_revoked");
    let again = problems::read(delete(&tacit, &jar, &id(&other)).await).await;
    assert!(again.is(404, "not_found"), "{again:?}");
    let answer = delete(&tacit, &jar, &id(&jar).to_uppercase()).await;
    assert_eq!(answer.status(), 200);
    jar.apply(&answer);
    assert_eq!(jar.header(), "");
}

#[tokio::test]
async fn logging_out_ends_the_session_whose_token_is_shown_in_whichever_way() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let text = |tokens: &Value, name: &str| tokens[name].as_str().unwrap().to_owned();
    let done = async |answer: Response, tokens: &Value| {
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(body, json!({"status": "success", "message": "Logged out successfully"}));
        let me = tacit.get("/me").bearer_auth(text(tokens, "access_token")).send().await.unwrap();
        assert!(problems::read(me).await.is(401, "session_revoked"));
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        let refresh = tacit.post("/token").form(&form).send().await.unwrap();
        assert_eq!(refresh.status(), 400);
        assert_eq!(refresh.json::<Value>().await.unwrap()["error"], "invalid_grant");
    };
    let tokens = tacit.token("ada").await;
    let refresh = json!({"refresh_token": text(&tokens, "refresh_token")});
    done(tacit.post("/logout").json(&refresh).send().await.unwrap(), &tokens).await;
    let tokens = tacit.token("ada").await;
    let refresh = [("refresh_token", text(&tokens, "refresh_token"))];
    done(tacit.post("/logout").form(&refresh).send().await.unwrap(), &tokens).await;
    let tokens = tacit.token("ada").await;
    done(tacit.post("/logout").bearer_auth(text(&tokens, "access_token")).send().await.unwrap(), &tokens).await;
}

#[tokio::test]
async fn logging_out_succeeds_also_when_nobody_is_signed_in() {
    let tacit = Tacit::start().await;
    for request in [
        tacit.post("/logout"),
        tacit.post("/logout").header("cookie", "tacit-access=x; tacit-refresh=y"),
        tacit.post("/logout").bearer_auth("nonsense"),
        tacit.post("/logout").json(&json!({"refresh_token": "nonsense"})),
        tacit.post("/logout").json(&json!({})),
        tacit.post("/logout").header("content-type", "application/json"),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(set_cookies(&answer).len(), 2);
        for cookie in set_cookies(&answer) {
            assert!(cookie.ends_with("=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"), "{cookie}");
        }
    }
}

#[tokio::test]
async fn logging_out_everywhere_or_everywhere_else_tells_how_many_sessions_ended() {
    let tacit = Tacit::start().await;
    let mut jar = tacit.new_session("ada").await;
    let (second, third) = (tacit.log_in("ada").await, tacit.log_in("ada").await);
    let stranger = tacit.new_session("eve").await;
    let answer = tacit.post_with("/logout/others", &jar).await;
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(members(&body), ["message", "sessions_ended", "status"]);
    assert_eq!((&body["status"], &body["sessions_ended"]), (&json!("success"), &json!(2)));
    assert_eq!(
        (code(&tacit, &second).await, code(&tacit, &third).await),
        ("session_revoked".into(), "session_revoked".into())
    );
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    let answer = tacit.post_with("/logout/all", &jar).await;
    let old = jar.clone();
    jar.apply(&answer);
    assert_eq!(jar.header(), "");
    assert_eq!(answer.json::<Value>().await.unwrap()["sessions_ended"], 1);
    assert_eq!(code(&tacit, &old).await, "session_revoked");
    assert_eq!(tacit.get_with("/me", &stranger).await.status(), 200);
}
