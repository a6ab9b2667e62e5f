//! Real gateways, started from the very files of examples/gateways, in front of a small API.
//!
//! Not part of plain `cargo test`, which needs no gateway: `scripts/test` installs nginx, Caddy, HAProxy and Envoy
//! and runs `cargo test --test gateways`. A gateway that is missing fails its tests and says which package has it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "a test fails by panicking, and keeps time by itself"
)]

#[path = "../it/app.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod app;
#[path = "../it/database.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod database;
#[path = "../it/jar.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod jar;
#[path = "../it/raw.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod raw;

mod caddy;
mod contract;
mod doctor;
mod envoy;
mod front;
mod haproxy;
mod nginx;
mod upstream;

/// A service that trusts this machine's gateways, with a scope for the mounts that ask for one.
fn trusting() -> app::Setup {
    app::Setup::default().set("server.trusted_proxies", "127.0.0.1").set("oauth.role_scopes", "user=read")
}

/// A header of an answer; `None` if it is absent.
fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().expect("ASCII"))
}
