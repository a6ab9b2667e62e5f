//! The audit trail: what an operator finds in it, what it costs an attacker to fill it, and what it never loses.

mod durable;
mod events;
mod flood;

use reqwest::Response;
use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Setup, Tacit, eventually};
use crate::command_line::{done, fails, json as parsed};
use crate::jar::ACCESS;
use crate::shapes::{assert_time, members, part};

const NEW_PASSWORD: &str = "quite another staple of horses";

/// What `tacit audit --json` shows.
fn trail(home: &Home, arguments: &[&str]) -> Vec<Value> {
    let printed = done(home, &[&["audit", "--json"], arguments].concat(), "");
    parsed(&printed).as_array().expect("a list").clone()
}

/// The names of these events.
fn names(rows: &[Value]) -> Vec<&str> {
    rows.iter().map(|row| row["event"].as_str().expect("a name")).collect()
}

async fn log_in(tacit: &Tacit, name: &str, password: &str) -> Response {
    tacit.post("/login").json(&json!({"username": name, "password": password})).send().await.unwrap()
}

/// A wrong password.
async fn guess(tacit: &Tacit, name: &str) {
    assert_eq!(log_in(tacit, name, "wrong").await.status(), 401);
}

/// The trail, once so many events of a kind were written, those that were counted together included.
async fn once_written(home: &Home, event: &str, times: i64) -> Vec<Value> {
    let count = || -> i64 { trail(home, &["--event", event]).iter().map(|row| row["times"].as_i64().unwrap()).sum() };
    assert!(eventually(async || count() >= times).await, "{event}: {:?}", trail(home, &[]));
    assert_eq!(count(), times, "{event}");
    trail(home, &["--event", event])
}

#[tokio::test]
async fn an_operator_sees_what_happened_to_an_account_the_newest_last() {
    let tacit = Tacit::start().await;
    let home = &tacit.home;
    let id = tacit.register("ada").await["user"]["id"].as_str().unwrap().to_owned();
    tacit.register("bob").await;
    let jar = tacit.log_in("ada").await;
    let session = part(jar.get(ACCESS).unwrap(), 1)["sid"].clone();
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = tacit.post("/me/password").header("cookie", jar.header()).header("x-request-id", "changes-it");
    assert_eq!(request.json(&change).send().await.unwrap().status(), 200);
    done(home, &["user", "disable", "ada"], "");

    let rows = trail(home, &["--user", "ada"]);
    let expected =
        ["user_registered", "sign_in", "session_ended", "password_changed", "user_disabled", "session_ended"];
    assert_eq!(names(&rows), expected);
    let known = [
        "account",
        "actor",
        "address",
        "client",
        "details",
        "event",
        "last_time",
        "outcome",
        "reason",
        "request_id",
        "session",
        "subject",
        "time",
        "times",
    ];
    for row in &rows {
        assert_eq!(members(row), known);
        assert_eq!((&row["subject"], &row["outcome"], &row["times"]), (&json!(id), &json!("success"), &json!(1)));
    }
    let times: Vec<_> = rows.iter().map(|row| assert_time(&row["time"])).collect();
    assert!(times.is_sorted(), "{times:?}");
    assert_eq!(rows[1]["session"], session);
    assert_eq!((&rows[2]["session"], &rows[2]["reason"]), (&session, &json!("superseded")));
    assert_eq!((&rows[3]["request_id"], &rows[3]["address"]), (&json!("changes-it"), &json!("127.0.0.1")));
    assert_eq!((&rows[4]["address"], &rows[5]["reason"]), (&Value::Null, &json!("disabled")));
    assert!(rows[4]["actor"].as_str().unwrap().starts_with("operator:"), "{}", rows[4]);
    assert!(rows[4]["request_id"].as_str().unwrap().starts_with("command-"), "{}", rows[4]);
    assert_eq!(rows[4]["request_id"], rows[5]["request_id"], "one command");

    for name in ["ADA", &id] {
        assert_eq!(trail(home, &["--user", name]), rows, "{name}");
    }
    assert_eq!(trail(home, &["--user", "ada", "--event", "sign_in"]), rows[1..2]);
    assert_eq!(trail(home, &["--user", "ada", "--limit", "2"]), rows[4..]);
    assert_eq!(trail(home, &["--user", "ada", "--since", "24h"]), rows);
    assert_eq!(trail(home, &["--user", "ada", "--since", rows[3]["time"].as_str().unwrap()]), rows[3..]);
    assert_eq!(trail(home, &["--since", "2100-01-01"]), Vec::<Value>::new());
    let text = done(home, &["audit", "--user", "ada"], "");
    assert_eq!(text.lines().count(), rows.len());
    for (line, row) in text.lines().zip(&rows) {
        for member in ["time", "event", "outcome", "subject", "request_id"] {
            assert!(line.contains(row[member].as_str().unwrap()), "{member} in {line}");
        }
    }
    done(home, &["user", "delete", "ada"], "");
    assert_eq!(names(&trail(home, &["--user", &id])).last(), Some(&"user_deleted"), "an id is never reused");
}

#[tokio::test]
async fn wrong_usage_is_told() {
    let home = Home::new();
    for arguments in [["--event", "nonsense"], ["--since", "yesterday"], ["--limit", "0"], ["--limit", "many"]] {
        fails(&home, &["audit", arguments[0], arguments[1]], "", 2);
    }
    assert_eq!(trail(&home, &["--user", "nobody"]), Vec::<Value>::new());
    assert_eq!(trail(&home, &["--user", "no\u{1}body @"]), Vec::<Value>::new());
}

