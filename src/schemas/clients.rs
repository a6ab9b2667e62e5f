use serde::Serialize;

use crate::models::client::Client;

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
    /// The most that its own tokens may say as their scope.
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
