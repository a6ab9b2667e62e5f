//! The model's statements are those of production: both are run on every kind of row, and must leave the same behind.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use tacit::config::{DatabaseConfig, DatabaseUrl};
use tacit::models::session::{self, Device, RevokedReason};
use tacit::models::{AnyConnection, Database};
use tacit::types::{Clock, SessionId};

use super::row::{Reason, Row, Rules, branch_bytes};
use crate::database::TestDatabase;

const GENERATION: u8 = 3;
const BRANCH: u8 = 7;

#[derive(Clone, Copy, Debug)]
enum Statement {
    Rotate { seen: u8 },
    Reissue { seen: u8 },
    Confirm { seen: u8 },
    FastForward { seen: u8, to: u8 },
    Revoke,
}

impl Statement {
    fn all() -> Vec<Self> {
        let mut all = vec![Self::Revoke];
        for seen in GENERATION - 1..=GENERATION + 1 {
            all.extend([Self::Rotate { seen }, Self::Reissue { seen }, Self::Confirm { seen }]);
            all.extend([Self::FastForward { seen, to: seen + 1 }, Self::FastForward { seen, to: seen + 5 }]);
        }
        all
    }

    fn on_the_model(self, row: &mut Row) -> bool {
        let rules = Rules::OURS;
        match self {
            Self::Rotate { seen } => row.rotate(rules, seen, BRANCH, 0),
            Self::Reissue { seen } => row.reissue(rules, seen, 0),
            Self::Confirm { seen } => row.confirm(rules, seen),
            Self::FastForward { seen, to } => row.fast_forward(rules, seen, to, 0),
            Self::Revoke => row.revoke(rules, Reason::Reuse),
        }
    }

    fn on_the_database(self, connection: &mut AnyConnection, id: SessionId) -> bool {
        let changed = match self {
            Self::Rotate { seen } => {
                session::rotate(connection, id, i64::from(seen), &branch_bytes(BRANCH), &Device::default())
            }
            Self::Reissue { seen } => session::reissue(connection, id, i64::from(seen)),
            Self::Confirm { seen } => session::confirm(connection, id, i64::from(seen)),
            Self::FastForward { seen, to } => session::fast_forward(connection, id, i64::from(seen), i64::from(to)),
            Self::Revoke => session::revoke(connection, id, RevokedReason::Reuse),
        };
        changed.expect("the statement") == 1
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for phase in 0..=2 {
        for previous_branch in [None, Some(1)] {
            for age in [None, Some(120)] {
                for revoked in [None, Some(Reason::Logout)] {
                    rows.push(Row { generation: GENERATION, previous_branch, phase, age, revoked });
                }
            }
        }
    }
    rows
}

fn open(database: &TestDatabase) -> Database {
    let url = database.url();
    let url = url
        .strip_prefix("sqlite://")
        .map_or(DatabaseUrl::Postgres(url.clone()), |path| DatabaseUrl::Sqlite(path.into()));
    let config = DatabaseConfig { url, pool_size: 1, acquire_timeout: Duration::from_secs(10) };
    Database::open(&config, &Clock::default()).expect("the database")
}

/// Two minutes are as good as any age: what counts is whether a statement stamps the row.
const LONG_AGO: &str = "'2026-01-01 00:00:00'";

fn insert(database: &TestDatabase, id: SessionId, row: &Row) {
    let blob = |bytes: [u8; 8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        if crate::database::is_postgres() { format!("'\\x{hex}'") } else { format!("x'{hex}'") }
    };
    let previous = row.previous_branch.map_or_else(|| "NULL".to_owned(), |branch| blob(branch_bytes(branch)));
    let rotated_at = if row.age.is_some() { LONG_AGO } else { "NULL" };
    let (revoked_at, reason) = if row.revoked.is_some() { (LONG_AGO, "'logout'") } else { ("NULL", "NULL") };
    database.execute(&format!(
        "INSERT INTO sessions (id, generation, previous_branch, phase, rotated_at, secret_hash, created_at, \
         authenticated_at, expires_at, idle_timeout, revoked_at, revoked_reason) VALUES ('{id}', {}, {previous}, {}, \
         {rotated_at}, {}, {LONG_AGO}, {LONG_AGO}, '2099-01-01 00:00:00', 1000000, {revoked_at}, {reason})",
        row.generation,
        row.phase,
        blob([0; 8]),
    ));
}

/// The row as the model would hold it: whatever was stamped just now has age 0.
fn read(connection: &mut AnyConnection, id: SessionId) -> Row {
    let (session, _, now) = session::find_now(connection, id).expect("a read").expect("the session");
    Row {
        generation: u8::try_from(session.generation).unwrap(),
        previous_branch: session.previous_branch.as_deref().map(|bytes| bytes[0]),
        phase: u8::try_from(session.phase).unwrap(),
        age: session.rotated_at.map(|at| if now.micros_since(at) < 60_000_000 { 0 } else { 120 }),
        revoked: session.revocation().map(|reason| match reason {
            RevokedReason::Reuse => Reason::Reuse,
            _ => Reason::Logout,
        }),
    }
}

#[test]
fn every_statement_of_the_model_does_what_the_database_does() {
    let directory = tempfile::tempdir().expect("a directory");
    let database = TestDatabase::create(directory.path());
    let opened = open(&database);
    let mut connection = opened.connection().expect("a connection");
    for statement in Statement::all() {
        for before in rows() {
            let id = SessionId::random();
            insert(&database, id, &before);
            let mut expected = before;
            let hit = statement.on_the_model(&mut expected);
            assert_eq!(statement.on_the_database(&mut connection, id), hit, "{statement:?} on {before:?}");
            assert_eq!(read(&mut connection, id), expected, "{statement:?} on {before:?}");
        }
    }
}

/// The model's `StampsNeverGoBack`. The embedded database has one writer at a time, who reads the clock when it is his turn.
#[test]
fn a_reissue_that_waited_for_the_row_does_not_set_rotated_at_back() {
    if !crate::database::is_postgres() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let database = TestDatabase::create(directory.path());
    let id = SessionId::random();
    insert(&database, id, &Row { previous_branch: Some(1), ..Row::signed_in(GENERATION) });

    let mut first = PgConnection::establish(&database.url()).expect("a connection");
    first.batch_execute(&format!("BEGIN; UPDATE sessions SET phase = 1 WHERE id = '{id}'")).unwrap();
    let opened = open(&database);
    let second = std::thread::spawn(move || {
        let mut connection = opened.connection().expect("a connection");
        session::reissue(&mut connection, id, i64::from(GENERATION)).expect("the second reissue")
    });
    let waiting = "SELECT count(*) AS value FROM pg_locks WHERE NOT granted AND transactionid IS NOT NULL";
    for _ in 0..1000 {
        if database.number(waiting) > 0 {
            break;
        }
        std::thread::yield_now();
    }
    // The first stamps the row while the second waits, and notes when.
    let now = "clock_timestamp() AT TIME ZONE 'UTC'";
    first
        .batch_execute(&format!("UPDATE sessions SET rotated_at = {now}, created_at = {now} WHERE id = '{id}'; COMMIT"))
        .unwrap();
    assert_eq!(second.join().unwrap(), 1);
    assert_eq!(database.number("SELECT count(*) AS value FROM sessions WHERE rotated_at >= created_at"), 1);
}
