//! What is built once, by `serve` and by tests alike, and knows no service.

mod audit;
mod gate;
mod hasher;
mod keys;
mod metrics;
mod recent;
mod revocations;
mod rotations;

pub use audit::AuditQueue;
pub use gate::{Gate, Line, Ticket};
pub use hasher::Hasher;
pub use keys::{AccessKey, AccessKeys, Entry, Index, KeyDirectory, KeyPair, RefreshKeys, secrets_of};
pub use metrics::{Metrics, Readings};
pub use recent::Recent;
pub use revocations::{Polled, Revocations};
pub use rotations::{Place, Rotations};

use std::sync::Arc;

use crate::config::Config;
use crate::error::Error;
use crate::models::Database;
use crate::types::Clock;

/// The service's parts, shared by all requests.
pub struct App {
    /// What the operator configured.
    pub config: Config,
    /// The pool of connections.
    pub database: Database,
    /// What signs and verifies access tokens.
    pub access_keys: AccessKeys,
    /// What authenticates refresh tokens.
    pub refresh_keys: RefreshKeys,
    /// The wall clock.
    pub clock: Clock,
    /// The threads that hash passwords.
    pub hasher: Hasher,
    /// Where sign-ins of one account, or from one address, wait for each other.
    pub gate: Arc<Gate>,
    /// Revoked sessions and stale users.
    pub revocations: Revocations,
    /// Where this replica's last rotations happened.
    pub rotations: Rotations,
    /// Refusals on their way into the audit trail.
    pub audit: AuditQueue,
    /// What operators watch.
    pub metrics: Metrics,
}

impl App {
    /// Builds every part; on a first run this writes the secrets that the configuration lacks.
    pub fn build(config: Config, clock: Clock) -> Result<Self, Error> {
        let database = Database::open(&config.database, &clock)?;
        let metrics = Metrics::new();
        let access_keys = AccessKeys::load(&config.tokens, &clock, metrics.signing_keys_failures.clone())?;
        let refresh_keys = RefreshKeys::load(&config.sessions.keys)?;
        let hasher = Hasher::start(config.passwords.hash_workers, config.passwords.hash_queue)?;
        let remembered = config.tokens.access_ttl + config.sessions.grace;
        Ok(Self {
            database,
            access_keys,
            refresh_keys,
            hasher,
            gate: Arc::default(),
            revocations: Revocations::new(remembered),
            rotations: Rotations::default(),
            audit: AuditQueue::default(),
            metrics,
            clock,
            config,
        })
    }
}
