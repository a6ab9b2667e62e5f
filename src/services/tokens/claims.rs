use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::types::{SessionId, UserId};

/// What an access token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who minted it.
    pub iss: String,
    /// The user.
    pub sub: UserId,
    /// Whom it is for.
    pub aud: String,
    /// "tacit" for first-party sign-in.
    pub client_id: String,
    /// Good while now is before this, in seconds since 1970.
    pub exp: i64,
    /// Minted at, in seconds since 1970.
    pub iat: i64,
    /// Not good before this; we set none, and honour one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// Unique.
    pub jti: Uuid,
    /// The session.
    pub sid: SessionId,
    /// The session's generation when it was minted.
    #[serde(rename = "gen")]
    pub generation: i64,
    /// The user's version when it was minted.
    pub ver: i64,
    /// When the password was checked, in seconds since 1970.
    pub auth_time: i64,
    /// Absent for a user without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The user's one role.
    pub role: String,
    /// The same, in a list.
    pub roles: Vec<String>,
    /// Granted scope, space-separated.
    pub scope: String,
}

/// What an access token of a client itself says: no session, no user, and nothing else (RFC 9068, section 2.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientClaims {
    /// Who minted it.
    pub iss: String,
    /// The client.
    pub sub: String,
    /// Whom it is for.
    pub aud: String,
    /// The same as `sub`.
    pub client_id: String,
    /// Good while now is before this, in seconds since 1970.
    pub exp: i64,
    /// Minted at, in seconds since 1970.
    pub iat: i64,
    /// Unique.
    pub jti: Uuid,
    /// Granted scope, space-separated.
    pub scope: String,
}
