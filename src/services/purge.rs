//! Deleting sessions that ended long ago.

use std::time::Duration;

use crate::app::App;
use crate::error::Error;
use crate::models::{purge, session};

/// Ended sessions stay so long, for whoever asks why.
const KEPT: Duration = Duration::from_secs(86_400);

/// Deletes every session whose idle or absolute limit passed more than a day ago, and tells how many.
///
/// Each statement is small and takes a connection of its own, so that requests go on between them. `keep_going` is asked
/// between the statements.
pub fn purge(app: &App, keep_going: impl Fn() -> bool) -> Result<usize, Error> {
    let before = session::now(&mut *app.database.connection()?)?.minus(KEPT);
    let mut total = 0;
    while keep_going() {
        let deleted = purge::delete_expired(&mut *app.database.connection()?, before)?;
        total += deleted;
        if i64::try_from(deleted).is_ok_and(|deleted| deleted < purge::BATCH) {
            break;
        }
    }
    let mut after = None;
    while keep_going() {
        let step = purge::delete_idle_step(&mut *app.database.connection()?, after, before)?;
        total += step.deleted;
        after = step.next;
        if after.is_none() {
            break;
        }
    }
    app.metrics.purged.inc_by(u64::try_from(total).unwrap_or(u64::MAX));
    Ok(total)
}
