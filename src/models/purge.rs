//! Deleting what nobody needs any more, in small steps.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Timestamp as SqlTimestamp};

use super::connection::AnyConnection;
use super::schema::sessions;
use super::session::idle_limit;
use super::turn::take_turn;
use crate::types::{SessionId, Timestamp};

/// The statement that deletes the rows whose moment in a column is the longest ago, in the SQL of each database.
struct DeleteOldest {
    sqlite: &'static str,
    /// Skips the rows that another replica's purge holds.
    postgres: &'static str,
}

const EXPIRED_SESSIONS: DeleteOldest = DeleteOldest {
    sqlite: "DELETE FROM sessions WHERE id IN \
        (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)",
    postgres: "DELETE FROM sessions WHERE id IN \
        (SELECT id FROM sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
};
const FORGOTTEN_THROTTLES: DeleteOldest = DeleteOldest {
    sqlite: "DELETE FROM throttles WHERE id IN \
        (SELECT id FROM throttles WHERE resets_at < $1 ORDER BY resets_at LIMIT $2)",
    postgres: "DELETE FROM throttles WHERE id IN \
        (SELECT id FROM throttles WHERE resets_at < $1 ORDER BY resets_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
};
const OLD_EVENTS: DeleteOldest = DeleteOldest {
    sqlite: "DELETE FROM audit_events WHERE id IN \
        (SELECT id FROM audit_events WHERE at < $1 ORDER BY at LIMIT $2)",
    postgres: "DELETE FROM audit_events WHERE id IN \
        (SELECT id FROM audit_events WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED)",
};

/// Deletes at most `rows` sessions whose absolute limit passed before `before`.
pub fn delete_expired(connection: &mut AnyConnection, before: Timestamp, rows: i64) -> QueryResult<usize> {
    EXPIRED_SESSIONS.execute(connection, before, rows)
}

/// Deletes at most `rows` counters of the throttle that were forgotten before `before`.
pub fn delete_forgotten(connection: &mut AnyConnection, before: Timestamp, rows: i64) -> QueryResult<usize> {
    FORGOTTEN_THROTTLES.execute(connection, before, rows)
}

/// Deletes at most `rows` events of the audit trail from before `before`.
pub fn delete_events(connection: &mut AnyConnection, before: Timestamp, rows: i64) -> QueryResult<usize> {
    OLD_EVENTS.execute(connection, before, rows)
}

impl DeleteOldest {
    fn execute(&self, connection: &mut AnyConnection, before: Timestamp, rows: i64) -> QueryResult<usize> {
        let _turn = take_turn(connection)?;
        let bound = |statement: &'static str| {
            diesel::sql_query(statement).bind::<SqlTimestamp, _>(before.as_naive()).bind::<BigInt, _>(rows)
        };
        match connection {
            AnyConnection::Postgres(postgres) => bound(self.postgres).execute(postgres),
            AnyConnection::Sqlite(sqlite) => bound(self.sqlite).execute(sqlite),
        }
    }
}

/// What one step of the walk over all sessions found.
pub struct IdleSessions {
    /// Those that are idle.
    pub ids: Vec<SessionId>,
    /// Where the next step goes on; `None`: the walk is done.
    pub next: Option<SessionId>,
}

/// Looks at the `rows` sessions after `after`, in the order of the primary key, for those idle since before `before`.
pub fn find_idle(
    connection: &mut AnyConnection,
    after: Option<SessionId>,
    before: Timestamp,
    rows: i64,
) -> QueryResult<IdleSessions> {
    let after = after.map_or_else(String::new, |id| id.to_string());
    let found: Vec<(SessionId, Timestamp, Option<Timestamp>, i64)> = sessions::table
        .filter(sessions::id.gt(after))
        .order(sessions::id)
        .limit(rows)
        .select((sessions::id, sessions::created_at, sessions::rotated_at, sessions::idle_timeout))
        .load(connection)?;
    let is_idle = |created_at: Timestamp, rotated_at: Option<Timestamp>, idle_timeout: i64| {
        idle_limit(rotated_at.unwrap_or(created_at), idle_timeout) < before
    };
    let ids = found
        .iter()
        .filter(|(_, created_at, rotated_at, idle_timeout)| is_idle(*created_at, *rotated_at, *idle_timeout))
        .map(|(id, ..)| *id)
        .collect();
    let full = i64::try_from(found.len()).is_ok_and(|count| count == rows);
    let next = found.last().map(|(id, ..)| *id).filter(|_| full);
    Ok(IdleSessions { ids, next })
}

/// Deletes these sessions. One that was idle for a day cannot have come back since: its refresh is refused.
pub fn delete_sessions(connection: &mut AnyConnection, ids: &[SessionId]) -> QueryResult<usize> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let _turn = take_turn(connection)?;
    diesel::delete(sessions::table.filter(sessions::id.eq_any(ids))).execute(connection)
}
