use clap::Args;
use serde_json::{Value, json};

use super::{Failure, build_app, print_line};
use crate::config::{Overrides, parse_duration};
use crate::models::audit::AuditRow;
use crate::services::audit_trail::{self, Query};
use crate::types::{Clock, EventName, Timestamp};

/// `tacit audit`: newest last.
#[derive(Args)]
pub(super) struct Arguments {
    /// Of one account: a username, an e-mail address or an id; also a name that nobody has, for failed sign-ins.
    #[arg(long, value_name = "NAME|ID")]
    user: Option<String>,
    /// From then on: a span like 24h, or a moment like 2026-11-21T09:00:00+00:00.
    #[arg(long, value_name = "SPAN|TIME", value_parser = parse_since)]
    since: Option<Since>,
    /// Of one name, like `sign_in`; docs/operations.md lists all.
    #[arg(long, value_name = "EVENT")]
    event: Option<EventName>,
    /// The newest so many.
    #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    limit: u32,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy)]
struct Since(Timestamp);

fn parse_since(text: &str) -> Result<Since, String> {
    let span = parse_duration(text).map(|span| Clock::default().now().minus(span));
    span.or_else(|| Timestamp::parse_iso8601(text)).map(Since).ok_or_else(|| {
        "expected a span like 30m, 24h or 7d, or a moment like 2026-11-21 or 2026-11-21T09:00:00+00:00".to_owned()
    })
}

pub(super) fn run(overrides: &Overrides, arguments: Arguments) -> Result<(), Failure> {
    let app = build_app(overrides)?;
    let Arguments { user, since, event, limit, json } = arguments;
    let query = Query { user, since: since.map(|Since(moment)| moment), event, limit };
    let rows = audit_trail::list(&app, &mut *app.database.connection()?, &query)?;
    if json {
        return print_line(Value::Array(rows.iter().map(as_json).collect()));
    }
    rows.iter().try_for_each(|row| print_line(as_text(row)))
}

fn as_json(row: &AuditRow) -> Value {
    json!({
        "time": row.at.to_iso8601(),
        "last_time": row.last_at.map(Timestamp::to_iso8601),
        "times": row.times,
        "event": row.event,
        "outcome": row.outcome,
        "reason": row.reason,
        "subject": row.subject,
        "session": row.session,
        "client": row.client,
        "account": row.account,
        "address": row.address,
        "actor": row.actor,
        "request_id": row.request_id,
        "details": details_of(row),
    })
}

fn details_of(row: &AuditRow) -> serde_json::Map<String, Value> {
    let words = row.detail.as_deref().unwrap_or_default().split(' ').filter_map(|word| word.split_once('='));
    words.map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// Columns first that every event has, and then what this one has besides.
fn as_text(row: &AuditRow) -> String {
    let mut line = format!("{}  {:<21}  {:<7}", row.at.to_iso8601(), row.event, row.outcome);
    let times = (row.times > 1).then(|| row.times.to_string());
    let until = row.last_at.filter(|_| row.times > 1).map(Timestamp::to_iso8601);
    for (name, value) in [
        ("reason", &row.reason),
        ("times", &times),
        ("until", &until),
        ("subject", &row.subject),
        ("session", &row.session),
        ("client", &row.client),
        ("account", &row.account),
        ("address", &row.address),
        ("actor", &row.actor),
        ("request_id", &row.request_id),
    ] {
        if let Some(value) = value {
            line.extend(["  ", name, "=", value]);
        }
    }
    if let Some(detail) = &row.detail {
        line.extend(["  ", detail]);
    }
    line
}
