//! The `audit_events` table: the audit trail.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamp as SqlTimestamp};

use super::connection::AnyConnection;
use super::schema::{audit_events, tacit_now};
use super::turn::take_turn;
use crate::logging::Context;
use crate::types::{Event, Timestamp};

/// What is counted together in one row happened within so long.
pub const WINDOW: Duration = Duration::from_secs(900);

/// A row of `audit_events`.
#[derive(Clone, Debug, Queryable)]
pub struct AuditRow {
    _id: i64,
    /// When it happened; of what is counted together, the first time.
    pub at: Timestamp,
    /// Of what is counted together, the last time.
    pub last_at: Option<Timestamp>,
    /// How often it happened in between.
    pub times: i64,
    _merge_key: Option<String>,
    /// What happened.
    pub event: String,
    /// How it ended.
    pub outcome: String,
    /// Why, as one word.
    pub reason: Option<String>,
    /// The user it is about.
    pub subject: Option<String>,
    /// The session it is about.
    pub session: Option<String>,
    /// The client it is about.
    pub client: Option<String>,
    /// A keyed hash of the account whose password was tried.
    pub account: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// The operator, if one did it.
    pub actor: Option<String>,
    /// Of the first of what is counted together.
    pub request_id: Option<String>,
    /// The rest, as words like `role=admin`.
    pub detail: Option<String>,
}

/// The details of an event as one text.
fn detail_of(event: &Event) -> Option<String> {
    let words: Vec<String> = event.details.iter().map(|(name, value)| format!("{name}={value}")).collect();
    Some(words.join(" ")).filter(|text| !text.is_empty())
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// Adds an event that happens now, in the caller's transaction.
pub fn insert(connection: &mut AnyConnection, event: &Event, context: &Context) -> QueryResult<()> {
    let _turn = take_turn(connection)?;
    diesel::insert_into(audit_events::table)
        .values((
            audit_events::at.eq(tacit_now()),
            audit_events::event.eq(event.name.as_str()),
            audit_events::outcome.eq(event.outcome.as_str()),
            audit_events::reason.eq(event.reason),
            audit_events::subject.eq(event.subject.map(|id| id.to_string())),
            audit_events::session.eq(event.session.map(|id| id.to_string())),
            audit_events::client.eq(event.client.as_deref()),
            audit_events::account.eq(event.account.as_deref()),
            audit_events::address.eq(given(&context.address)),
            audit_events::actor.eq(context.actor.as_deref()),
            audit_events::request_id.eq(given(&context.request_id)),
            audit_events::detail.eq(detail_of(event)),
        ))
        .execute(connection)
        .map(drop)
}

/// Events that are counted together in one row.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The same for all of them, on every replica.
    pub merge_key: String,
    /// The first of them.
    pub event: Event,
    /// The request behind the first of them.
    pub context: Context,
    /// When the first of them happened.
    pub first_at: Timestamp,
    /// When the last of them happened.
    pub last_at: Timestamp,
    /// How many they are.
    pub times: i64,
}

/// Adds to the row of this merge key, or makes it.
pub fn count(connection: &mut AnyConnection, counted: &Counted) -> QueryResult<()> {
    const COUNT: &str = "\
        INSERT INTO audit_events (merge_key, at, last_at, times, event, outcome, reason, subject, session, client, account, \
          address, actor, request_id, detail) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
        ON CONFLICT (merge_key) WHERE merge_key IS NOT NULL DO UPDATE SET \
          times = audit_events.times + excluded.times, \
          at = CASE WHEN excluded.at < audit_events.at THEN excluded.at ELSE audit_events.at END, \
          last_at = CASE WHEN excluded.last_at > audit_events.last_at THEN excluded.last_at ELSE audit_events.last_at END";
    let Counted { merge_key, event, context, first_at, last_at, times } = counted;
    let _turn = take_turn(connection)?;
    let query = diesel::sql_query(COUNT)
        .bind::<Text, _>(merge_key)
        .bind::<SqlTimestamp, _>(first_at.as_naive())
        .bind::<SqlTimestamp, _>(last_at.as_naive())
        .bind::<BigInt, _>(times)
        .bind::<Text, _>(event.name.as_str())
        .bind::<Text, _>(event.outcome.as_str())
        .bind::<Nullable<Text>, _>(event.reason)
        .bind::<Nullable<Text>, _>(event.subject.map(|id| id.to_string()))
        .bind::<Nullable<Text>, _>(event.session.map(|id| id.to_string()))
        .bind::<Nullable<Text>, _>(event.client.as_deref())
        .bind::<Nullable<Text>, _>(event.account.as_deref())
        .bind::<Nullable<Text>, _>(given(&context.address))
        .bind::<Nullable<Text>, _>(context.actor.as_deref())
        .bind::<Nullable<Text>, _>(given(&context.request_id))
        .bind::<Nullable<Text>, _>(detail_of(event));
    match connection {
        AnyConnection::Postgres(postgres) => query.execute(postgres),
        AnyConnection::Sqlite(sqlite) => query.execute(sqlite),
    }
    .map(drop)
}

/// Which events somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of any of these users, or of an account with one of the hashes.
    pub whom: Option<Whom>,
    /// At this moment or later.
    pub since: Option<Timestamp>,
    /// Of this name.
    pub event: Option<&'static str>,
    /// At most so many, the newest.
    pub limit: i64,
}

/// One account, under everything that the trail may call it.
#[derive(Clone, Debug, Default)]
pub struct Whom {
    /// The user's id, if there is one.
    pub subject: Option<String>,
    /// Keyed hashes of the user's id and of the name.
    pub accounts: Vec<String>,
}

/// The newest events that a filter lets through, newest last.
pub fn list(connection: &mut AnyConnection, filter: &Filter) -> QueryResult<Vec<AuditRow>> {
    let mut query =
        audit_events::table.order((audit_events::at.desc(), audit_events::id.desc())).limit(filter.limit).into_boxed();
    if let Some(Whom { subject, accounts }) = filter.whom.clone() {
        let subject = subject.unwrap_or_default();
        query = query.filter(audit_events::subject.eq(subject).or(audit_events::account.eq_any(accounts)));
    }
    if let Some(since) = filter.since {
        // What began before may have gone on since; nothing goes on for longer than a window.
        query = query
            .filter(audit_events::at.ge(since.minus(WINDOW)))
            .filter(audit_events::at.ge(since).or(audit_events::last_at.ge(since)));
    }
    if let Some(event) = filter.event {
        query = query.filter(audit_events::event.eq(event));
    }
    let mut rows: Vec<AuditRow> = query.load(connection)?;
    rows.reverse();
    Ok(rows)
}
