use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{Failure, build_app, load_configuration, print_line};
use crate::app::{AccessKey, App, Entry, KeyDirectory, secrets_of};
use crate::config::Overrides;
use crate::logging;
use crate::server;
use crate::services::audit;
use crate::services::signing_keys::{self, SigningKey};
use crate::types::{Clock, SigningAlgorithm, Timestamp, Words};

/// The record may take this many times `database.acquire_timeout`: the wait for a connection, and a statement.
const RECORD_TIMEOUT_FACTOR: u32 = 2;

/// `tacit keys ..`; running replicas follow within two seconds.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a key pair that verifies and is published, and does not sign yet.
    Generate {
        /// EdDSA or ES256.
        #[arg(long)]
        alg: SigningAlgorithm,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Add a key pair of Ed25519 or P-256 that something else made; it does not sign yet.
    Import {
        /// A PEM file, PKCS#8 and not encrypted.
        file: PathBuf,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Let the newest key pair sign.
    Rotate {
        /// The newest of this algorithm; HS256: tokens.secret signs again.
        #[arg(long)]
        alg: Option<SigningAlgorithm>,
    },
    /// List all keys, and which of them signs.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Drop a key pair for good; refused while tokens that it signed can be good.
    Retire {
        /// The key's id.
        #[arg(allow_hyphen_values = true)]
        kid: String,
        /// Now, though its tokens are refused from then on. Never the key that signs.
        #[arg(long)]
        force: bool,
    },
    /// Print the secret by which a backend verifies tokens for its audience, while HS256 signs.
    Show {
        /// Whom the tokens are for; another than tokens.audience.
        #[arg(long)]
        audience: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(overrides: &Overrides, command: Command) -> Result<(), Failure> {
    let config = load_configuration(overrides)?.config.tokens;
    let directory = KeyDirectory::new(&config.keys_dir);
    let now = Clock::default().now();
    match command {
        Command::Generate { alg, json } => {
            let entry = signing_keys::generate(&directory, alg, now)?;
            record(overrides, "generated", &entry.kid);
            print_added(&entry, json)
        }
        Command::Import { file, json } => {
            let failed = |error| Failure::Failed(format!("{} cannot be read: {error}", file.display()));
            let pem = std::fs::read(&file).map_err(failed)?;
            let entry = signing_keys::import(&directory, &pem, now)?;
            record(overrides, "imported", &entry.kid);
            print_added(&entry, json)
        }
        Command::Rotate { alg } => match signing_keys::rotate(&directory, alg, config.access_ttl, now)? {
            Some(entry) => {
                record(overrides, "rotated", &entry.kid);
                print_line(format_args!("{} signs from now on, by {}.", entry.kid, entry.alg))
            }
            None => {
                let secrets = secrets_of(&config.keys)?;
                record(overrides, "rotated", &secrets.first().map(AccessKey::kid_of).unwrap_or_default());
                print_line("tokens.secret signs from now on, by HS256.")
            }
        },
        Command::List { json } => list(&signing_keys::list(&directory, &config)?, json),
        Command::Retire { kid, force } => {
            signing_keys::retire(&directory, &kid, force, config.access_ttl, now)?;
            record(overrides, "retired", &kid);
            print_line(format_args!("{kid} is retired."))
        }
        Command::Show { audience, json } => {
            match Words::of(std::slice::from_ref(&audience)) {
                Ok(words) if words.first() == Some(audience.as_str()) => {}
                Ok(_) => return Err(Failure::Usage("--audience: expected one word".to_owned())),
                Err(expected) => return Err(Failure::Usage(format!("--audience: expected {expected}"))),
            }
            let (kid, secret) = signing_keys::secret_for(&config, &audience)?;
            let secret = String::from_utf8_lossy(secret.expose());
            if json {
                return print_line(json!({"audience": audience, "alg": "HS256", "kid": kid, "secret": secret}));
            }
            print_line(secret)
        }
    }
}

/// Writes what was done into the audit trail. The keys are needed also while the database is away or silent: then the
/// log says so, and soon.
fn record(overrides: &Overrides, act: &'static str, kid: &str) {
    let recorded = build_app(overrides).and_then(|app| {
        let (app, context, kid) = (Arc::new(app), logging::context(), kid.to_owned());
        let limit = app.config.database.acquire_timeout.saturating_mul(RECORD_TIMEOUT_FACTOR);
        let write = move |app: &App| logging::within(context, || audit::record_key_change(app, act, &kid));
        Ok(server::in_time(&app, limit, write)?)
    });
    if let Err(error) = recorded {
        log::warn!(event = "audit_trail", outcome = "failure", kid = kid; "not in the audit trail: a key was {act}: {error}");
    }
}

fn print_added(entry: &Entry, json: bool) -> Result<(), Failure> {
    if json {
        let (alg, created_at) = (entry.alg.as_str(), entry.created_at.to_iso8601());
        return print_line(json!({"kid": entry.kid, "alg": alg, "created_at": created_at}));
    }
    print_line(format_args!("{} verifies from now on, by {}.", entry.kid, entry.alg))?;
    print_line("It signs after `tacit keys rotate`; leave backends a minute to fetch it.")
}

fn list(keys: &[SigningKey], json: bool) -> Result<(), Failure> {
    if json {
        return print_line(Value::Array(keys.iter().map(as_json).collect()));
    }
    for key in keys {
        let state = if key.signs { "signs" } else { "verifies" };
        let since = match (key.created_at, key.signed_until) {
            (None, _) => "of the configuration".to_owned(),
            (Some(created), None) => format!("added {}", created.to_iso8601()),
            (Some(_), Some(until)) => format!("signed until {}", until.to_iso8601()),
        };
        print_line(format_args!("{:<43}  {:<5}  {state:<8}  {since}", key.kid, key.algorithm.as_str()))?;
    }
    Ok(())
}

fn as_json(key: &SigningKey) -> Value {
    let time = |moment: Option<Timestamp>| moment.map(Timestamp::to_iso8601);
    json!({
        "kid": key.kid,
        "alg": key.algorithm.as_str(),
        "signs": key.signs,
        "created_at": time(key.created_at),
        "signed_until": time(key.signed_until),
        "retirable_at": time(key.retirable_at),
    })
}
