//! Key material: the secrets and key pairs of access tokens, and the secrets of refresh tokens.

mod access_key;
mod access_keys;
mod directory;
mod index;
mod refresh_keys;

pub use access_key::{AccessKey, KeyPair};
pub use access_keys::AccessKeys;
pub use directory::KeyDirectory;
pub use index::{Entry, Index};
pub use refresh_keys::RefreshKeys;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::{KeyRing, generate_secret_file};
use crate::error::Error;
use crate::types::Secret;

/// The secrets of a ring, the signing one first; on a first run it is generated.
pub fn secrets_of(ring: &KeyRing) -> Result<Vec<Secret>, Error> {
    let signing = match &ring.secret {
        Some(secret) => secret.clone(),
        None => generate_secret_file(&ring.generated_file)
            .map_err(|error| Error::Internal(format!("{}: {error}", ring.generated_file.display())))?,
    };
    Ok(std::iter::once(signing).chain(ring.previous.iter().cloned()).collect())
}

/// HMAC-SHA256 (RFC 2104); a key of any length is good.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = new_mac(key);
    mac.update(message);
    mac.finalize().into_bytes().into()
}

#[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length, and so does this library")]
fn new_mac(key: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length")
}
