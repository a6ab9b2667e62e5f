//! The rules: plain synchronous functions from `&App` and input to a result, without HTTP.

pub mod account;
pub mod audit;
pub mod audit_trail;
pub mod authenticate;
pub mod client_token;
pub mod clients;
pub mod explain;
pub mod introspection;
pub mod log_in;
pub mod log_out;
pub mod passwords;
pub mod purge;
pub mod refresh;
pub mod refresh_token;
pub mod register;
pub mod revocations;
pub mod revoke_token;
pub mod scopes;
pub mod sessions;
pub mod signing_keys;
pub mod throttle;
pub mod tokens;
pub mod users;
