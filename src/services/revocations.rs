//! Keeping this replica's set of revoked sessions and stale users close to the database's.

use crate::app::{App, Polled};
use crate::error::Error;
use crate::models::{migrations, session, user};

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
