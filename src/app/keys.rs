use std::collections::HashMap;
use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::config::{KeyRing, generate_secret_file};
use crate::error::Error;
use crate::types::Secret;

/// The secrets of a ring, the signing one first; on a first run it is generated.
fn secrets_of(ring: &KeyRing) -> Result<Vec<Secret>, Error> {
    let signing = match &ring.secret {
        Some(secret) => secret.clone(),
        None => generate_secret_file(&ring.generated_file)
            .map_err(|error| Error::Internal(format!("{}: {error}", ring.generated_file.display())))?,
    };
    Ok(std::iter::once(signing).chain(ring.previous.iter().cloned()).collect())
}

/// HMAC-SHA256 (RFC 2104); a key of any length is good.
pub(super) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = new_mac(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length, and so does this library")]
fn new_mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}

/// One key for access tokens, good for exactly one algorithm.
pub struct AccessKey {
    /// Names the key in a token's header.
    pub kid: String,
    /// The only algorithm this key is used with (RFC 8725, section 3.1).
    pub algorithm: Algorithm,
    /// Signs.
    pub encoding: EncodingKey,
    /// Verifies.
    pub decoding: DecodingKey,
}

impl AccessKey {
    fn hs256(secret: &Secret) -> Self {
        let digest = hmac_sha256(secret.expose(), b"tacit kid");
        let kid = digest.iter().take(8).fold(String::with_capacity(16), |mut kid, byte| {
            // Writing into a String cannot fail.
            let _ = write!(kid, "{byte:02x}");
            kid
        });
        Self {
            kid,
            algorithm: Algorithm::HS256,
            encoding: EncodingKey::from_secret(secret.expose()),
            decoding: DecodingKey::from_secret(secret.expose()),
        }
    }
}

/// The keys of access tokens: one signs, all verify, each found by its exact `kid`.
pub struct AccessKeys {
    keys: HashMap<String, AccessKey>,
    signing: String,
}

impl AccessKeys {
    /// Loads the configured secrets, or the generated one.
    pub fn load(ring: &KeyRing) -> Result<Self, Error> {
        let mut signing = None;
        let mut keys = HashMap::new();
        for secret in secrets_of(ring)? {
            let key = AccessKey::hs256(&secret);
            signing.get_or_insert_with(|| key.kid.clone());
            keys.entry(key.kid.clone()).or_insert(key);
        }
        Ok(Self { keys, signing: signing.unwrap_or_default() })
    }

    /// The key that signs.
    pub fn signing(&self) -> Result<&AccessKey, Error> {
        self.find(&self.signing).ok_or_else(|| Error::Internal("no signing key".to_owned()))
    }

    /// Every key's id, and whether it is the one that signs.
    pub fn ids(&self) -> impl Iterator<Item = (&str, bool)> {
        self.keys.keys().map(|kid| (kid.as_str(), *kid == self.signing))
    }

    /// The key of this exact id.
    pub fn find(&self, kid: &str) -> Option<&AccessKey> {
        self.keys.get(kid)
    }
}

/// The keys of refresh tokens: one signs, all verify, each found by its id byte.
pub struct RefreshKeys {
    keys: Vec<(u8, Secret)>,
}

impl RefreshKeys {
    /// Loads the configured secrets, or the generated one; two keys with one id byte are refused.
    pub fn load(ring: &KeyRing) -> Result<Self, Error> {
        let mut keys: Vec<(u8, Secret)> = Vec::new();
        for secret in secrets_of(ring)? {
            let [id, ..] = hmac_sha256(secret.expose(), b"tacit key id");
            match keys.iter().find(|(known, _)| *known == id) {
                Some((_, same)) if *same == secret => {}
                Some(_) => {
                    return Err(Error::Internal(
                        "two secrets of [sessions] have one key id by chance; generate the newer one again".to_owned(),
                    ));
                }
                None => keys.push((id, secret)),
            }
        }
        Ok(Self { keys })
    }

    /// The id of the key that signs.
    pub fn signing_id(&self) -> u8 {
        self.keys.first().map_or(0, |(id, _)| *id)
    }

    /// The HMAC over `message` under a key that is derived from the signing one, for one purpose only.
    pub fn tag(&self, purpose: &[u8], message: &[u8]) -> [u8; 32] {
        let secret = self.keys.first().map_or(&[][..], |(_, secret)| secret.expose());
        hmac_sha256(&hmac_sha256(secret, purpose), message)
    }

    /// The tags of a message under all of the keys, the signing one's first.
    pub fn tags(&self, purpose: &[u8], message: &[u8]) -> Vec<[u8; 32]> {
        let tag = |secret: &Secret| hmac_sha256(&hmac_sha256(secret.expose(), purpose), message);
        self.keys.iter().map(|(_, secret)| tag(secret)).collect()
    }

    /// Whether this is the tag of that message under any of the keys.
    pub fn is_tag(&self, purpose: &[u8], message: &[u8], tag: &[u8]) -> bool {
        self.keys.iter().any(|(_, secret)| {
            let expected = hmac_sha256(&hmac_sha256(secret.expose(), purpose), message);
            bool::from(expected.as_slice().ct_eq(tag))
        })
    }

    /// The HMAC over `message` under the key of this id, to be finished or verified; `None` for an unknown id.
    pub fn mac(&self, id: u8, message: &[u8]) -> Option<Hmac<Sha256>> {
        let (_, secret) = self.keys.iter().find(|(known, _)| *known == id)?;
        let mut mac = new_mac(secret.expose());
        mac.update(message);
        Some(mac)
    }
}
