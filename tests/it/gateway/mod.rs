//! What /verify promises gateways; real ones stand in tests/gateways.

mod lost_cookie;
mod mounts;
mod navigation;
mod verify;

use crate::app::{Setup, Tacit};

/// A service that trusts this machine's gateways.
pub fn trusting() -> Setup {
    let setup = Setup::default().short_windows().set("server.trusted_proxies", "127.0.0.1");
    setup.set("oauth.role_scopes", "user=read")
}

/// The same, started.
pub async fn behind_a_gateway() -> Tacit {
    trusting().start().await
}

/// A header of an answer; `None` if it is absent.
pub fn header<'a>(answer: &'a reqwest::Response, name: &str) -> Option<&'a str> {
    answer.headers().get(name).map(|value| value.to_str().expect("ASCII"))
}
