//! One connection type over both databases, and how a connection is opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::r2d2::R2D2Connection;
use diesel::result::DatabaseErrorKind;

use super::schema::{tacit_after_utils, tacit_now_utils};
use super::turn::take_turn;
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::types::Clock;

/// A connection to either database; every query of `models` is written once against it.
#[derive(diesel::MultiConnection)]
pub enum AnyConnection {
    /// PostgreSQL.
    Postgres(PgConnection),
    /// The embedded SQLite.
    Sqlite(SqliteConnection),
}

/// How long a writer waits for another writer of the SQLite file, in milliseconds.
const SQLITE_BUSY_TIMEOUT_MS: u32 = 5_000;

/// How often a connection tries to switch a new SQLite file to WAL.
const SQLITE_WAL_ATTEMPTS: usize = 20;

/// Opens connections for the pool. The URL alone picks the database: diesel's derived `establish` would try each in turn.
#[derive(Clone)]
pub struct Manager {
    url: DatabaseUrl,
    timeout: Duration,
    clock: Clock,
    given_up: Arc<AtomicBool>,
}

impl Manager {
    /// A manager for the configured database.
    pub fn new(config: &DatabaseConfig, clock: Clock) -> Self {
        Self { url: config.url.clone(), timeout: config.acquire_timeout, clock, given_up: Arc::default() }
    }

    /// The same manager, for another pool, and what tells it that this pool was given up.
    pub fn of_new_pool(&self) -> (Self, Arc<AtomicBool>) {
        let manager = Self { given_up: Arc::default(), ..self.clone() };
        let given_up = Arc::clone(&manager.given_up);
        (manager, given_up)
    }

    fn open_sqlite(&self, path: &std::path::Path) -> Result<AnyConnection, diesel::r2d2::Error> {
        let path = path.to_str().ok_or_else(|| bad_connection("the database's path is not UTF-8"))?;
        let mut connection = SqliteConnection::establish(path).map_err(diesel::r2d2::Error::ConnectionError)?;
        // The busy timeout first: switching to WAL needs a lock of its own.
        connection.batch_execute(&format!("PRAGMA busy_timeout = {SQLITE_BUSY_TIMEOUT_MS}"))?;
        switch_to_wal(&mut connection)?;
        connection.batch_execute("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON")?;
        let clock = self.clock.clone();
        tacit_now_utils::register_nondeterministic_impl(&connection, move || clock.now().as_naive())?;
        let clock = self.clock.clone();
        tacit_after_utils::register_nondeterministic_impl(&mut connection, move |millis: i64| {
            clock.now().plus(Duration::from_millis(u64::try_from(millis).unwrap_or(0))).as_naive()
        })?;
        Ok(AnyConnection::Sqlite(connection))
    }

    fn open_postgres(&self, url: &str) -> Result<AnyConnection, diesel::r2d2::Error> {
        let url = with_timeouts(url, self.timeout);
        let mut connection = PgConnection::establish(&url).map_err(diesel::r2d2::Error::ConnectionError)?;
        let millis = self.timeout.as_millis();
        connection.batch_execute(&format!(
            "SET statement_timeout = {millis}; SET lock_timeout = {millis}; \
             SET idle_in_transaction_session_timeout = {}; \
             SET default_transaction_isolation = 'read committed'",
            millis * 5
        ))?;
        Ok(AnyConnection::Postgres(connection))
    }
}

/// A new file's first connections may all switch it to WAL at once. Each then holds what the others wait for, so SQLite
/// refuses instead of waiting; after the wait for a write lock one of them is done.
fn switch_to_wal(connection: &mut SqliteConnection) -> QueryResult<()> {
    const SWITCH: &str = "PRAGMA journal_mode = WAL";
    for _ in 1..SQLITE_WAL_ATTEMPTS {
        if connection.batch_execute(SWITCH).is_ok() {
            return Ok(());
        }
        connection.batch_execute("BEGIN IMMEDIATE; COMMIT")?;
    }
    connection.batch_execute(SWITCH)
}

