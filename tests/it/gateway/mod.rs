//! Gateways in front: what /verify promises them, and real ones started from the examples.

mod caddy;
mod contract;
mod envoy;
mod front;
mod haproxy;
mod mounts;
mod navigation;
mod nginx;
mod upstream;
mod verify;

use crate::app::{Setup, Tacit};

/// A service that trusts this machine's gateways.
pub fn trusting() -> Setup {
    Setup::default().short_windows().set("server.trusted_proxies", "127.0.0.1")
}

/// The same, started.
pub async fn behind_a_gateway() -> Tacit {
    trusting().start().await
}

/// A header of an answer; `None` if it is absent.
pub fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().expect("ASCII"))
}
