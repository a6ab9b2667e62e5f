//! The embedded database's file: one that may not grow, and two processes on one file.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::json;

use super::witness::{Told, Witness, assert_none_lost};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, problem};
use crate::database;
use crate::jar::{Jar, set_cookies};

/// The largest file, in kilobytes, that the process may write: room for the schema and a few users.
const FULL_AT: u32 = 256;

pub async fn post(tacit: &Tacit, path: &str, username: &str) -> Response {
    let sent = json!({"username": username, "password": PASSWORD});
    tacit.post(path).json(&sent).send().await.expect("the process lives")
}

/// Registers, signs in and refreshes until the disk is full.
pub async fn fill(tacit: &Tacit) -> Vec<Witness> {
    let told = Told::default();
    let witnesses = Witness::press_on_until_cut_off(tacit, "user", &told).await;
    println!("full after {told:?}");
    assert!(told.has_all());
    witnesses
}

#[tokio::test]
async fn a_full_disk_is_503_and_loses_nothing_that_was_answered() {
    if database::is_postgres() {
        return; // The disk is then PostgreSQL's.
    }
    let home = Home::new();
    let setup = || Setup::default().short_windows().set("sessions.max_per_user", "1000");
    let tacit = setup().shell(&format!("ulimit -f {FULL_AT}")).start_in(Arc::clone(&home)).await;
    let witnesses = fill(&tacit).await;

    let jar = witnesses[0].jar.as_ref().unwrap();
    // A rotation is a small write: it may still fit a few times, each as if the window of the last had passed.
    let full = async || {
        home.database.age("sessions", "rotated_at", 60);
        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        answer.status() == 503
    };
    assert!(eventually(full).await);
    // Once more, and for ever: every write is refused, everything else goes on.
    for _ in 0..5 {
        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        assert_eq!((answer.status().as_u16(), set_cookies(&answer)), (503, vec![]));
        assert_eq!(post(&tacit, "/register", "one-more").await.status(), 503);
        let answer = post(&tacit, "/login", "user-0").await;
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(set_cookies(&answer), Vec::<String>::new());
        assert_eq!(problem(answer).await.0, 503);
        for path in ["/protected", "/verify"] {
            assert_eq!(tacit.get_with(path, jar).await.status(), 200);
        }
        assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    }
    drop(tacit);

    let tacit = setup().start_in(Arc::clone(&home)).await;
    assert_none_lost(&tacit, &witnesses).await;
}

#[tokio::test]
async fn two_processes_on_one_file_serve_a_crowd_and_never_find_it_locked() {
    if database::is_postgres() {
        return; // There is no file; replicas on PostgreSQL are tested with the protocol.
    }
    let home = Home::new();
    let setup =
        || Setup::default().short_windows().set("sessions.grace", "400ms").set("sessions.emit_deadline", "100ms");
    let first = setup().start_in(Arc::clone(&home)).await;
    let second = setup().start_in(Arc::clone(&home)).await;
    let both = [&first, &second];
    join_all((0..12).map(|number| async move {
        let username = format!("user-{number}");
        let one = |step: usize| both[(number + step) % 2];
        assert_eq!(post(one(0), "/register", &username).await.status(), 201);
        let mut jar = Jar::default();
        jar.apply(&post(one(1), "/login", &username).await);
        for step in 0..30 {
            let answer = one(step).get_with("/protected", &jar.without_access()).await;
            assert_eq!(answer.status(), 200, "{username}, step {step}");
            jar.apply(&answer);
        }
    }))
    .await;
    for tacit in both {
        assert!(!tacit.log().contains("locked"), "{}", tacit.log());
    }
}
