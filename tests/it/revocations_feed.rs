//! GET /revocations: what a backend that verifies tokens by itself has to know.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::{Setup, Tacit, eventually, run};
use crate::clients::{Credentials, create, is, refusal};
use crate::problems;
use crate::shapes::{assert_time, members, part};

async fn ask(tacit: &Tacit, client: &Credentials, query: &str, known: Option<&str>) -> (u16, String, Value) {
    let request = client.on(tacit.get(&format!("/revocations{query}")));
    let request = known.map_or(request.try_clone().unwrap(), |tag| request.header("if-none-match", tag));
    // Longer than any wait.
    let answer = request.timeout(Duration::from_secs(60)).send().await.unwrap();
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
    // As old as tokens get that are still good at a verifier with a clock of its own, and then older than every one.
    for (seconds, listed) in [(600, 1), (400, 1), (2600, 0)] {
        tacit.home.database.age("sessions", "revoked_at", seconds);
        tacit.home.database.age("users", "version_changed_at", seconds);
        let replica = Setup::default().start_in(Arc::clone(&tacit.home)).await;
        let (status, _, body) = ask(&replica, &client, "", None).await;
        let told = ["sessions", "users"].map(|kind| body[kind].as_array().unwrap().len());
        assert_eq!((status, told), (200, [listed; 2]), "{seconds} s more");
    }
}

#[tokio::test]
async fn every_replica_answers_the_same_once_it_has_polled() {
    let one = Tacit::start().await;
    let two = Setup::default().start_in(Arc::clone(&one.home)).await;
    let client = create(&one.home, "api", &[]);
    one.register("ada").await;
    for ending in [&one, &two, &one] {
        let tokens = one.token("ada").await;
        let sid = part(tokens["access_token"].as_str().unwrap(), 1)["sid"].clone();
        let form = [("token", tokens["refresh_token"].as_str().unwrap())];
        assert_eq!(ending.post("/revoke").form(&form).send().await.unwrap().status(), 200);
        let agreed = eventually(async || {
            let answers = [ask(&one, &client, "", None).await, ask(&two, &client, "", None).await];
            let told = answers[0].2["sessions"].as_array().unwrap().iter().any(|session| session["sid"] == sid);
            told && answers[0] == answers[1]
        });
        assert!(agreed.await);
    }
}

#[tokio::test]
async fn a_token_that_was_revoked_long_ago_changes_nothing() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "api", &[]);
    tacit.register("ada").await;
    let tokens = tacit.token("ada").await;
    let access = tokens["access_token"].as_str().unwrap();
    assert_eq!(tacit.post("/logout").bearer_auth(access).send().await.unwrap().status(), 200);
    tacit.home.database.age("sessions", "revoked_at", 7200);
    let replica = Setup::default().start_in(Arc::clone(&tacit.home)).await;
    let (_, tag, empty) = ask(&replica, &client, "", None).await;
    assert_eq!(empty, json!({"sessions": [], "users": []}));
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let refused: Value = replica.post("/token").form(&form).send().await.unwrap().json().await.unwrap();
    assert_eq!(refused["code"], "session_revoked");
    assert_eq!(ask(&replica, &client, "", Some(&tag)).await.0, 304);
}

#[tokio::test]
async fn a_wait_ends_with_the_first_news_and_not_before() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "api", &[]);
    tacit.register("ada").await;
    let (_, tag, _) = ask(&tacit, &client, "", None).await;
    let begun = Instant::now();
    assert_eq!(ask(&tacit, &client, "?wait=1", Some(&tag)).await.0, 304);
    assert!(begun.elapsed() >= Duration::from_secs(1));
    // What ends at another replica is told long before the wait is over.
    let replica = Setup::default().start_in(Arc::clone(&tacit.home)).await;
    for ending in [&tacit, &replica] {
        let jar = tacit.log_in("ada").await;
        let (_, tag, _) = ask(&tacit, &client, "", None).await;
        let waiting = async {
            let begun = Instant::now();
            let (status, ..) = ask(&tacit, &client, "?wait=30", Some(&tag)).await;
            (status, begun.elapsed() < Duration::from_secs(10))
        };
        let ended = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            ending.post_with("/logout", &jar).await.status().as_u16()
        };
        assert_eq!(tokio::join!(waiting, ended), ((200, true), 200));
    }
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
