//! kill -9 at any moment, and clients that go away: what was answered with success exists afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::future::join_all;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::address;
use super::witness::{Told, Witness, assert_none_lost};
use crate::app::{Home, Setup, Tacit, eventually, refreshed};
use crate::database::TestDatabase;
use crate::jar::Jar;

/// Rounds of load, kill and restart.
const KILLS: usize = 200;

/// How long all of them may take; they need about a minute.
const AT_MOST: Duration = Duration::from_secs(600);

/// Clients under load in one round.
const CLIENTS: usize = 6;

/// More refreshes than a client gets done in the second until the kill.
const REFRESHES: u32 = 10_000;

#[tokio::test]
async fn whatever_was_answered_with_success_exists_after_kill_9() {
    let home = Home::new();
    // A window that has passed when a client comes again: every refresh rotates.
    let setup = || Setup::default().set("sessions.grace", "1ms").set("sessions.emit_deadline", "2s");
    let (told, mut witnesses) = (Told::default(), Vec::<Witness>::new());
    let mut tacit = setup().start_in(Arc::clone(&home)).await;
    let (began, mut kills) = (Instant::now(), 0);
    while kills < KILLS && began.elapsed() < AT_MOST {
        let service = (tacit.http.clone(), tacit.url.clone());
        let clients = join_all((0..CLIENTS).map(|number| {
            Witness::press_on((&service.0, &service.1), format!("user-{kills}-{number}"), REFRESHES, &told)
        }));
        // Sooner and later: while they register, while they sign in, while they refresh.
        let killing = async {
            let enough = told.sum() + u32::try_from(kills * 7 % 60).unwrap();
            let deadline = Instant::now() + Duration::from_secs(1);
            while told.sum() < enough && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            tacit.kill();
        };
        let (pressed, ()) = tokio::join!(clients, killing);
        let before = witnesses.len();
        witnesses.extend(pressed.into_iter().flatten());
        kills += 1;
        tacit = setup().start_in(Arc::clone(&home)).await;
        assert_none_lost(&tacit, &witnesses[before..]).await;
    }
    // What was lost later, too.
    assert_none_lost(&tacit, &witnesses).await;
    println!("{kills} kills in {:.0?}, {told:?}, none lost", began.elapsed());
    assert!(kills >= KILLS, "only {kills} kills in {AT_MOST:?}");
    assert!(told.has_all(), "{told:?}");
    let registered = home.database.number("SELECT COUNT(*) AS value FROM users");
    assert!(registered >= i64::from(told.registrations.into_inner()));
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
