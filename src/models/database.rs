use std::os::unix::fs::DirBuilderExt;

use r2d2::ManageConnection;

use super::connection::Manager;
use super::migrations;
use crate::config::{DatabaseConfig, DatabaseUrl};
use crate::error::Error;
use crate::types::Clock;

/// A pooled connection.
pub type PooledConnection = r2d2::PooledConnection<Manager>;

/// The pool of connections to the configured database.
pub struct Database {
    pool: r2d2::Pool<Manager>,
    manager: Manager,
    embedded: bool,
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
        let pool = r2d2::Pool::builder()
            .max_size(config.pool_size)
            .min_idle(Some(1))
            .connection_timeout(config.acquire_timeout)
            .idle_timeout(Some(std::time::Duration::from_secs(600)))
            .max_lifetime(None)
            .error_handler(Box::new(LogConnectionErrors))
            .build_unchecked(manager.clone());
        let database = Self { pool, manager, embedded };
        if embedded {
            database.migrate()?;
        }
        Ok(database)
    }

    /// A connection; waits at most `database.acquire_timeout`.
    pub fn connection(&self) -> Result<PooledConnection, Error> {
        Ok(self.pool.get()?)
    }

    /// Applies pending migrations, on a connection of its own, whose statements may take long; tells how many.
    pub fn migrate(&self) -> Result<usize, Error> {
        let mut connection = self.manager.connect().map_err(|error| Error::Database(error.to_string()))?;
        migrations::run(&mut connection)
    }

    /// Whether this is the embedded database, which every command migrates by itself.
    pub fn is_embedded(&self) -> bool {
        self.embedded
    }

    /// Connections that are open, and those of them nobody uses now.
    pub fn connections(&self) -> (u32, u32) {
        let state = self.pool.state();
        (state.connections, state.idle_connections)
    }
}

/// A failed connection attempt is a warning: who needs the connection gets an error of its own.
#[derive(Debug)]
struct LogConnectionErrors;

impl r2d2::HandleError<diesel::r2d2::Error> for LogConnectionErrors {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        log::warn!(event = "database_connection_failed"; "{error}");
    }
}
