//! kill -9 at any moment, and clients that go away: what was answered with success exists afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use reqwest::Client;
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::address;
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, refreshed};
use crate::database::TestDatabase;
use crate::jar::Jar;

/// Rounds of load, kill and restart.
const KILLS: u32 = 10;

/// Clients under load in one round.
const CLIENTS: u32 = 6;

/// A user and what a client of his holds: a jar as the last answer it received left it.
struct Witness {
    username: String,
    jar: Option<Jar>,
}

/// Registers, signs in and refreshes until the service is gone; what was answered is kept.
async fn press_on(http: &Client, url: &str, username: String, answered: &AtomicU32) -> Option<Witness> {
    let sent = json!({"username": username, "password": PASSWORD});
    let registered = http.post(format!("{url}/register")).json(&sent).send().await.ok()?;
    assert_eq!(registered.status(), 201);
    answered.fetch_add(1, Ordering::Relaxed);
    let mut witness = Witness { username, jar: None };
    let Ok(answer) = http.post(format!("{url}/login")).json(&sent).send().await else { return Some(witness) };
    assert_eq!(answer.status(), 200);
    let mut jar = Jar::default();
    jar.apply(&answer);
    witness.jar = Some(jar.clone());
    // Bounded by the kill, which comes within a second.
    loop {
        let cookies = jar.without_access().header();
        let Ok(answer) = http.get(format!("{url}/protected")).header("cookie", cookies).send().await else { break };
        assert_eq!(answer.status(), 200);
        answered.fetch_add(1, Ordering::Relaxed);
        jar.apply(&answer);
        witness.jar = Some(jar.clone());
    }
    Some(witness)
}

/// Everything that a witness was told holds.
async fn assert_kept(tacit: &Tacit, witness: &Witness) {
    let Some(jar) = &witness.jar else {
        // Who was registered can sign in.
        tacit.log_in(&witness.username).await;
        return;
    };
    let answer = tacit.get_with("/protected", &jar.without_access()).await;
    assert_eq!(answer.status(), 200, "{}: {:?}", witness.username, refreshed(&answer));
}

#[tokio::test]
async fn whatever_was_answered_with_success_exists_after_kill_9() {
    let home = Home::new();
    // A window so short that every client rotates many times, and with the kill at its old end.
    let setup =
        || Setup::default().short_windows().set("sessions.grace", "400ms").set("sessions.emit_deadline", "100ms");
    let answered = AtomicU32::new(0);
    let mut witnesses: Vec<Witness> = Vec::new();
    let mut tacit = setup().start_in(Arc::clone(&home)).await;
    for round in 0..KILLS {
        let url = tacit.url.clone();
        let http = tacit.http.clone();
        let clients =
            join_all((0..CLIENTS).map(|number| press_on(&http, &url, format!("user-{round}-{number}"), &answered)));
        // Sooner and later: while they register, while they sign in, while they refresh.
        let killing = async {
            let enough = answered.load(Ordering::Relaxed) + round * 7 % 40;
            let deadline = Instant::now() + Duration::from_secs(1);
            while answered.load(Ordering::Relaxed) < enough && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            tacit.kill();
        };
        let (told, ()) = tokio::join!(clients, killing);
        witnesses.extend(told.into_iter().flatten());
        tacit = setup().start_in(Arc::clone(&home)).await;
        join_all(witnesses.iter().rev().take(20).map(|witness| assert_kept(&tacit, witness))).await;
    }
    join_all(witnesses.iter().map(|witness| assert_kept(&tacit, witness))).await;
    let registered = home.database.number("SELECT COUNT(*) AS value FROM users");
    assert!(registered >= i64::try_from(witnesses.len()).unwrap());
    println!("{KILLS} kills, {} answers with success, none lost", answered.into_inner());
}