#[tokio::test]
async fn attempts_on_a_name_are_found_by_the_name_and_hold_a_hash_of_it() {
    let tacit = Tacit::start().await;
    let id = tacit.register("ada").await["user"]["id"].clone();
    for name in ["ghost", "GHOST", "ada", "ghost"] {
        guess(&tacit, name).await;
    }
    once_written(&tacit.home, "sign_in", 4).await;
    let ghost = trail(&tacit.home, &["--user", "Ghost"]);
    assert_eq!(ghost.len(), 1, "{ghost:?}");
    assert_eq!((&ghost[0]["outcome"], &ghost[0]["reason"]), (&json!("failure"), &json!("invalid_credentials")));
    assert_eq!((&ghost[0]["times"], &ghost[0]["subject"]), (&json!(3), &Value::Null));
    assert!(!ghost[0].to_string().to_lowercase().contains("ghost"));
    let ada = trail(&tacit.home, &["--user", "ada", "--event", "sign_in"]);
    assert_eq!((ada.len(), &ada[0]["times"], &ada[0]["subject"]), (1, &json!(1), &id));
    // Who takes the name later is told of them.
    tacit.register("ghost").await;
    assert_eq!(names(&trail(&tacit.home, &["--user", "ghost"])), ["sign_in", "user_registered"]);
}

#[tokio::test]
async fn attempts_are_found_after_the_refresh_secret_was_replaced() {
    const OLD: &str = "Wn5sB2yH8kQ1vX7dF0tL4zC9mG3jR6pE";
    const NEW: &str = "mQ3vT8wL1xZ0pKd9eRy7Uc2Hb6Nf4Jg5";
    let old = format!("sessions.secret={OLD}");
    let home = Home::new();
    let mut tacit = Setup::default().set("sessions.secret", OLD).start_in(home.clone()).await;
    guess(&tacit, "ghost").await;
    tacit.terminate();
    assert!(tacit.wait().success());
    let new = format!("sessions.secret={NEW}");
    let previous = format!("sessions.previous_secrets={OLD}");
    for (settings, found) in [(vec![&old], 1), (vec![&new, &previous], 1), (vec![&new], 0)] {
        let set = settings.iter().flat_map(|setting| ["--set", setting.as_str()]);
        let arguments: Vec<&str> = set.chain(["audit", "--json", "--user", "ghost"]).collect();
        let rows = parsed(&done(&home, &arguments, ""));
        assert_eq!(rows.as_array().unwrap().len(), found, "{arguments:?}");
    }
}

#[tokio::test]
async fn ending_many_sessions_is_one_event_with_their_number() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    for _ in 0..3 {
        tacit.log_in("ada").await;
    }
    let answer = tacit.post_with("/logout/others", &jar).await;
    assert_eq!(answer.json::<Value>().await.unwrap()["sessions_ended"], 3);
    tacit.post_with("/logout/all", &jar).await;
    let rows = trail(&tacit.home, &["--event", "session_ended"]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert_eq!((&rows[0]["session"], &rows[0]["details"]), (&Value::Null, &json!({"sessions": "3"})));
    assert_eq!(rows[1]["session"], part(jar.get(ACCESS).unwrap(), 1)["sid"]);
}

#[tokio::test]
async fn refreshes_write_nothing_into_the_trail() {
    let tacit = Tacit::start().await;
    let mut jar = tacit.new_session("ada").await;
    let token = tacit.token("ada").await;
    once_written(&tacit.home, "key_use", 1).await;
    let before = trail(&tacit.home, &[]);
    for _ in 0..3 {
        jar.apply(&tacit.get_with("/protected", &jar.without_access()).await);
        tacit.home.database.age("sessions", "rotated_at", 200);
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", token["refresh_token"].as_str().unwrap())];
    assert_eq!(tacit.post("/token").form(&form).send().await.unwrap().status(), 200);
    guess(&tacit, "ada").await;
    once_written(&tacit.home, "sign_in", 3).await;
    assert_eq!(trail(&tacit.home, &[]).len(), before.len() + 1, "the guess alone");
}

#[tokio::test]
async fn the_purge_deletes_what_is_older_than_the_retention() {
    let tacit = Tacit::start().await;
    let home = &tacit.home;
    tacit.register("ada").await;
    let many: Vec<String> = (0..1200).map(|_| "(1)".to_owned()).collect();
    home.database.execute(&format!(
        "INSERT INTO audit_events (at, event, outcome) SELECT at, event, outcome FROM audit_events \
         CROSS JOIN (VALUES {}) AS many",
        many.join(", ")
    ));
    home.database.age("audit_events", "at", 91 * 86_400);
    tacit.register("bob").await;
    let count = "SELECT count(*) AS value FROM audit_events";
    assert!(home.database.number(count) > 1200);
    done(home, &["--set", "audit.retention=92d", "purge"], "");
    assert!(home.database.number(count) > 1200, "the retention is the configured one");
    done(home, &["purge"], "");
    assert_eq!(names(&trail(home, &["--event", "user_registered"])).len(), 1);
    for refused in ["0s", "59m", "4000d", "for ever"] {
        fails(home, &["--set", &format!("audit.retention={refused}"), "config", "check"], "", 2);
    }
}
