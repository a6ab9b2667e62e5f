//! Tacit: an authentication microservice that renews access tokens silently.
//!
//! The layers, each of which imports only from those to its right:
//! `cli -> server -> routers -> services -> app -> models -> types`. `schemas` are known by `routers` only; `error`,
//! `config` and `types` are leaves. docs/architecture.md is the map, with the two flows worth knowing: a sign-in and a
//! silent refresh.

pub mod app;
pub mod cli;
pub mod config;
pub mod error;
pub mod logging;
pub mod models;
pub mod routers;
pub mod schemas;
pub mod server;
pub mod services;
pub mod types;
