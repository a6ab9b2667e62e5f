//! Whose turn it is to write to the embedded database.
//!
//! SQLite lets one connection write at a time, and the others ask again and again, at growing intervals, until one of
//! them happens to be lucky: under load some wait for seconds. Here they queue, and are served in the order they came.

use std::time::Duration;

use diesel::QueryResult;
use diesel::result::{DatabaseErrorKind, Error};
use parking_lot::{ReentrantMutex, ReentrantMutexGuard};

use super::connection::AnyConnection;

/// How long a writer queues before it gives up.
const LIMIT: Duration = Duration::from_secs(5);

/// A transaction holds its turn, and the statements in it take it again.
static QUEUE: ReentrantMutex<()> = ReentrantMutex::new(());

/// The turn to write, for as long as this lives. PostgreSQL's writers need none.
pub(super) struct Turn(Option<ReentrantMutexGuard<'static, ()>>);

/// Waits for the turn to write.
pub(super) fn take_turn(connection: &AnyConnection) -> QueryResult<Turn> {
    match connection {
        AnyConnection::Postgres(_) => Ok(Turn(None)),
        AnyConnection::Sqlite(_) => match QUEUE.try_lock_for(LIMIT) {
            Some(guard) => Ok(Turn(Some(guard))),
            None => {
                let message = "no turn to write came in time".to_owned();
                Err(Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message)))
            }
        },
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(guard) = self.0.take() {
            // Hands over to who waits longest, rather than to who happens to run.
            ReentrantMutexGuard::unlock_fair(guard);
        }
    }
}
