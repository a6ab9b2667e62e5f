//! The schema's migrations, built into the binary, one folder per database.

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, HarnessWithOutput, MigrationHarness, embed_migrations};

use super::connection::AnyConnection;
use crate::error::Error;

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Database(format!("migration failed: {error}"))
}

/// Applies what is pending and tells how many that were. On PostgreSQL an advisory lock lets one replica at a time do it.
pub fn run(connection: &mut AnyConnection) -> Result<usize, Error> {
    match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.immediate_transaction(|sqlite| {
            HarnessWithOutput::new(sqlite, std::io::sink())
                .run_pending_migrations(SQLITE)
                .map(|applied| applied.len())
                .map_err(failed)
        }),
        AnyConnection::Postgres(postgres) => {
            // A migration may take longer than a request may.
            diesel::sql_query("SET statement_timeout = 0").execute(postgres).map_err(failed)?;
            diesel::sql_query("SET lock_timeout = 0").execute(postgres).map_err(failed)?;
            diesel::sql_query("SELECT pg_advisory_lock(hashtext('tacit migrations'))")
                .execute(postgres)
                .map_err(failed)?;
            let applied = postgres.run_pending_migrations(POSTGRES).map(|applied| applied.len()).map_err(failed);
            diesel::sql_query("SELECT pg_advisory_unlock(hashtext('tacit migrations'))")
                .execute(postgres)
                .map_err(failed)?;
            applied
        }
    }
}

/// Whether the schema is older than this binary.
pub fn is_pending(connection: &mut AnyConnection) -> Result<bool, Error> {
    match connection {
        AnyConnection::Sqlite(sqlite) => sqlite.has_pending_migration(SQLITE),
        AnyConnection::Postgres(postgres) => postgres.has_pending_migration(POSTGRES),
    }
    .map_err(failed)
}
