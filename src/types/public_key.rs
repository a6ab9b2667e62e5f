use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::SigningAlgorithm;

/// Bytes of an Ed25519 key and of a coordinate on P-256.
const LENGTH: usize = 32;

/// The public half of a signing key: what a JWK tells (RFC 7517), and nothing that could sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RFC 8037.
    Ed25519([u8; LENGTH]),
    /// A point on P-256 (RFC 7518, section 6.2).
    P256 {
        /// Big-endian.
        x: [u8; LENGTH],
        /// Big-endian.
        y: [u8; LENGTH],
    },
}

impl PublicKey {
    /// From the 32 bytes of RFC 8032.
    pub fn from_ed25519(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::Ed25519)
    }

    /// From an uncompressed point: 4, x, y (SEC 1, section 2.3.3).
    pub fn from_p256(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(LENGTH)?;
        Some(Self::P256 { x: x.try_into().ok()?, y: y.try_into().ok()? })
    }

    /// The only algorithm that it verifies.
    pub fn algorithm(&self) -> SigningAlgorithm {
        match self {
            Self::Ed25519(_) => SigningAlgorithm::EdDsa,
            Self::P256 { .. } => SigningAlgorithm::Es256,
        }
    }

    /// `kty`.
    pub fn key_type(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "OKP",
            Self::P256 { .. } => "EC",
        }
    }

    /// `crv`.
    pub fn curve(&self) -> &'static str {
        match self {
            Self::Ed25519(_) => "Ed25519",
            Self::P256 { .. } => "P-256",
        }
    }

    /// `x`, in base64url.
    pub fn x(&self) -> String {
        match self {
            Self::Ed25519(x) | Self::P256 { x, .. } => BASE64_URL_SAFE_NO_PAD.encode(x),
        }
    }

    /// `y`, in base64url, where there is one.
    pub fn y(&self) -> Option<String> {
        match self {
            Self::Ed25519(_) => None,
            Self::P256 { y, .. } => Some(BASE64_URL_SAFE_NO_PAD.encode(y)),
        }
    }

    /// The key's id: the SHA-256 of the required members in their one order, in base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let (crv, kty, x) = (self.curve(), self.key_type(), self.x());
        let y = self.y().map(|y| format!(",\"y\":\"{y}\"")).unwrap_or_default();
        let members = format!("{{\"crv\":\"{crv}\",\"kty\":\"{kty}\",\"x\":\"{x}\"{y}}}");
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }

    /// Whether a text has the shape of a thumbprint: 43 characters of base64url, and so the name of a file too.
    pub fn is_thumbprint(text: &str) -> bool {
        text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        // Appendix A.2 and A.3.
        let x = BASE64_URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let key = PublicKey::from_ed25519(&x).unwrap();
        assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        assert!(PublicKey::is_thumbprint(&key.thumbprint()));
        assert!(PublicKey::from_ed25519(&x[1..]).is_none());
    }

    #[test]
    fn a_point_has_to_be_uncompressed_and_whole() {
        let point = [&[4][..], &[1; 32], &[2; 32]].concat();
        let key = PublicKey::from_p256(&point).unwrap();
        assert_eq!(key, PublicKey::P256 { x: [1; 32], y: [2; 32] });
        for bad in [&point[1..], &point[..64], &[3; 33], &[point.as_slice(), &[0]].concat()] {
            assert!(PublicKey::from_p256(bad).is_none());
        }
    }

    #[test]
    fn a_thumbprint_is_no_path() {
        for bad in ["", "..", "../../../../../../../../../../../../../etc/pass", &"a".repeat(42), &"a".repeat(44)] {
            assert!(!PublicKey::is_thumbprint(bad), "{bad}");
        }
    }
}
