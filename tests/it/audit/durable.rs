//! What the trail never loses, and what it may.

use reqwest::Method;
use serde_json::json;

use super::{NEW_PASSWORD, guess, log_in, names, once_written, trail};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, run};

#[tokio::test]
async fn what_cannot_be_recorded_is_not_done() {
    let tacit = Tacit::start().await;
    let home = &tacit.home;
    let jar = tacit.new_session("ada").await;
    let before = trail(home, &["--user", "ada"]);
    home.database.execute("ALTER TABLE audit_events RENAME TO away");
    let with = |method: Method, path: &str| tacit.request(method, path).header("cookie", jar.header());
    let body = json!({"username": "eve", "password": PASSWORD});
    let password = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    for (what, request) in [
        ("register", tacit.post("/register").json(&body)),
        ("log in", tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD}))),
        ("rename", with(Method::PATCH, "/me").json(&json!({"username": "eva", "current_password": PASSWORD}))),
        ("change the password", with(Method::POST, "/me/password").json(&password)),
        ("log out", with(Method::POST, "/logout")),
        ("log out everywhere", with(Method::POST, "/logout/all")),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 503, "{what}");
    }
    for command in [&["user", "disable", "ada"][..], &["user", "delete", "ada"], &["client", "create", "x"]] {
        assert_eq!(run(home, command, "").status.code(), Some(1), "{command:?}");
    }
    assert_eq!(tacit.get_with("/protected", &jar.without_access()).await.status(), 200, "a refresh records nothing");
    assert_eq!(log_in(&tacit, "ada", "wrong").await.status(), 401, "a refusal waits for nothing");
    home.database.execute("ALTER TABLE away RENAME TO audit_events");

    let failed = once_written(home, "sign_in", 2).await;
    assert_eq!((&failed[1]["outcome"], failed.len()), (&json!("failure"), 2), "what was kept is written later");
    assert_eq!(trail(home, &["--user", "ada"]).len(), before.len() + 1);
    assert_eq!(home.database.number("SELECT count(*) AS value FROM users"), 1);
    assert_eq!(home.database.number("SELECT count(*) AS value FROM sessions WHERE revoked_at IS NULL"), 1);
    assert_eq!(tacit.get_with("/me", &jar.without_access()).await.status(), 200);
    tacit.log_in("ada").await;
}

#[tokio::test]
async fn what_was_answered_with_success_is_in_the_trail_after_kill_9() {
    let home = Home::new();
    let mut tacit = Setup::default().start_in(home.clone()).await;
    let jar = tacit.new_session("ada").await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let answer = tacit.post("/me/password").header("cookie", jar.header()).json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    tacit.kill();
    let expected = ["user_registered", "sign_in", "session_ended", "password_changed"];
    assert_eq!(names(&trail(&home, &["--user", "ada"])), expected);
}

#[tokio::test]
async fn a_theft_is_in_the_trail_with_the_session_that_it_ended() {
    let tacit = Setup::default().set("sessions.on_theft", "user").start().await;
    let first = tacit.new_session("ada").await.without_access();
    tacit.log_in("ada").await;
    let mut jar = first.clone();
    for _ in 0..2 {
        jar.apply(&tacit.get_with("/protected", &jar.without_access()).await);
        tacit.home.database.age("sessions", "rotated_at", 200);
    }
    for _ in 0..3 {
        assert_eq!(tacit.get_with("/protected", &first).await.status(), 401);
    }
    let rows = trail(&tacit.home, &["--user", "ada"]);
    assert_eq!(names(&rows)[3..], ["refresh_token_reuse", "session_ended"], "one theft, and the user's other session");
    assert_eq!((&rows[3]["outcome"], &rows[3]["session"]), (&json!("refused"), &rows[1]["session"]));
    assert_eq!(rows[3]["details"], json!({"generation": "2", "presented_generation": "0"}));
    assert_eq!((&rows[4]["reason"], &rows[4]["session"]), (&json!("reuse"), &rows[2]["session"]));
}

#[tokio::test]
async fn a_stopping_service_writes_what_it_has_counted() {
    let home = Home::new();
    let mut tacit = Setup::default().start_in(home.clone()).await;
    guess(&tacit, "ghost").await;
    tacit.terminate();
    assert!(tacit.wait().success());
    assert_eq!(trail(&home, &["--user", "ghost"]).len(), 1);
}

#[tokio::test]
async fn replicas_count_together() {
    let home = Home::new();
    let secret = |setup: Setup| setup.set("sessions.secret", "Wn5sB2yH8kQ1vX7dF0tL4zC9mG3jR6pE");
    let first = secret(Setup::default()).start_in(home.clone()).await;
    let second = secret(Setup::default()).start_in(home.clone()).await;
    for _ in 0..5 {
        guess(&first, "ghost").await;
        guess(&second, "ghost").await;
    }
    let rows = once_written(&home, "sign_in", 10).await;
    // A window may end in between.
    assert!(rows.len() <= 2, "{rows:?}");
}

#[tokio::test]
async fn two_who_register_one_name_at_once_are_told_so() {
    let tacit = Tacit::start().await;
    for round in 0..5 {
        let name = format!("user-{round}");
        let register = async |email: &str| {
            let body = json!({"username": name, "email": email, "password": PASSWORD});
            let answer = tacit.post("/register").json(&body).send().await.unwrap();
            (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap()["code"].clone())
        };
        let (one, two) = (format!("a{round}@example.com"), format!("b{round}@example.com"));
        let mut both = [tokio::join!(register(&one), register(&two))].map(|(a, b)| [a, b]).concat();
        both.sort_by_key(|(status, _)| *status);
        assert_eq!((both[0].0, &both[1]), (201, &(409, json!("username_taken"))), "round {round}");
    }
    assert_eq!(
        trail(&tacit.home, &["--event", "user_registered"]).iter().filter(|row| row["outcome"] == "success").count(),
        5
    );
    assert!(eventually(async || trail(&tacit.home, &["--event", "user_registered"]).len() == 6).await);
}
