//! The refresh token: what it holds and how it proves that it is ours, before any database is asked.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::Mac;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::app::RefreshKeys;
use crate::models::session::Session;
use crate::types::{SessionId, Timestamp};

const PREFIX: &str = "rt1_";
const SIGNED: usize = 1 + 16 + 8 + 5 + 8 + 16;
const MAC: usize = 16;

/// A refresh token whose MAC was good, or that is about to be minted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// Whose it is.
    pub session_id: SessionId,
    /// How many rotations came before it.
    pub generation: i64,
    /// The session's absolute limit, in whole seconds.
    pub expires_at: Timestamp,
    /// Random at every minting: tells tokens of one generation apart.
    pub branch: [u8; 8],
    /// Random per session; the database holds only its SHA-256.
    pub secret: [u8; 16],
}

/// Why a text is no refresh token to look up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Not of this format, of an unknown key, or altered.
    Invalid,
    /// Ours, but past the absolute limit.
    Expired,
}

impl RefreshToken {
    /// `rt1_` and the base64url of: key id (1 byte), session id (16), generation (8), expiry (5), branch (8), secret (16),
    /// and the first 16 bytes of HMAC-SHA256 over all that.
    pub fn encode(&self, keys: &RefreshKeys) -> String {
        let mut bytes = Vec::with_capacity(SIGNED + MAC);
        let key_id = keys.signing_id();
        bytes.push(key_id);
        bytes.extend_from_slice(self.session_id.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        let [_, _, _, expiry @ ..] = self.expires_at.unix_seconds().to_be_bytes();
        bytes.extend_from_slice(&expiry);
        bytes.extend_from_slice(&self.branch);
        bytes.extend_from_slice(&self.secret);
        if let Some(mac) = keys.mac(key_id, &bytes) {
            bytes.extend(mac.finalize().into_bytes().into_iter().take(MAC));
        }
        format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a token and checks its MAC, in constant time, and then its expiry.
    pub fn decode(keys: &RefreshKeys, text: &str, now: Timestamp) -> Result<Self, Unusable> {
        let token = Self::decode_expired(keys, text)?;
        if now >= token.expires_at { Err(Unusable::Expired) } else { Ok(token) }
    }

    /// The same, whatever the expiry: enough to sign out with.
    pub fn decode_expired(keys: &RefreshKeys, text: &str) -> Result<Self, Unusable> {
        Self::parse(keys, text).ok_or(Unusable::Invalid)
    }

    fn parse(keys: &RefreshKeys, text: &str) -> Option<Self> {
        let encoded = text.strip_prefix(PREFIX)?;
        let mut bytes = [0; SIGNED + MAC];
        // An exact length is refused before any decoding.
        if encoded.len() != (SIGNED + MAC).div_ceil(3) * 4 - 2 {
            return None;
        }
        let length = BASE64_URL_SAFE_NO_PAD.decode_slice(encoded, &mut bytes).ok()?;
        let (signed, mac) = bytes.get(..length)?.split_at_checked(SIGNED)?;
        let (&key_id, rest) = signed.split_first()?;
        keys.mac(key_id, signed)?.verify_truncated_left(mac).ok()?;

        let (session_id, rest) = rest.split_first_chunk::<16>()?;
        let (generation, rest) = rest.split_first_chunk::<8>()?;
        let (expiry, rest) = rest.split_first_chunk::<5>()?;
        let (branch, rest) = rest.split_first_chunk::<8>()?;
        let (secret, _) = rest.split_first_chunk::<16>()?;
        let expiry = expiry.iter().fold(0, |seconds: i64, byte| (seconds << 8) | i64::from(*byte));
        Some(Self {
            session_id: SessionId::from_bytes(*session_id),
            generation: i64::from_be_bytes(*generation),
            expires_at: Timestamp::from_unix_seconds(expiry),
            branch: *branch,
            secret: *secret,
        })
    }

    /// What the row holds of the secret part.
    pub fn secret_hash(&self) -> [u8; 32] {
        Sha256::digest(self.secret).into()
    }

    /// Whether its secret part is this session's, compared in constant time.
    pub fn is_of(&self, session: &Session) -> bool {
        self.secret_hash().ct_eq(session.secret_hash.as_slice()).into()
    }

    /// Which of several tokens counts: the latest absolute expiry, then the highest generation, then the highest branch.
    pub fn precedence(&self) -> (Timestamp, i64, [u8; 8]) {
        (self.expires_at, self.generation, self.branch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeyRing;
    use crate::types::{Secret, random_bytes};

    fn keys(secrets: &[u8]) -> RefreshKeys {
        let mut secrets = secrets.iter().map(|byte| Secret::new(vec![*byte; 32]));
        let secret = secrets.next();
        let generated_file = std::path::PathBuf::from("unused");
        RefreshKeys::load(&KeyRing { secret, previous: secrets.collect(), generated_file }).unwrap()
    }

    fn token() -> RefreshToken {
        RefreshToken {
            session_id: SessionId::random(),
            generation: 7,
            expires_at: Timestamp::from_unix_seconds(2_000_000_000),
            branch: random_bytes(),
            secret: random_bytes(),
        }
    }

    const NOW: i64 = 1_900_000_000;

    #[test]
    fn a_token_comes_back_as_it_was_also_under_a_previous_key() {
        let (old, token) = (keys(&[1]), token());
        let text = token.encode(&old);
        let now = Timestamp::from_unix_seconds(NOW);
        assert_eq!(RefreshToken::decode(&old, &text, now), Ok(token.clone()));
        assert_eq!(RefreshToken::decode(&keys(&[2, 1]), &text, now), Ok(token));
        assert_eq!(RefreshToken::decode(&keys(&[2]), &text, now), Err(Unusable::Invalid));
        assert!(text.len() < 100);
    }

    #[test]
    fn expiry_counts_only_under_a_good_mac() {
        let (keys, token) = (keys(&[1]), token());
        assert_eq!(RefreshToken::decode(&keys, &token.encode(&keys), token.expires_at), Err(Unusable::Expired));
        assert_eq!(RefreshToken::decode_expired(&keys, &token.encode(&keys)), Ok(token));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_invalid() {
        let keys = keys(&[1]);
        let text = token().encode(&keys);
        let raw = BASE64_URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX).unwrap()).unwrap();
        for bit in 0..raw.len() * 8 {
            let mut altered = raw.clone();
            altered[bit / 8] ^= 1 << (bit % 8);
            let altered = format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(altered));
            let now = Timestamp::from_unix_seconds(NOW);
            assert_eq!(RefreshToken::decode(&keys, &altered, now), Err(Unusable::Invalid), "bit {bit}");
        }
    }

    #[test]
    fn garbage_is_invalid() {
        let keys = keys(&[1]);
        let good = token().encode(&keys);
        for text in [
            "",
            "rt1_",
            "x",
            &good[4..],
            &good[..good.len() - 1],
            &format!("{good}A"),
            &format!("{good}="),
            &"rt1_A".repeat(2000),
        ] {
            assert_eq!(RefreshToken::decode_expired(&keys, text), Err(Unusable::Invalid), "{text}");
        }
    }
}
