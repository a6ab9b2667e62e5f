//! Deleting sessions that ended long ago, counters of the throttle that are forgotten, and old events.

use std::time::Duration;

use crate::app::App;
use crate::error::Error;
use crate::models::{audit, purge, session, throttle};
use crate::types::Instant;

/// Ended sessions stay so long, for whoever asks why.
const KEPT: Duration = Duration::from_secs(86_400);

/// What any statement is followed by at least.
const LEAST_PAUSE: Duration = Duration::from_millis(5);

/// Deletes every session whose idle or absolute limit passed more than a day ago, and tells how many.
///
/// Each statement is small, takes a connection of its own and is followed by a pause as long as itself, so that requests
/// go on between them. `pause` waits for so long, and tells whether to go on.
pub fn purge(app: &App, pause: impl Fn(Duration) -> bool) -> Result<usize, Error> {
    let before = session::now(&mut *app.database.connection()?)?.minus(KEPT);
    let mut total = 0;
    let rested = |since: Instant| pause(app.clock.instant().saturating_duration_since(since).max(LEAST_PAUSE));
    loop {
        let since = app.clock.instant();
        let deleted = purge::delete_expired(&mut *app.database.connection()?, before)?;
        total += deleted;
        let full = i64::try_from(deleted).is_ok_and(|deleted| deleted == purge::BATCH);
        if !full || !rested(since) {
            break;
        }
    }
    let mut after = None;
    loop {
        let since = app.clock.instant();
        let step = purge::delete_idle_step(&mut *app.database.connection()?, after, before)?;
        total += step.deleted;
        after = step.next;
        if after.is_none() || !rested(since) {
            break;
        }
    }
    loop {
        let since = app.clock.instant();
        let mut connection = app.database.connection()?;
        let now = session::now(&mut connection)?;
        let deleted = throttle::delete_forgotten(&mut connection, now)?;
        drop(connection);
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < purge::BATCH) || !rested(since) {
            break;
        }
    }
    loop {
        let since = app.clock.instant();
        let mut connection = app.database.connection()?;
        let before = session::now(&mut connection)?.minus(app.config.audit.retention);
        let deleted = audit::delete_older(&mut connection, before)?;
        drop(connection);
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < purge::BATCH) || !rested(since) {
            break;
        }
    }
    app.metrics.purged.inc_by(u64::try_from(total).unwrap_or(u64::MAX));
    Ok(total)
}
