//! Deleting sessions that ended long ago, counters of the throttle that are forgotten, and old events.

use std::time::Duration;

use crate::app::App;
use crate::error::Error;
use crate::models::{AnyConnection, QueryResult, purge, session, transaction};
use crate::types::Timestamp;

/// Ended sessions stay so long, for whoever asks why.
const KEPT: Duration = Duration::from_secs(86_400);

/// Rows that one statement deletes: whoever wants to write to SQLite meanwhile waits for it.
const ROWS: usize = 64;

/// Rows that one step of the walk over all sessions reads.
const WALKED: i64 = 500;

/// How many times as long as a statement took the purge rests after it, and at least: so few requests meet one that it
/// does not show in the slowest hundredth of them.
const REST: u32 = 50;
const LEAST_REST: Duration = Duration::from_millis(50);

/// Deletes every session whose idle or absolute limit passed more than a day ago, and tells how many.
///
/// Each statement is small and takes a connection of its own, and requests go on between them. `pause` waits for so long,
/// and tells whether to go on.
pub fn purge(app: &App, pause: impl Fn(Duration) -> bool) -> Result<usize, Error> {
    let now = session::now(&mut *app.database.connection()?)?;
    let before = now.minus(KEPT);
    let rest = |took: Duration| pause((took * REST).max(LEAST_REST));
    let sessions = oldest(app, rest, before, |connection, before, rows| {
        let deleted = purge::delete_expired(connection, before, rows)?;
        count(app, deleted);
        Ok(deleted)
    })?;
    let sessions = sessions + idle(app, rest, before)?;
    oldest(app, rest, now, purge::delete_forgotten)?;
    oldest(app, rest, now.minus(app.config.audit.retention), purge::delete_events)?;
    Ok(sessions)
}

fn count(app: &App, sessions: usize) {
    app.metrics.purged.inc_by(u64::try_from(sessions).unwrap_or(u64::MAX));
}

/// Deletes what `delete` finds from before `before`.
fn oldest(
    app: &App,
    rest: impl Fn(Duration) -> bool,
    before: Timestamp,
    delete: impl Fn(&mut AnyConnection, Timestamp, i64) -> QueryResult<usize>,
) -> Result<usize, Error> {
    let rows = i64::try_from(ROWS).unwrap_or(i64::MAX);
    let mut total = 0;
    loop {
        let (deleted, took) = timed(app, |connection| delete(connection, before, rows))?;
        total += deleted;
        if deleted < ROWS || !rest(took) {
            return Ok(total);
        }
    }
}

/// Deletes the sessions that are idle since before `before`: a walk over all, which only reads where there is none.
fn idle(app: &App, rest: impl Fn(Duration) -> bool, before: Timestamp) -> Result<usize, Error> {
    let mut after = None;
    let mut total = 0;
    loop {
        let found = purge::find_idle(&mut *app.database.connection()?, after, before, WALKED)?;
        for ids in found.ids.chunks(ROWS) {
            let (deleted, took) = timed(app, |connection| purge::delete_sessions(connection, ids))?;
            count(app, deleted);
            total += deleted;
            if !rest(took) {
                return Ok(total);
            }
        }
        after = found.next;
        if after.is_none() || !rest(Duration::ZERO) {
            return Ok(total);
        }
    }
}

/// What `statement` changed, and what it took with its commit, from the moment when it could begin: until then another
/// had the turn to write to SQLite.
fn timed(
    app: &App,
    statement: impl FnOnce(&mut AnyConnection) -> QueryResult<usize>,
) -> Result<(usize, Duration), Error> {
    let (changed, since) = transaction(&mut *app.database.connection()?, |connection| {
        let since = app.clock.instant();
        statement(connection).map(|changed| (changed, since))
    })?;
    Ok((changed, app.clock.instant().saturating_duration_since(since)))
}
