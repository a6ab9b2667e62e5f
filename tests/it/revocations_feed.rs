//! GET /revocations: what a backend that verifies tokens by itself has to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{Setup, Tacit, run};
use crate::clients::{Credentials, create, is, refusal};
use crate::problems;
use crate::shapes::{assert_time, members, part};

async fn ask(tacit: &Tacit, client: &Credentials, query: &str, known: Option<&str>) -> (u16, String, Value) {
    let request = client.on(tacit.get(&format!("/revocations{query}")));
    let request = known.map_or(request.try_clone().unwrap(), |tag| request.header("if-none-match", tag));
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let (status, tag) = (answer.status().as_u16(), answer.headers()["etag"].to_str().unwrap().to_owned());
    let body = if status == 200 { answer.json().await.expect("JSON") } else { Value::Null };
    (status, tag, body)
}

#[tokio::test]
async fn ended_sessions_and_changed_users_are_told_and_304_while_nothing_is_new() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "api", &[]);
    let (status, empty, body) = ask(&tacit, &client, "", None).await;
    assert_eq!((status, body), (200, json!({"sessions": [], "users": []})));
    tacit.register("ada").await;
    let tokens = tacit.token("ada").await;
    let claims = part(tokens["access_token"].as_str().unwrap(), 1);
    assert_eq!(ask(&tacit, &client, "", Some(&empty)).await.0, 304);
    tacit.post("/logout").bearer_auth(tokens["access_token"].as_str().unwrap()).send().await.unwrap();
    let (status, tag, body) = ask(&tacit, &client, "", Some(&empty)).await;
    assert_eq!((status, members(&body)), (200, vec!["sessions", "users"]));
    assert_eq!(body["sessions"][0]["sid"], claims["sid"]);
    assert_time(&body["sessions"][0]["revoked_at"]);
    assert_eq!(ask(&tacit, &client, "", Some(&format!("\"x\", {tag}"))).await.0, 304);
    assert!(run(&tacit.home, &["user", "set-role", "ada", "editor"], "").status.success());
    let (status, newest, body) = ask(&tacit, &client, "?wait=20", Some(&tag)).await;
    assert_eq!((status, &body["users"]), (200, &json!([{"sub": claims["sub"], "ver": 2}])));
    assert_ne!(newest, tag);
    // Older than every token of theirs: forgotten.
    tacit.home.database.age("sessions", "revoked_at", 3600);
    tacit.home.database.age("users", "version_changed_at", 3600);
    let replica = Setup::default().start_in(Arc::clone(&tacit.home)).await;
    assert_eq!(ask(&replica, &client, "", Some(&empty)).await.0, 304);
}

#[tokio::test]
async fn a_wait_ends_with_the_first_news_and_not_before() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "api", &[]);
    let jar = tacit.new_session("ada").await;
    let (_, tag, _) = ask(&tacit, &client, "", None).await;
    let begun = Instant::now();
    assert_eq!(ask(&tacit, &client, "?wait=1", Some(&tag)).await.0, 304);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    let waiting = ask(&tacit, &client, "?wait=15", Some(&tag));
    let ending = async { tacit.post_with("/logout", &jar).await.status() };
    let begun = Instant::now();
    let ((status, ..), ended) = tokio::join!(waiting, ending);
    assert_eq!((status, ended.as_u16()), (200, 200));
    assert!(begun.elapsed() < Duration::from_secs(10));
    // Who knows nothing yet does not wait.
    assert_eq!(ask(&tacit, &client, "?wait=15", None).await.0, 200);
}

#[tokio::test]
async fn nobody_but_a_client_learns_of_them_and_a_bad_wait_is_malformed() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let client = create(&tacit.home, "api", &[]);
    let token = tacit.token("ada").await;
    let asked = || tacit.get("/revocations");
    for request in [
        asked(),
        asked().bearer_auth(token["access_token"].as_str().unwrap()),
        asked().header("cookie", jar.header()),
        asked().basic_auth(&client.id, Some("wrong")),
        tacit.get(&format!("/revocations?client_id={}&client_secret={}", client.id, client.secret)),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, is(401, "invalid_client"));
    }
    for query in ["?wait=61", "?wait=-1", "?wait=x", "?wait=", "?wait=1&wait=1"] {
        let answer = client.on(tacit.get(&format!("/revocations{query}"))).send().await.unwrap();
        assert!(problems::read(answer).await.is(400, "bad_request"), "{query}");
    }
    assert!(run(&tacit.home, &["client", "disable", "api"], "").status.success());
    assert_eq!(refusal(client.on(asked()).send().await.unwrap()).await, is(401, "invalid_client"));
}
