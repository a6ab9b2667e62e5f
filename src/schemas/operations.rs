use serde::Serialize;
use utoipa::ToSchema;

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct HealthResponse {
    /// Always "ok".
    pub status: &'static str,
}

/// Requests can be answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReadinessResponse {
    /// Always "ready".
    pub status: &'static str,
    /// Since the last successful poll of revocations, in seconds.
    pub revocation_poll_age: u64,
}

/// What this is.
#[derive(Debug, Serialize, ToSchema)]
pub struct IndexResponse {
    /// Always "tacit".
    pub name: &'static str,
    /// Where the documentation stands.
    pub docs: String,
}
