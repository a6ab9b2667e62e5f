//! The `throttles` table: how often passwords were guessed of late.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text, Timestamp as SqlTimestamp};

use super::connection::AnyConnection;
use super::schema::{tacit_now, throttles};
use super::turn::take_turn;
use crate::types::Timestamp;

/// A row of `throttles`.
#[derive(Clone, Debug, Queryable)]
pub struct Throttle {
    /// A keyed hash of whom or what it counts.
    pub id: String,
    /// What it counts, as one word.
    pub kind: String,
    /// Failures, and attempts under way, since the window began.
    pub failures: i64,
    /// What the last of them brought, in milliseconds.
    pub delay: i64,
    /// Nothing is let through before this.
    pub blocked_until: Timestamp,
    /// When all is forgotten.
    pub resets_at: Timestamp,
}

/// What a counter lets through; times in milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Attempts in a window before they are delayed.
    pub failures: i64,
    /// How long the window is, from its first attempt.
    pub window: i64,
    /// The first delay.
    pub first_delay: i64,
    /// What the delay, doubled by each attempt after it, grows to at most.
    pub max_delay: i64,
    /// How long after a delay nothing may happen until all is forgotten.
    pub quiet: i64,
}

/// One statement, so that of many at once exactly as many get through as may. Both databases read it alike: `$n` are
/// PostgreSQL's parameters, and to SQLite names, numbered in the order in which they first appear.
const RESERVE: &str = "\
    INSERT INTO throttles (id, kind, failures, delay, blocked_until, resets_at) \
    VALUES ($1, $2, 1, 0, tacit_now(), tacit_after($3)) \
    ON CONFLICT (id) DO UPDATE SET \
      failures = CASE WHEN throttles.resets_at <= tacit_now() THEN 1 ELSE throttles.failures + 1 END, \
      delay = {delay}, \
      blocked_until = tacit_after({delay}), \
      resets_at = CASE WHEN throttles.resets_at <= tacit_now() THEN tacit_after($3) \
        WHEN {delay} > 0 THEN tacit_after({delay} + $7) ELSE throttles.resets_at END \
    WHERE throttles.blocked_until <= tacit_now() \
    RETURNING failures";

/// The delay that one more attempt brings.
const DELAY: &str = "(CASE WHEN throttles.resets_at <= tacit_now() THEN 0 WHEN throttles.failures + 1 < $4 THEN 0 \
    WHEN throttles.delay = 0 THEN $5 WHEN throttles.delay * 2 > $6 THEN $6 ELSE throttles.delay * 2 END)";

#[derive(QueryableByName)]
struct Reserved {
    #[diesel(sql_type = BigInt)]
    failures: i64,
}

/// Counts one attempt, unless the counter is blocked, and tells the new count; `None`: blocked.
pub fn reserve(connection: &mut AnyConnection, id: &str, kind: &str, limit: &Limit) -> QueryResult<Option<i64>> {
    let _turn = take_turn(connection)?;
    let query = diesel::sql_query(RESERVE.replace("{delay}", DELAY))
        .bind::<Text, _>(id)
        .bind::<Text, _>(kind)
        .bind::<BigInt, _>(limit.window)
        .bind::<BigInt, _>(limit.failures)
        .bind::<BigInt, _>(limit.first_delay)
        .bind::<BigInt, _>(limit.max_delay)
        .bind::<BigInt, _>(limit.quiet);
    let rows: Vec<Reserved> = match connection {
        AnyConnection::Postgres(postgres) => query.get_results(postgres),
        AnyConnection::Sqlite(sqlite) => query.get_results(sqlite),
    }?;
    Ok(rows.into_iter().next().map(|row| row.failures))
}

/// Takes one attempt back, and with it the delay that it brought: nobody else got through since.
pub fn refund(connection: &mut AnyConnection, id: &str, limit: &Limit) -> QueryResult<usize> {
    const REFUND: &str = "UPDATE throttles SET failures = failures - 1, \
        delay = CASE WHEN failures <= $1 THEN 0 ELSE delay / 2 END, blocked_until = tacit_now() \
        WHERE id = $2 AND failures > 0";
    let _turn = take_turn(connection)?;
    let query = diesel::sql_query(REFUND).bind::<BigInt, _>(limit.failures).bind::<Text, _>(id);
    match connection {
        AnyConnection::Postgres(postgres) => query.execute(postgres),
        AnyConnection::Sqlite(sqlite) => query.execute(sqlite),
    }
}

/// The rows of these ids, and the database's time.
pub fn find(connection: &mut AnyConnection, ids: Vec<String>) -> QueryResult<Vec<(Throttle, Timestamp)>> {
    throttles::table.filter(throttles::id.eq_any(ids)).select((throttles::all_columns, tacit_now())).load(connection)
}

/// At most `limit` rows that block somebody now or did of late, the longest block first, and the database's time.
pub fn list(connection: &mut AnyConnection, limit: i64) -> QueryResult<Vec<(Throttle, Timestamp)>> {
    throttles::table
        .filter(throttles::resets_at.gt(tacit_now()))
        .filter(throttles::kind.ne("name"))
        .order((throttles::blocked_until.desc(), throttles::id))
        .limit(limit)
        .select((throttles::all_columns, tacit_now()))
        .load(connection)
}

/// Forgets these counters.
pub fn clear(connection: &mut AnyConnection, ids: Vec<String>) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::delete(throttles::table.filter(throttles::id.eq_any(ids))).execute(connection)
}

/// Forgets every counter.
pub fn clear_all(connection: &mut AnyConnection) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::delete(throttles::table).execute(connection)
}

/// Deletes at most `rows` counters that were forgotten before `before`; rows that another purge holds are skipped.
pub fn delete_forgotten(connection: &mut AnyConnection, before: Timestamp, rows: i64) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    match connection {
        AnyConnection::Postgres(postgres) => diesel::sql_query(
            "DELETE FROM throttles WHERE id IN (SELECT id FROM throttles WHERE resets_at < $1 \
             ORDER BY resets_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        )
        .bind::<SqlTimestamp, _>(before.as_naive())
        .bind::<BigInt, _>(rows)
        .execute(postgres),
        AnyConnection::Sqlite(sqlite) => diesel::sql_query(
            "DELETE FROM throttles WHERE id IN (SELECT id FROM throttles WHERE resets_at < ? ORDER BY resets_at LIMIT ?)",
        )
        .bind::<SqlTimestamp, _>(before.as_naive())
        .bind::<BigInt, _>(rows)
        .execute(sqlite),
    }
}
