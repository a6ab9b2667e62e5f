use std::os::unix::fs::DirBuilderExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use r2d2::ManageConnection;
use scheduled_thread_pool::{OnPoolDropBehavior, ScheduledThreadPool};

use super::connection::Manager;
use super::migrations;
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::error::Error;
use crate::types::Clock;

/// Threads that open and close the connections of one pool.
const POOL_THREADS: usize = 3;

/// A pooled connection.
pub type PooledConnection = r2d2::PooledConnection<Manager>;

/// The pool of connections to the configured database.
///
/// PostgreSQL's client library waits without a limit for a server that keeps the connection and never answers (a frozen
/// host, a failover behind a proxy), and so do the thread and the connection. Nobody can wake them: so a pool that
/// lets its users wait in vain is left to them, and everybody else gets a new one.
pub struct Database {
    current: RwLock<NumberedPool>,
    manager: Manager,
    pool_size: u32,
    acquire_timeout: Duration,
    embedded: bool,
}

#[derive(Clone)]
struct NumberedPool {
    number: u64,
    pool: r2d2::Pool<Manager>,
    given_up: Arc<AtomicBool>,
}

impl NumberedPool {
    /// It connects in the background, and again and again until that succeeds, on threads of its own: those of another pool
    /// may wait for a silent server.
    fn new(number: u64, manager: &Manager, size: u32, acquire_timeout: Duration) -> Self {
        let (manager, given_up) = manager.of_new_pool();
        // By default they outlive their pool by half a minute, and a silent server has it replaced every second or two.
        let threads = ScheduledThreadPool::builder()
            .num_threads(POOL_THREADS)
            .thread_name_pattern("pool-{}")
            .on_drop_behavior(OnPoolDropBehavior::DiscardPendingScheduled)
            .build();
        let pool = r2d2::Pool::builder()
            .thread_pool(Arc::new(threads))
            .max_size(size)
            .min_idle(Some(1))
            .connection_timeout(acquire_timeout)
            .idle_timeout(Some(Duration::from_secs(600)))
            .max_lifetime(None)
            .error_handler(Box::new(LogConnectionErrors))
            .build_unchecked(manager);
        Self { number, pool, given_up }
    }
}

impl Database {
    /// Makes the pool. It connects when first used, so that a service starts while PostgreSQL is away.
    /// The embedded database is made if it does not exist, and migrated.
    pub fn open(config: &DatabaseConfig, clock: &Clock) -> Result<Self, Error> {
        let embedded =
            match &config.url {
                DatabaseUrl::Sqlite(path) => {
                    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
                        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| {
                            Error::Database(format!("{} cannot be made: {error}", directory.display()))
                        })?;
                    }
                    true
                }
                DatabaseUrl::Postgres(_) => false,
            };
        let manager = Manager::new(config, clock.clone());
        if embedded {
            // Before the pool connects: its first connections would wait for the migrations.
            migrate(&manager)?;
        }
        let (pool_size, acquire_timeout) = (config.pool_size, config.acquire_timeout);
        let current = RwLock::new(NumberedPool::new(0, &manager, pool_size, acquire_timeout));
        Ok(Self { current, manager, pool_size, acquire_timeout, embedded })
    }

    /// A connection; waits at most `database.acquire_timeout`.
    pub fn connection(&self) -> Result<PooledConnection, Error> {
        let NumberedPool { number, pool, .. } = self.current();
        pool.get().map_err(|error| {
            if pool.state().connections == 0 {
                // Not one connection was made in time: what makes them may wait in vain itself.
                self.replace_pool(number);
            }
            error.into()
        })
    }

    /// Tells one pool from the next: whoever is about to use the database asks, for [`Self::replace_pool`].
    pub fn pool_number(&self) -> u64 {
        self.current().number
    }

    /// Makes a new pool, unless the one of this number was replaced before. Work that goes on with the old one may end.
    ///
    /// The embedded database has no server that could fall silent, and keeps its pool.
    pub fn replace_pool(&self, number: u64) {
        if self.embedded {
            return;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.number == number {
            log::warn!(event = "database_pool_replaced"; "the database does not answer: connecting anew");
            current.given_up.store(true, Ordering::Relaxed);
            *current = NumberedPool::new(number + 1, &self.manager, self.pool_size, self.acquire_timeout);
        }
    }

    fn current(&self) -> NumberedPool {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Applies pending migrations, on a connection of its own, whose statements may take long; tells how many.
    pub fn migrate(&self) -> Result<usize, Error> {
        migrate(&self.manager)
    }

    /// Connections that are open, and those of them nobody uses now.
    pub fn connections(&self) -> (u32, u32) {
        let state = self.current().pool.state();
        (state.connections, state.idle_connections)
    }
}

fn migrate(manager: &Manager) -> Result<usize, Error> {
    let mut connection = manager.connect().map_err(|error| Error::Database(error.to_string()))?;
    migrations::run(&mut connection)
}

/// A failed connection attempt is a warning: who needs the connection gets an error of its own.
#[derive(Debug)]
struct LogConnectionErrors;

impl r2d2::HandleError<diesel::r2d2::Error> for LogConnectionErrors {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        log::warn!(event = "database_connection_failed"; "{error}");
    }
}
