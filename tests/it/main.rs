//! Every promise of the service, proven from outside: the built binary, over HTTP, on SQLite and on PostgreSQL.
//!
//! `cargo test` runs on SQLite; with `TACIT_TEST_POSTGRES` set to the URL of a server where databases may be created it
//! runs on PostgreSQL. Every test has a service and a database of its own.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and keeps time by itself"
)]

mod access_tokens;
mod app;
mod database;
mod faults;
mod forge;
mod jar;
mod log_in;
mod me;
mod pages;
mod problems;
mod raw;
mod register;
mod sessions;
mod shapes;
mod sign_in;
mod token;
