//! Deleting sessions that ended long ago, in small steps.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamp as SqlTimestamp};

use super::connection::AnyConnection;
use super::schema::sessions;
use super::turn::take_turn;
use crate::types::{SessionId, Timestamp};

/// Deletes at most `rows` sessions whose absolute limit passed before `before`.
///
/// On PostgreSQL rows that another replica's purge holds are skipped.
pub fn delete_expired(connection: &mut AnyConnection, before: Timestamp, rows: i64) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    match connection {
        AnyConnection::Postgres(postgres) => diesel::sql_query(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < $1 \
             ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind::<SqlTimestamp, _>(before.as_naive())
        .bind::<BigInt, _>(rows)
        .execute(postgres),
        AnyConnection::Sqlite(sqlite) => diesel::sql_query(
            "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? ORDER BY expires_at LIMIT ?)",
        )
        .bind::<SqlTimestamp, _>(before.as_naive())
        .bind::<BigInt, _>(rows)
        .execute(sqlite),
    }
}

/// What one step of the walk over all sessions did.
pub struct IdleStep {
    /// Rows deleted.
    pub deleted: usize,
    /// Where the next step goes on; `None`: the walk is done.
    pub next: Option<SessionId>,
}

/// Looks at the `rows` sessions after `after`, in the order of the primary key, and deletes those idle since before `before`.
///
/// A row that idle cannot come back between the two statements: its refresh is refused.
pub fn delete_idle_step(
    connection: &mut AnyConnection,
    after: Option<SessionId>,
    before: Timestamp,
    rows: i64,
) -> QueryResult<IdleStep> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let found: Vec<(SessionId, Timestamp, Option<Timestamp>, i64)> = sessions::table
        .filter(sessions::id.gt(after))
        .order(sessions::id)
        .limit(rows)
        .select((sessions::id, sessions::created_at, sessions::rotated_at, sessions::idle_timeout))
        .load(connection)?;
    let is_idle = |created_at: Timestamp, rotated_at: Option<Timestamp>, idle_timeout: i64| {
        let idle = std::time::Duration::from_secs(u64::try_from(idle_timeout).unwrap_or(0));
        rotated_at.unwrap_or(created_at).plus(idle) < before
    };
    let idle: Vec<String> = found
        .iter()
        .filter(|(_, created_at, rotated_at, idle_timeout)| is_idle(*created_at, *rotated_at, *idle_timeout))
        .map(|(id, ..)| id.to_string())
        .collect();
    let full = i64::try_from(found.len()).is_ok_and(|count| count == rows);
    let next = found.last().map(|(id, ..)| *id).filter(|_| full);
    let deleted = if idle.is_empty() {
        0
    } else {
        let _turn = take_turn(connection)?;
        diesel::delete(sessions::table.filter(sessions::id.eq_any(idle))).execute(connection)?
    };
    Ok(IdleStep { deleted, next })
}
