//! Tokens as an attacker, a careless library or a replaced key would make them.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::{Sha256, Sha384};

/// A secret that tests give to the service.
pub const SECRET: &str = "Zk3vQ8sL1xT0pWm9eRy7Uc2Hb6Nf4Jd5aGiB";

/// Another one.
pub const OTHER_SECRET: &str = "hN7rT2kV9bX4mQ6wE1yC8uL5oJ3pA0sDfGzK";

/// base64url without padding.
pub fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// HMAC-SHA256 (RFC 2104).
pub fn hmac_sha256(secret: impl AsRef<[u8]>, message: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_ref()).expect("a key");
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The key id of a secret: the first 16 hex digits of HMAC-SHA256(key, "tacit kid").
pub fn kid(secret: impl AsRef<[u8]>) -> String {
    let digest = hmac_sha256(secret, "tacit kid");
    let first = digest.first_chunk::<8>().expect("eight bytes");
    format!("{:016x}", u64::from_be_bytes(*first))
}

/// The header that the service itself writes.
pub fn header() -> Value {
    json!({"alg": "HS256", "typ": "at+jwt", "kid": kid(SECRET)})
}

/// Header and payload as given, signed with HS256 under a secret.
pub fn sign_text(header: &str, payload: &str, secret: impl AsRef<[u8]>) -> String {
    let signed = format!("{}.{}", encode(header), encode(payload));
    let signature = encode(hmac_sha256(secret, &signed));
    format!("{signed}.{signature}")
}

/// The same from JSON, under [`SECRET`].
pub fn sign(header: &Value, payload: &Value) -> String {
    sign_text(&header.to_string(), &payload.to_string(), SECRET)
}

/// Signed with HS384, and saying so.
pub fn sign_hs384(payload: &Value) -> String {
    let mut header = header();
    header["alg"] = json!("HS384");
    let signed = format!("{}.{}", encode(header.to_string()), encode(payload.to_string()));
    let mut mac = Hmac::<Sha384>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", encode(mac.finalize().into_bytes()))
}
