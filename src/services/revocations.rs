//! Keeping this replica's set of revoked sessions and stale users close to the database's.

use std::sync::Arc;
use std::time::Duration;

use crate::app::{App, Polled, Recent};
use crate::error::Error;
use crate::models::{migrations, session, user};

/// After a poll this old, revocations arrive late.
const OVERDUE: Duration = Duration::from_secs(10);

/// Reads what was revoked lately. The first success makes the service ready.
pub fn poll(app: &App) -> Result<(), Error> {
    let begun = app.clock.instant();
    let mut connection = app.database.connection()?;
    if !app.revocations.is_loaded() && migrations::is_pending(&mut connection)? {
        return Err(Error::NotReady("the database's schema is older than this binary; run `tacit migrate`"));
    }
    let now = session::now(&mut connection)?;
    let since = app.revocations.poll_from(now);
    let sessions = session::revoked_since(&mut connection, since)?;
    let users = user::version_changes_since(&mut connection, since)?;
    app.revocations.take(Polled { sessions, users, now }, begun);
    Ok(())
}

/// How old what this replica knows is; an error if it is so old that revocations arrive late.
pub fn age(app: &App) -> Result<Duration, Error> {
    let polled = app.revocations.polled().ok_or(Error::NotReady("the revoked sessions were not loaded yet"))?;
    let age = app.clock.instant().saturating_duration_since(polled);
    if age > OVERDUE { Err(Error::NotReady("the revocation poll fails")) } else { Ok(age) }
}

/// What was revoked while an access token of before could still be good.
pub fn recent(app: &App) -> Result<Arc<Recent>, Error> {
    age(app)?;
    app.revocations.recent().ok_or(Error::NotReady("the revoked sessions were not loaded yet"))
}
