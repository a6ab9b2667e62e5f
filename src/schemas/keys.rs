use serde::Serialize;
use utoipa::ToSchema;

use crate::types::PublicKey;

/// The public half of a signing key (RFC 7517, RFC 8037): what verifies, and nothing that could sign.
#[derive(Debug, Serialize, ToSchema)]
pub struct JsonWebKey {
    /// "OKP" or "EC".
    pub kty: &'static str,
    /// "Ed25519" or "P-256".
    pub crv: &'static str,
    /// The key, or a coordinate, in base64url.
    pub x: String,
    /// The other coordinate, of "EC" only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// "EdDSA" or "ES256": the only algorithm that it is for.
    pub alg: &'static str,
    /// "sig".
    #[serde(rename = "use")]
    pub usage: &'static str,
    /// As tokens name it: the thumbprint of RFC 7638.
    pub kid: String,
}

impl From<&PublicKey> for JsonWebKey {
    fn from(key: &PublicKey) -> Self {
        Self {
            kty: key.key_type(),
            crv: key.curve(),
            x: key.x(),
            y: key.y(),
            alg: key.algorithm().as_str(),
            usage: "sig",
            kid: key.thumbprint(),
        }
    }
}

/// The keys that verify access tokens; without EdDSA and ES256 there is none to publish.
#[derive(Debug, Serialize, ToSchema)]
pub struct JsonWebKeySet {
    /// In the order in which they were added.
    pub keys: Vec<JsonWebKey>,
}
