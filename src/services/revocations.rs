//! Keeping this replica's set of revoked sessions and stale users close to the database's.

use sha2::{Digest, Sha256};

use crate::app::{App, Polled};
use crate::error::Error;
use crate::models::{migrations, session, user};
use crate::types::{SessionId, Timestamp, UserId};

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

/// What backends that verify by themselves have to know.
pub struct Recent {
    /// Sessions that ended, and when.
    pub sessions: Vec<(SessionId, Timestamp)>,
    /// Users whose claims changed, and the version from which on their tokens are good.
    pub users: Vec<(UserId, i64)>,
    /// Another one as soon as there is anything new, on every replica alike.
    pub tag: String,
}

/// What was revoked within the last access lifetime: of anything older no token is good any more.
pub fn recent(app: &App) -> Result<Recent, Error> {
    if !app.revocations.is_loaded() {
        return Err(Error::NotReady("the revoked sessions were not loaded yet"));
    }
    let since = app.clock.now().minus(app.config.tokens.access_ttl);
    let (sessions, users) = (app.revocations.sessions_since(since), app.revocations.users_since(since));
    let mut digest = Sha256::new();
    // Without the moment: the replica that revokes notes its own, and learns the database's with the next poll.
    for (id, _) in &sessions {
        digest.update(id.as_bytes());
    }
    for (id, version) in &users {
        digest.update([id.as_bytes().as_slice(), &version.to_be_bytes()].concat());
    }
    let tag = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    Ok(Recent { sessions, users, tag })
}
