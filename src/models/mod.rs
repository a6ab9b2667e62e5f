//! Rows and queries, without rules: the only place that knows diesel.

pub mod audit;
pub mod client;
mod connection;
mod database;
pub mod migrations;
pub mod purge;
mod schema;
pub mod session;
pub mod throttle;
mod turn;
pub mod user;

pub use connection::{AnyConnection, transaction};
pub use database::Database;
/// What a query gives.
pub use diesel::QueryResult;

use crate::error::Error;

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        Self::Database(error.to_string())
    }
}

impl From<r2d2::Error> for Error {
    fn from(error: r2d2::Error) -> Self {
        Self::Database(error.to_string())
    }
}
