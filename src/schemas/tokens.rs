use std::ops::Range;

use serde::Serialize;
use utoipa::ToSchema;

use crate::types::Timestamp;

/// A successful answer of the token endpoint (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenResponse {
    /// A JWT.
    pub access_token: String,
    /// Always "bearer".
    pub token_type: &'static str,
    /// The access token's lifetime, in seconds.
    pub expires_in: i64,
    /// When it runs out: ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub expires_at: String,
    /// Absent for a page of another origin, and when a refresh leaves the client its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// Granted scope, unless empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// After a refresh: whether `refresh_token` differs from the one presented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rotated: Option<bool>,
}

impl TokenResponse {
    /// An access token alone, which is good during `lifetime`, in seconds since 1970.
    pub fn new(access_token: String, scope: String, lifetime: Range<i64>) -> Self {
        Self {
            access_token,
            token_type: "bearer",
            expires_in: lifetime.end - lifetime.start,
            expires_at: Timestamp::from_unix_seconds(lifetime.end).to_iso8601(),
            refresh_token: None,
            scope,
            rotated: None,
        }
    }
}