#[tokio::test]
async fn after_a_kill_between_commit_and_response_the_old_token_works() {
    for wait_past_the_window in [false, true] {
        let mut tacit = Setup::default().short_windows().start().await;
        let old = tacit.new_session("ada").await.without_access();
        // The answer is never read: the commit is seen in the database, and then the process is gone.
        send_and_hang_up(&tacit, &old).await;
        let committed = async || tacit.home.database.number("SELECT generation AS value FROM sessions") == 1;
        assert!(eventually(committed).await);
        tacit.kill();

        if wait_past_the_window {
            tacit.home.database.age("sessions", "rotated_at", 60);
        }
        let tacit = Setup::default().short_windows().start_in(Arc::clone(&tacit.home)).await;
        let answer = tacit.get_with("/protected", &old).await;
        let expected = if wait_past_the_window { "reissued" } else { "access-only" };
        assert_eq!((answer.status().as_u16(), refreshed(&answer)), (200, Some(expected)));
    }
}

/// Sends a request for a refresh and closes the connection without waiting for the answer.
async fn send_and_hang_up(tacit: &Tacit, jar: &Jar) {
    let address = address(tacit);
    let mut stream = TcpStream::connect(&address).await.expect("a connection");
    let request = format!("GET /protected HTTP/1.1\r\nHost: {address}\r\nCookie: {}\r\n\r\n", jar.header());
    stream.write_all(request.as_bytes()).await.expect("a request");
    // Another connection's request shows that the service goes on meanwhile.
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_client_that_hangs_up_in_the_middle_of_a_refresh_leaves_a_whole_session() {
    let tacit = Setup::default().short_windows().start().await;
    let database = &tacit.home.database;
    let mut jar = tacit.new_session("ada").await;
    for round in 1..=10 {
        let before = database.number("SELECT generation AS value FROM sessions");
        let writers = hold_writers(&tacit.home);
        send_and_hang_up(&tacit, &jar.without_access()).await;
        drop(writers);
        let rotated = async || database.number("SELECT generation AS value FROM sessions") == before + 1;
        assert!(eventually(rotated).await, "round {round}: what was begun is brought to its end");

        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        assert_eq!((answer.status().as_u16(), refreshed(&answer)), (200, Some("access-only")), "round {round}");
        database.age("sessions", "rotated_at", 60);
        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        assert_eq!((answer.status().as_u16(), refreshed(&answer)), (200, Some("reissued")), "round {round}");
        jar.apply(&answer);
        database.age("sessions", "rotated_at", 60);
    }
}

/// Makes every write to a session wait until the value is dropped; it can be read meanwhile.
fn hold_writers(home: &Home) -> Box<dyn std::any::Any> {
    match &home.database {
        TestDatabase::Sqlite(path) => {
            let mut connection = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("the database");
            connection.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").expect("a lock");
            Box::new(connection)
        }
        TestDatabase::Postgres { .. } => {
            let mut connection = PgConnection::establish(&home.database.url()).expect("the database");
            connection.batch_execute("BEGIN; LOCK TABLE sessions IN EXCLUSIVE MODE").expect("a lock");
            Box::new(connection)
        }
    }
}

#[tokio::test]
async fn a_restart_under_load_refuses_nobody_who_is_signed_in() {
    let home = Home::new();
    let mut tacit = Setup::default().short_windows().start_in(Arc::clone(&home)).await;
    let jar = tacit.new_session("ada").await;
    let stop = AtomicBool::new(false);
    let url = std::sync::Mutex::new(tacit.url.clone());
    let http = tacit.http.clone();
    let started = Instant::now();
    let asking = async {
        let mut asked = 0;
        while !stop.load(Ordering::Relaxed) && started.elapsed() < Duration::from_secs(20) {
            let address = url.lock().unwrap().clone();
            let cookies = jar.without_access().header();
            if let Ok(answer) = http.get(format!("{address}/protected")).header("cookie", cookies).send().await {
                assert!([200, 503].contains(&answer.status().as_u16()), "{answer:?}");
                asked += 1;
            }
            tokio::task::yield_now().await;
        }
        asked
    };
    let restarting = async {
        for _ in 0..3 {
            tacit.terminate();
            tokio::task::yield_now().await;
            tacit.kill();
            tacit = Setup::default().short_windows().start_in(Arc::clone(&home)).await;
            url.lock().unwrap().clone_from(&tacit.url);
            assert!(eventually(async || tacit.get_with("/verify", &jar).await.status() == 200).await);
        }
        stop.store(true, Ordering::Relaxed);
    };
    let (asked, ()) = tokio::join!(asking, restarting);
    assert!(asked > 0);
}
