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
#![expect(
    clippy::float_cmp,
    clippy::format_collect,
    clippy::needless_pass_by_value,
    clippy::struct_excessive_bools,
    clippy::trivially_copy_pass_by_ref,
    reason = "speed does not matter here, counters are whole, and the model's rules are many switches"
)]

mod access_tokens;
mod app;
mod architecture;
mod attacks;
mod audit;
mod bearer;
mod canary;
mod client_credentials;
mod clients;
mod command_line;
mod config;
mod config_sources;
mod container;
mod cross_site;
mod database;
mod docs;
mod doctor;
mod faults;
mod floods;
mod forge;
mod gateway;
mod headers;
mod hostile;
mod http;
mod introspect;
mod jar;
mod keys;
mod log_in;
mod logs;
mod matrix;
mod me;
mod metadata;
mod model;
mod oauth2_crate;
mod openapi;
mod operations;
mod pages;
mod panics;
mod problems;
mod properties;
mod protocol;
mod raw;
mod register;
mod requests;
mod revocations_feed;
mod revoke;
mod scope_corners;
mod scopes;
mod security_case;
mod serve;
mod sessions;
mod shapes;
mod sign_in;
mod sources;
mod supply_chain;
mod throttle;
mod token;
mod token_headers;
mod verify;
