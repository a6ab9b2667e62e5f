use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{hmac_sha256, new_mac, secrets_of};
use crate::config::KeyRing;
use crate::error::Error;
use crate::types::Secret;

/// The keys of refresh tokens: one signs, all verify, each found by its id byte.
pub struct RefreshKeys {
    signing: (u8, Secret),
    previous: Vec<(u8, Secret)>,
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
        let mut keys = keys.into_iter();
        let signing = keys.next().ok_or_else(|| Error::Internal("no secret of [sessions]".to_owned()))?;
        Ok(Self { signing, previous: keys.collect() })
    }

    /// The signing one first.
    fn all(&self) -> impl Iterator<Item = &(u8, Secret)> {
        std::iter::once(&self.signing).chain(&self.previous)
    }

    /// The id of the key that signs.
    pub fn signing_id(&self) -> u8 {
        self.signing.0
    }

    /// The HMAC over `message` under a key that is derived from the signing one, for one purpose only.
    pub fn tag(&self, purpose: &[u8], message: &[u8]) -> [u8; 32] {
        derived(&self.signing.1, purpose, message)
    }

    /// The tags of a message under all of the keys, the signing one's first.
    pub fn tags(&self, purpose: &[u8], message: &[u8]) -> Vec<[u8; 32]> {
        self.all().map(|(_, secret)| derived(secret, purpose, message)).collect()
    }

    /// Whether this is the tag of that message under any of the keys.
    pub fn is_tag(&self, purpose: &[u8], message: &[u8], tag: &[u8]) -> bool {
        self.all().any(|(_, secret)| bool::from(derived(secret, purpose, message).as_slice().ct_eq(tag)))
    }

    /// The HMAC over `message` under the key of this id, to be finished or verified; `None` for an unknown id.
    pub fn mac(&self, id: u8, message: &[u8]) -> Option<Hmac<Sha256>> {
        let (_, secret) = self.all().find(|(known, _)| *known == id)?;
        let mut mac = new_mac(secret.expose());
        mac.update(message);
        Some(mac)
    }
}

/// The HMAC over `message` under a key that is derived from `secret`, for one purpose only.
fn derived(secret: &Secret, purpose: &[u8], message: &[u8]) -> [u8; 32] {
    hmac_sha256(&hmac_sha256(secret.expose(), purpose), message)
}
