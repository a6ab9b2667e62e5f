use serde_json::{Value, json};

use super::{assert_well_again, health, kilobytes, open_files};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually};
use crate::jar::{ACCESS, Jar};
use crate::shapes::part;

const SESSIONS: usize = 100_000;

const ALIVE: &str = "SELECT count(*) AS value FROM sessions WHERE revoked_at IS NULL";

/// As many sessions more of the one user that there is, older than the one that there is.
fn add_sessions(home: &Home) {
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {SESSIONS})");
    let columns = "secret_hash, authenticated_at, expires_at, idle_timeout, user_agent, ip, label";
    let made = home.database.execute(&format!(
        "{numbers} INSERT INTO sessions (id, user_id, created_at, {columns})
         SELECT '00000000-0000-4000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2), user_id, created_at, {columns}
         FROM sessions, n"
    ));
    assert_eq!(made, SESSIONS);
    home.database.age("sessions", "created_at", 60);
}

/// A debug build on a busy machine needs more patience; `scripts/bench floods` has the exact values.
fn patient() -> Setup {
    Setup::default().set("database.acquire_timeout", "6s").set("tokens.issuer", "http://tacit.test")
}

fn crowded() -> Setup {
    patient().set("sessions.max_per_user", "200000")
}

async fn listed(tacit: &Tacit, jar: &Jar) -> Vec<Value> {
    let answer = tacit.get_with("/sessions", jar).await;
    assert_eq!(answer.status(), 200);
    let text = answer.text().await.unwrap();
    assert!(text.len() < 1024 * 1024, "{} bytes", text.len());
    serde_json::from_str::<Value>(&text).unwrap()["sessions"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_user_with_a_hundred_thousand_sessions_lists_signs_in_and_ends_them_all() {
    let tacit = crowded().start().await;
    let first = tacit.new_session("ada").await;
    let (files, before) = (open_files(&tacit), kilobytes(&tacit, "VmRSS"));
    add_sessions(&tacit.home);
    let jar = tacit.log_in("ada").await;
    for jar in [&jar, &first] {
        let sessions = listed(&tacit, jar).await;
        assert!((1000..=1001).contains(&sessions.len()), "{}", sessions.len());
        let own = part(jar.get(ACCESS).unwrap(), 1)["sid"].clone();
        let current: Vec<&Value> = sessions.iter().filter(|session| session["current"] == true).collect();
        assert_eq!((current.len(), &current[0]["id"]), (1, &own), "the session that asks is always among them");
        assert!(sessions.windows(2).all(|pair| pair[0]["created_at"].as_str() >= pair[1]["created_at"].as_str()));
    }
    let ended = tacit.post_with("/logout/others", &jar).await;
    assert_eq!(ended.json::<Value>().await.unwrap()["sessions_ended"], SESSIONS + 1);
    assert_eq!(tacit.home.database.number(ALIVE), 1);
    health(&tacit).await;
    assert_eq!(tacit.get_with("/me", &jar.without_access()).await.status(), 200);
    assert_eq!(tacit.get_with("/me", &first.without_access()).await.status(), 401);
    assert_eq!(listed(&tacit, &jar).await.len(), 1);
    let grown = kilobytes(&tacit, "VmHWM").saturating_sub(before);
    assert!(grown < 400_000, "{grown} kB");
    assert_well_again(&tacit, files).await;
    // A replica that starts now has as many to learn.
    let home = tacit.home.clone();
    drop(tacit);
    let late = crowded().start_in(home).await;
    assert_eq!(late.get_with("/me", &first).await.status(), 401);
    assert_eq!(late.get_with("/me", &jar.without_access()).await.status(), 200);
}

#[tokio::test]
async fn a_limit_that_was_lowered_ends_a_hundred_thousand_sessions_at_the_next_sign_in() {
    let home = Home::new();
    let tacit = crowded().start_in(home.clone()).await;
    let first = tacit.new_session("ada").await;
    add_sessions(&home);
    drop(tacit);
    let tacit = patient().start_in(home).await;
    let files = open_files(&tacit);
    let jar = tacit.log_in("ada").await;
    assert_eq!(listed(&tacit, &jar).await.len(), 100);
    assert_eq!(tacit.home.database.number(ALIVE), 100);
    assert_eq!(tacit.get_with("/me", &jar.without_access()).await.status(), 200);
    let ended = tacit.home.database.number("SELECT count(*) AS value FROM sessions WHERE revoked_reason = 'evicted'");
    assert_eq!(usize::try_from(ended).unwrap(), SESSIONS + 1 - 99);
    let sent = json!({"username": "ada", "password": PASSWORD});
    assert!(eventually(async || tacit.post("/login").json(&sent).send().await.unwrap().status() == 200).await);
    drop(first);
    assert_well_again(&tacit, files).await;
}