/// libpq's own limits on connecting and on a peer that went silent, unless the URL sets them.
fn with_timeouts(url: &str, timeout: Duration) -> String {
    let seconds = timeout.as_secs().max(2);
    let mut url = url.to_owned();
    for (name, value) in [
        ("connect_timeout", seconds.to_string()),
        ("tcp_user_timeout", timeout.as_millis().to_string()),
        ("keepalives_idle", seconds.to_string()),
        ("keepalives_interval", "1".to_owned()),
        ("keepalives_count", "2".to_owned()),
        ("application_name", "tacit".to_owned()),
    ] {
        if !url.contains(&format!("{name}=")) {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.extend([name, "=", &value]);
        }
    }
    url
}

fn bad_connection(message: &str) -> diesel::r2d2::Error {
    diesel::r2d2::Error::ConnectionError(ConnectionError::BadConnection(message.to_owned()))
}

impl r2d2::ManageConnection for Manager {
    type Connection = AnyConnection;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<AnyConnection, Self::Error> {
        if self.given_up.load(Ordering::Relaxed) {
            // The pool lives for as long as it tries to connect, and it would try for ever.
            return Err(bad_connection("its pool was given up"));
        }
        match &self.url {
            DatabaseUrl::Sqlite(path) => self.open_sqlite(path),
            DatabaseUrl::Postgres(url) => self.open_postgres(url),
        }
    }

    fn is_valid(&self, connection: &mut AnyConnection) -> Result<(), Self::Error> {
        match connection {
            // A round trip that finds a server gone before a request does.
            AnyConnection::Postgres(connection) => Ok(connection.ping()?),
            AnyConnection::Sqlite(_) => Ok(()),
        }
    }

    fn has_broken(&self, connection: &mut AnyConnection) -> bool {
        std::thread::panicking()
            || match connection {
                AnyConnection::Postgres(connection) => connection.is_broken(),
                AnyConnection::Sqlite(connection) => connection.is_broken(),
            }
    }
}

/// Runs `work` in a transaction: the one home of transactions.
///
/// On SQLite it begins as IMMEDIATE: one that read first and wrote later would fail with "database is locked".
pub fn transaction<T, E>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection) -> Result<T, E>,
) -> Result<T, E>
where
    E: From<diesel::result::Error>,
{
    type Manager = <AnyConnection as Connection>::TransactionManager;
    let _turn = take_turn(connection)?;
    match connection {
        AnyConnection::Sqlite(sqlite) => AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE")?,
        AnyConnection::Postgres(_) => Manager::begin_transaction(connection)?,
    }
    match work(connection) {
        Ok(value) => {
            Manager::commit_transaction(connection)?;
            Ok(value)
        }
        Err(error) => {
            // The connection that cannot roll back is broken, and the pool drops it; the first error is the one to tell.
            if let Err(rollback) = Manager::rollback_transaction(connection) {
                log::warn!(event = "rollback_failed"; "a transaction could not be rolled back: {rollback}");
            }
            Err(error)
        }
    }
}

/// The row that a statement with RETURNING wrote, of all the rows it gave.
///
/// Never `get_result` there: on SQLite it leaves with the first row, before the end of the statement, which is where it
/// commits. An error of that commit, like a full disk, would be lost, and the row with it.
pub fn written<T>(rows: Vec<T>) -> QueryResult<T> {
    rows.into_iter().next().ok_or(diesel::result::Error::NotFound)
}

/// `None` for a unique violation, or for no row. Which name it was about has to be asked once the transaction, which
/// PostgreSQL has given up by then, is rolled back: SQLite names no constraint and PostgreSQL no column.
pub fn unless_taken<T>(written: QueryResult<T>) -> QueryResult<Option<T>> {
    match written {
        Err(diesel::result::Error::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => Ok(None),
        written => written.optional(),
    }
}
