//! What must hold for every parser of a stranger's bytes, whatever the bytes are: one module a parser, each with one
//! `check` that panics when it does not hold.
//!
//! The fuzz targets call them with what libFuzzer invents, for as long as one likes; tests/it/properties.rs includes this
//! file and calls them with mutations of the same corpus, in every run of the tests.

pub mod access_token;
pub mod authorization;
pub mod configuration;
pub mod cookies;
pub mod entity_tag;
pub mod form;
pub mod forwarded;
pub mod json;
pub mod names;
pub mod refresh_token;
pub mod return_to;
mod service;
pub mod words;

/// Panics when a promise does not hold for an input.
pub type Check = fn(&[u8]);

/// Every parser's name and check. Its corpus is in corpus/<name>, its fuzz target in fuzz_targets/<name>.rs.
pub const CHECKS: [(&str, Check); 12] = [
    ("access_token", access_token::check),
    ("authorization", authorization::check),
    ("configuration", configuration::check),
    ("cookies", cookies::check),
    ("entity_tag", entity_tag::check),
    ("form", form::check),
    ("forwarded", forwarded::check),
    ("json", json::check),
    ("names", names::check),
    ("refresh_token", refresh_token::check),
    ("return_to", return_to::check),
    ("words", words::check),
];
