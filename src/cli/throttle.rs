use std::net::IpAddr;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{Failure, build_app, print_line};
use crate::config::Overrides;
use crate::models::throttle::Throttle;
use crate::services::throttle;
use crate::types::Timestamp;

/// Counters that `list` shows at most.
const SHOWN: i64 = 1000;

/// `tacit throttle ..`
#[derive(Subcommand)]
pub(super) enum Command {
    /// List what was counted of late, the longest block first; names and addresses are keyed hashes.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Forget failures: of an account (not those from devices that it knows), from an address, or all.
    Clear(Clear),
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub(super) struct Clear {
    /// A username, an e-mail address or an id; also one that nobody has.
    name: Option<String>,
    /// An address, with the network that it counts for.
    #[arg(long)]
    address: Option<IpAddr>,
    /// Everything.
    #[arg(long)]
    all: bool,
}

pub(super) fn run(overrides: &Overrides, command: Command) -> Result<(), Failure> {
    let app = build_app(overrides)?;
    let mut connection = app.database.connection()?;
    let connection = &mut *connection;
    match command {
        Command::List { json } => list(&throttle::list(connection, SHOWN)?, json),
        Command::Clear(Clear { name, address, .. }) => {
            let cleared = match (name, address) {
                (Some(name), _) => throttle::clear_account(&app, connection, &name)?,
                (None, Some(address)) => throttle::clear_address(&app, connection, address)?,
                (None, None) => throttle::clear_all(connection)?,
            };
            print_line(format_args!("{cleared} counters cleared."))
        }
    }
}

fn list(rows: &[(Throttle, Timestamp)], json: bool) -> Result<(), Failure> {
    if json {
        return print_line(Value::Array(rows.iter().map(|(row, now)| as_json(row, *now)).collect()));
    }
    for (row, now) in rows {
        let left = row.blocked_until.left_at(*now);
        let state = if left.is_zero() { "open".to_owned() } else { format!("blocked {} s", left.as_secs() + 1) };
        print_line(format_args!("{:<7}  {:>6} failures  {state:<15}  {}", row.kind, row.failures, row.id))?;
    }
    Ok(())
}

fn as_json(row: &Throttle, now: Timestamp) -> Value {
    let blocked = row.blocked_until > now;
    json!({
        "kind": row.kind,
        "failures": row.failures,
        "blocked_until": blocked.then(|| row.blocked_until.to_iso8601()),
        "resets_at": row.resets_at.to_iso8601(),
        "id": row.id,
    })
}
