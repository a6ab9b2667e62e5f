use serde::Serialize;
use utoipa::ToSchema;

use crate::models::client::Client;
use crate::types::{SessionId, Timestamp, UserId};

/// A client, as the command line prints it for programs.
#[derive(Debug, Serialize)]
pub struct ClientResponse {
    /// What it presents.
    pub client_id: String,
    /// Only when it was just made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// What operators call it.
    pub name: String,
    /// What it may use at POST /token.
    pub grants: Vec<String>,
    /// The most that its own tokens may say as their scope, and those of users who sign in through it.
    pub scopes: Vec<String>,
    /// Whom its own tokens may be for.
    pub audiences: Vec<String>,
    /// A disabled client is none.
    pub disabled: bool,
    /// ISO 8601, UTC.
    pub created_at: String,
    /// When it got its secret: ISO 8601, UTC.
    pub secret_changed_at: String,
}

impl ClientResponse {
    /// With the secret, if it was just made.
    pub fn new(client: &Client, secret: Option<&str>) -> Self {
        Self {
            client_id: client.id.clone(),
            client_secret: secret.map(str::to_owned),
            name: client.name.clone(),
            grants: client.grants().iter().map(ToString::to_string).collect(),
            scopes: client.scopes().iter().map(str::to_owned).collect(),
            audiences: client.audiences().iter().map(str::to_owned).collect(),
            disabled: client.disabled,
            created_at: client.created_at.to_iso8601(),
            secret_changed_at: client.secret_changed_at.to_iso8601(),
        }
    }
}

/// What a client is told of a token (RFC 7662, section 2.2).
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct IntrospectionResponse {
    /// Whether it is good now; if not, nothing else is said.
    pub active: bool,
    /// Who minted it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The user's id; of a client's own token the client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// Whom an access token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
    /// "tacit", or the client it was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// Good while now is before this, in seconds since 1970; a refresh token's moves on with each use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// When an access token was minted, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// Unique to an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Granted scope, space-separated; may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Absent for a user without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// "bearer" for an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<&'static str>,
}

impl IntrospectionResponse {
    /// All that is said of a token that is not good.
    pub fn inactive() -> Self {
        Self::default()
    }
}

/// The service's OAuth 2.0 metadata (RFC 8414, section 2).
#[derive(Debug, Serialize, ToSchema)]
pub struct ServerMetadataResponse {
    /// `iss` of every token.
    pub issuer: String,
    /// The public keys that verify access tokens; none while HS256 is all there is.
    pub jwks_uri: String,
    /// POST /token.
    pub token_endpoint: String,
    /// How a client may authenticate there.
    pub token_endpoint_auth_methods_supported: Vec<&'static str>,
    /// What `grant_type` may be.
    pub grant_types_supported: Vec<&'static str>,
    /// "none": there is no authorization endpoint, and nothing comes from one.
    pub response_types_supported: Vec<&'static str>,
    /// What roles grant; absent where they grant nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// POST /introspect.
    pub introspection_endpoint: String,
    /// How a client may authenticate there.
    pub introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    /// POST /revoke.
    pub revocation_endpoint: String,
    /// How a client may authenticate there.
    pub revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    /// A page for people.
    pub service_documentation: String,
}

/// A session that ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevokedSession {
    /// `sid` in tokens.
    #[schema(format = Uuid)]
    pub sid: String,
    /// ISO 8601, UTC.
    #[schema(format = DateTime)]
    pub revoked_at: String,
}

/// A user whose claims changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChangedUser {
    /// `sub` in tokens.
    #[schema(format = Uuid)]
    pub sub: String,
    /// A token with a lower `ver` is stale.
    pub ver: i64,
}

/// What makes access tokens stale that have not run out.
#[derive(Debug, Serialize, ToSchema)]
pub struct RevocationsResponse {
    /// Their tokens are good no more.
    pub sessions: Vec<RevokedSession>,
    /// Of their tokens those of a lower version are good no more.
    pub users: Vec<ChangedUser>,
}

impl RevocationsResponse {
    /// In the order given.
    pub fn new(sessions: &[(SessionId, Timestamp)], users: &[(UserId, i64)]) -> Self {
        let session =
            |(sid, at): &(SessionId, Timestamp)| RevokedSession { sid: sid.to_string(), revoked_at: at.to_iso8601() };
        let user = |(sub, ver): &(UserId, i64)| ChangedUser { sub: sub.to_string(), ver: *ver };
        Self { sessions: sessions.iter().map(session).collect(), users: users.iter().map(user).collect() }
    }
}
