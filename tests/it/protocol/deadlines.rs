//! The EMIT deadline: an answer that goes out too late carries no cookies, and the client still holds the predecessor.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};

use super::{
    Answer, PROCESSES, Service, Slow, Untouched, counted, grant, pass_window, present, reason, replica, rotate,
    signed_in_on_with, signed_in_with,
};
use crate::app::{Home, Setup, Tacit};
use crate::database::TestDatabase;

/// A little more than the deadline of [`Setup::short_windows`].
const PAST_EMIT: Duration = Duration::from_millis(1100);

#[tokio::test]
async fn a_handler_slower_than_the_deadline_delivers_no_cookies_and_harms_nothing() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on_with(processes, || replica().short_windows()).await;
        let slow = Slow::begin(tacit.next(), &first, 1).await;
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "access-only"));
        tokio::time::sleep(PAST_EMIT).await;
        let answer = slow.finish().await;
        assert_eq!(answer.outcome(), (200, "rotated"));
        assert_eq!(answer.cookies(), (Untouched, Untouched));
        assert_eq!(counted(&tacit, "tacit_cookies_withheld_total{reason=\"late\"}").await, "1");

        assert_eq!(present(&tacit, &first).await.outcome(), (200, "access-only"));
        pass_window(&tacit.home);
        let reissued = present(&tacit, &first).await;
        assert_eq!(reissued.outcome(), (200, "reissued"));
        pass_window(&tacit.home);
        rotate(&tacit, &reissued.token()).await;
    }
}

#[tokio::test]
async fn a_slow_handler_within_the_deadline_delivers_its_cookies() {
    let (tacit, first) = signed_in_with(Setup::default().short_windows()).await;
    let slow = Slow::begin(&tacit, &first, 1).await;
    let answer = slow.finish().await;
    assert_eq!(answer.outcome(), (200, "rotated"));
    assert!(answer.access().is_set());
    assert_eq!(present(&tacit, &answer.token()).await.status, 200);
}

/// Holds every write to sessions back while `request` runs, for longer than the deadline.
async fn held_back(home: &Home, request: impl Future<Output = Answer>) -> Answer {
    match &home.database {
        TestDatabase::Sqlite(path) => {
            let mut holder = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("the database file");
            holder.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").expect("the write lock");
            released_late(holder, request).await
        }
        TestDatabase::Postgres { .. } => {
            let mut holder = PgConnection::establish(&home.database.url()).expect("the test's database");
            holder.batch_execute("BEGIN; UPDATE sessions SET label = label").expect("row locks");
            released_late(holder, request).await
        }
    }
}

async fn released_late(mut holder: impl SimpleConnection, request: impl Future<Output = Answer>) -> Answer {
    let release = async {
        tokio::time::sleep(PAST_EMIT + Duration::from_millis(200)).await;
        holder.batch_execute("ROLLBACK").expect("an end");
    };
    let (answer, ()) = tokio::join!(request, release);
    answer
}

fn patient() -> Setup {
    Setup::default().short_windows().set("database.acquire_timeout", "10s")
}

#[tokio::test]
async fn the_deadline_counts_from_sending_the_swap_so_a_swap_that_waits_delivers_no_cookies() {
    let (tacit, first) = signed_in_with(patient()).await;
    let answer = held_back(&tacit.home, present(&tacit, &first)).await;
    assert_eq!(answer.outcome(), (200, "rotated"));
    assert_eq!(answer.cookies(), (Untouched, Untouched));
    assert_eq!(present(&tacit, &first).await.outcome(), (200, "access-only"));
}

#[tokio::test]
async fn a_token_response_past_the_deadline_holds_no_refresh_token_and_the_client_keeps_its_own() {
    let (tacit, first) = signed_in_with(patient()).await;
    let answer = held_back(&tacit.home, grant(&tacit, &first)).await;
    assert_eq!((answer.status, answer.body["rotated"].as_bool()), (200, Some(false)));
    assert!(answer.body["access_token"].is_string());
    assert_eq!(answer.body.get("refresh_token"), None);
    pass_window(&tacit.home);
    assert_eq!(present(&tacit, &first).await.outcome(), (200, "reissued"));
}

#[tokio::test]
async fn a_refusal_past_the_deadline_clears_no_cookies() {
    let (tacit, first) = signed_in_with(patient()).await;
    let second = rotate(&tacit, &first).await;
    pass_window(&tacit.home);
    rotate(&tacit, &second).await;
    let answer = held_back(&tacit.home, present(&tacit, &first)).await;
    assert_eq!(answer.outcome(), (401, "token_reuse"));
    assert_eq!(answer.cookies(), (Untouched, Untouched));
    assert_eq!(reason(&tacit.home).as_deref(), Some("reuse"));
}

async fn slow_while_signed_out(refreshing: &Tacit, other: &Tacit, first: &str) -> Answer {
    let slow = Slow::begin(refreshing, first, 1).await;
    let cookie = super::refresh_cookie(first);
    assert_eq!(other.post("/logout").header("cookie", cookie).send().await.unwrap().status(), 200);
    slow.finish().await
}

#[tokio::test]
async fn a_slow_answer_does_not_resurrect_a_session_that_signed_out_meanwhile() {
    let (tacit, first) = signed_in_with(Setup::default().short_windows()).await;
    let answer = slow_while_signed_out(&tacit, &tacit, &first).await;
    assert_eq!(answer.cookies(), (Untouched, Untouched));
    assert_eq!(counted(&tacit, "tacit_cookies_withheld_total{reason=\"revoked\"}").await, "1");
    assert_eq!(present(&tacit, &first).await.outcome(), (401, "session_revoked"));
}

#[tokio::test]
async fn a_slow_answer_of_another_replica_does_not_resurrect_it_either() {
    let home = Home::new();
    let (one, other) = (replica().start_in(home.clone()).await, replica().start_in(home.clone()).await);
    let first = one.new_session("ada").await.refresh().to_owned();
    let slow = Slow::begin(&one, &first, 1).await;
    tokio::time::sleep(PAST_EMIT).await;
    let cookie = super::refresh_cookie(&first);
    assert_eq!(other.post("/logout").header("cookie", cookie).send().await.unwrap().status(), 200);
    let answer = slow.finish().await;
    assert_eq!(answer.cookies(), (Untouched, Untouched));
    assert_eq!(reason(&home).as_deref(), Some("logout"));
}
