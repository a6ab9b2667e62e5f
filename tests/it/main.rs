//! Every promise of the service, proven from outside: the built binary, over HTTP, on SQLite and on PostgreSQL.
//!
//! `cargo test` runs on SQLite; with `TACIT_TEST_POSTGRES` set to the URL of a server where databases may be created it
//! runs on PostgreSQL. Every test has a service and a database of its own.

mod app;
mod database;
mod jar;
mod model;
mod sign_in;
