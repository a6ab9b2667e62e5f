//! Deleting sessions that ended long ago, counters of the throttle that are forgotten, and old events.

use std::time::Duration;

use crate::app::App;
use crate::error::Error;
use crate::models::{AnyConnection, audit, purge, session, throttle};

/// Ended sessions stay so long, for whoever asks why.
const KEPT: Duration = Duration::from_secs(86_400);

/// What one statement may take: whoever wants to write to SQLite meanwhile waits as long.
const STATEMENT: Duration = Duration::from_millis(1);

/// What any statement is followed by at least.
const LEAST_PAUSE: Duration = Duration::from_millis(5);

/// Rows of the first statement, and of any later one.
const ROWS: std::ops::RangeInclusive<i64> = 8..=512;

/// Deletes every session whose idle or absolute limit passed more than a day ago, and tells how many.
///
/// Each statement is small, takes a connection of its own and is followed by a pause as long as itself, so that requests
/// go on between them. `pause` waits for so long, and tells whether to go on.
pub fn purge(app: &App, pause: impl Fn(Duration) -> bool) -> Result<usize, Error> {
    let now = session::now(&mut *app.database.connection()?)?;
    let before = now.minus(KEPT);
    let expired = in_steps(app, &pause, |connection, rows| {
        let deleted = purge::delete_expired(connection, before, rows)?;
        Ok((deleted, is_all(deleted, rows)))
    })?;
    let mut after = None;
    let idle = in_steps(app, &pause, |connection, rows| {
        let step = purge::delete_idle_step(connection, after, before, rows)?;
        after = step.next;
        Ok((step.deleted, after.is_some()))
    })?;
    in_steps(app, &pause, |connection, rows| {
        let deleted = throttle::delete_forgotten(connection, now, rows)?;
        Ok((deleted, is_all(deleted, rows)))
    })?;
    let before = now.minus(app.config.audit.retention);
    in_steps(app, &pause, |connection, rows| {
        let deleted = audit::delete_older(connection, before, rows)?;
        Ok((deleted, is_all(deleted, rows)))
    })?;
    let total = expired + idle;
    app.metrics.purged.inc_by(u64::try_from(total).unwrap_or(u64::MAX));
    Ok(total)
}

/// Whether a statement found as many rows as it was to look for, so that there may be more.
fn is_all(found: usize, rows: i64) -> bool {
    i64::try_from(found).is_ok_and(|found| found == rows)
}

/// Repeats `step`, which is told how many rows to look at and tells how many it deleted and whether there may be more.
fn in_steps(
    app: &App,
    pause: impl Fn(Duration) -> bool,
    mut step: impl FnMut(&mut AnyConnection, i64) -> Result<(usize, bool), Error>,
) -> Result<usize, Error> {
    let mut rows = *ROWS.start();
    let mut total = 0;
    loop {
        let mut connection = app.database.connection()?;
        let since = app.clock.instant();
        let (deleted, more) = step(&mut connection, rows)?;
        let took = app.clock.instant().saturating_duration_since(since);
        drop(connection);
        total += deleted;
        if !more || !pause(took.max(LEAST_PAUSE)) {
            return Ok(total);
        }
        rows = if took > STATEMENT { rows / 2 } else { rows * 2 }.clamp(*ROWS.start(), *ROWS.end());
    }
}
