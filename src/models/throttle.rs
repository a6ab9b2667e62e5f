//! The `throttles` table: how often passwords were guessed of late.

use diesel::prelude::*;
use diesel::sql_types::{self, BigInt, Text};

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
    RETURNING failures, delay, resets_at";

/// The delay that one more attempt brings.
const DELAY: &str = "(CASE WHEN throttles.resets_at <= tacit_now() THEN 0 WHEN throttles.failures + 1 < $4 THEN 0 \
    WHEN throttles.delay = 0 THEN $5 WHEN throttles.delay * 2 > $6 THEN $6 ELSE throttles.delay * 2 END)";

/// A counter once it has counted an attempt.
#[derive(Clone, Copy, Debug, QueryableByName)]
pub struct Reserved {
    /// The attempts, this one among them.
    #[diesel(sql_type = BigInt)]
    pub failures: i64,
    /// The delay that it brought, in milliseconds.
    #[diesel(sql_type = BigInt)]
    pub delay: i64,
    /// When all is forgotten.
    #[diesel(sql_type = sql_types::Timestamp)]
    pub resets_at: Timestamp,
}

/// Counts one attempt, unless the counter is blocked, and tells what it came to; `None`: blocked.
pub fn reserve(connection: &mut AnyConnection, id: &str, kind: &str, limit: &Limit) -> QueryResult<Option<Reserved>> {
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
    Ok(rows.into_iter().next())
}

/// Takes one attempt back, and with it the delay that it brought: nobody else got through since. All is forgotten when
/// it would have been without it: at `before`, unless others moved that on; a window that holds nothing else ends.
pub fn refund(
    connection: &mut AnyConnection,
    id: &str,
    limit: &Limit,
    moved: Timestamp,
    before: Timestamp,
) -> QueryResult<usize> {
    const REFUND: &str = "UPDATE throttles SET failures = failures - 1, \
        delay = CASE WHEN failures <= $1 THEN 0 ELSE delay / 2 END, blocked_until = tacit_now(), \
        resets_at = CASE WHEN failures = 1 THEN tacit_now() WHEN resets_at = $2 THEN $3 ELSE resets_at END \
        WHERE id = $4 AND failures > 0";
    let _turn = take_turn(connection)?;
    let query = diesel::sql_query(REFUND)
        .bind::<BigInt, _>(limit.failures)
        .bind::<sql_types::Timestamp, _>(moved.as_naive())
        .bind::<sql_types::Timestamp, _>(before.as_naive())
        .bind::<Text, _>(id);
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
