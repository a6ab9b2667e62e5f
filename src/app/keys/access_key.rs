use std::fmt::Write;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};

use super::hmac_sha256;
use crate::types::{PublicKey, Secret, SigningAlgorithm};

/// What keys for audiences are derived for, in front of the audience; no other key of ours is derived by HKDF.
const DERIVED_FOR: &[u8] = b"tacit access tokens for the audience ";

/// PEM's label of PKCS#8 (RFC 7468, section 10), and of what `openssl ecparam -genkey` writes (RFC 5915).
const PKCS8: &str = "PRIVATE KEY";
const SEC1: &str = "EC PRIVATE KEY";

/// One key for access tokens, good for exactly one algorithm.
pub struct AccessKey {
    /// Names the key in a token's header.
    pub kid: String,
    /// The only algorithm this key is used with (RFC 8725, section 3.1).
    pub algorithm: SigningAlgorithm,
    /// The only audience of the tokens it signs; `None`: any. Whoever verifies by HS256 can sign, so such a key has one.
    pub audience: Option<String>,
    /// What may be published; `None` for a secret.
    pub public: Option<PublicKey>,
    /// Signs.
    pub encoding: EncodingKey,
    /// Verifies.
    pub decoding: DecodingKey,
}

impl AccessKey {
    /// The key of HS256 whose bytes a secret is, for one audience.
    pub(super) fn hs256(secret: &Secret, audience: &str) -> Self {
        Self {
            kid: Self::kid_of(secret),
            algorithm: SigningAlgorithm::Hs256,
            audience: Some(audience.to_owned()),
            public: None,
            encoding: EncodingKey::from_secret(secret.expose()),
            decoding: DecodingKey::from_secret(secret.expose()),
        }
    }

    /// The id of a key of HS256: the first 16 hex digits of HMAC-SHA256(key, "tacit kid").
    pub fn kid_of(secret: &Secret) -> String {
        let digest = hmac_sha256(secret.expose(), b"tacit kid");
        digest.iter().take(8).fold(String::with_capacity(16), |mut kid, byte| {
            // Writing into a String cannot fail.
            let _ = write!(kid, "{byte:02x}");
            kid
        })
    }

    /// Whether a text has the shape of such an id.
    pub fn is_hs256_kid(text: &str) -> bool {
        text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    }

    /// The secret of an audience: base64url of HKDF-SHA256 (RFC 5869) over `secret`, without salt, the audience in `info`.
    ///
    /// It is text, so that a backend uses it as it uses any secret from a file: its UTF-8 bytes are the key.
    #[expect(
        clippy::expect_used,
        reason = "HKDF fails beyond 255 times the hash's length only (RFC 5869, section 2.3)"
    )]
    pub fn secret_for(secret: &Secret, audience: &str) -> Secret {
        let mut derived = [0; Secret::MIN_BYTES];
        let info = [DERIVED_FOR, audience.as_bytes()];
        let pseudorandom = Salt::none(HKDF_SHA256).extract(secret.expose());
        debug_assert_eq!(HKDF_SHA256.len(), derived.len());
        let expanded = pseudorandom.expand(&info, HKDF_SHA256).and_then(|key| key.fill(&mut derived));
        expanded.expect("HKDF gives one hash's length");
        Secret::new(BASE64_URL_SAFE_NO_PAD.encode(derived))
    }
}

/// A private key and its public half, as a PEM file holds them.
pub struct KeyPair {
    /// What may be published.
    pub public: PublicKey,
    /// PKCS#8 as the library writes it.
    pkcs8: Secret,
}

impl KeyPair {
    /// Makes a new one; `None` for HS256, which has none, and when the library fails.
    pub fn generate(algorithm: SigningAlgorithm) -> Option<Self> {
        // Version 1 of PKCS#8 throughout, which OpenSSL reads too.
        let document = match algorithm {
            SigningAlgorithm::Hs256 => return None,
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()),
        };
        Self::from_der(document.ok()?.as_ref())
    }

    /// Reads a PEM file's text; the error ends the sentence "the file ..".
    pub fn from_pem(text: &[u8]) -> Result<Self, &'static str> {
        // OpenSSL may write the curve's parameters in front.
        let blocks = pem::parse_many(text).map_err(|_| "is no PEM file")?;
        let mut private = blocks.iter().filter(|block| block.tag().ends_with("PRIVATE KEY"));
        match (private.next(), private.next()) {
            (Some(block), None) if [PKCS8, SEC1].contains(&block.tag()) => {
                Self::from_der(block.contents()).ok_or("holds no private key of Ed25519 or P-256")
            }
            (Some(_), None) => Err("holds a private key in another form than unencrypted PKCS#8"),
            (None, _) => Err("holds no private key"),
            (Some(_), Some(_)) => Err("holds more than one private key"),
        }
    }

    fn from_der(der: &[u8]) -> Option<Self> {
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8(der) {
            let public = PublicKey::from_ed25519(pair.public_key().as_ref())?;
            return Some(Self { public, pkcs8: Secret::new(pair.to_pkcs8v1().ok()?.as_ref()) });
        }
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()?;
        let public = PublicKey::from_p256(pair.public_key().as_ref())?;
        Some(Self { public, pkcs8: Secret::new(pair.to_pkcs8v1().ok()?.as_ref()) })
    }

    /// The text of a PEM file, in PKCS#8.
    pub fn to_pem(&self) -> Secret {
        let block = pem::Pem::new(PKCS8, self.pkcs8.expose());
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        Secret::new(pem::encode_config(&block, lines))
    }
}

impl From<KeyPair> for AccessKey {
    fn from(pair: KeyPair) -> Self {
        let (encoding, decoding) = match &pair.public {
            PublicKey::Ed25519(x) => (EncodingKey::from_ed_der(pair.pkcs8.expose()), DecodingKey::from_ed_der(x)),
            PublicKey::P256 { x, y } => {
                let point = [&[4][..], x, y].concat();
                (EncodingKey::from_ec_der(pair.pkcs8.expose()), DecodingKey::from_ec_der(&point))
            }
        };
        let (kid, algorithm) = (pair.public.thumbprint(), pair.public.algorithm());
        Self { kid, algorithm, audience: None, public: Some(pair.public), encoding, decoding }
    }
}

impl From<SigningAlgorithm> for Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Hs256 => Self::HS256,
            SigningAlgorithm::Es256 => Self::ES256,
            SigningAlgorithm::EdDsa => Self::EdDSA,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_pair_is_read_back_as_the_same() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa] {
            let pair = KeyPair::generate(algorithm).unwrap();
            assert_eq!(pair.public.algorithm(), algorithm);
            let read = KeyPair::from_pem(pair.to_pem().expose()).unwrap();
            assert_eq!((&read.public, read.pkcs8.expose()), (&pair.public, pair.pkcs8.expose()));
            assert!(pair.to_pem().expose().starts_with(b"-----BEGIN PRIVATE KEY-----\n"));
        }
        assert!(KeyPair::generate(SigningAlgorithm::Hs256).is_none());
    }

    #[test]
    fn what_is_no_single_private_key_says_so() {
        let pem = |tag: &str, bytes: &[u8]| pem::encode(&pem::Pem::new(tag, bytes)).into_bytes();
        let good = KeyPair::generate(SigningAlgorithm::EdDsa).unwrap().to_pem().expose().to_vec();
        let refused = |text: &[u8]| KeyPair::from_pem(text).err().expect("a refusal");
        assert_eq!(refused(b""), "holds no private key");
        assert_eq!(refused(b"-----BEGIN PRIVATE KEY-----\n"), "holds no private key");
        assert_eq!(refused(b"-----BEGIN PRIVATE KEY-----\n!!\n-----END PRIVATE KEY-----\n"), "is no PEM file");
        assert_eq!(refused(&pem("PUBLIC KEY", &[1])), "holds no private key");
        assert_eq!(refused(&pem("PRIVATE KEY", &[1])), "holds no private key of Ed25519 or P-256");
        assert_eq!(
            refused(&pem("ENCRYPTED PRIVATE KEY", &[1])),
            "holds a private key in another form than unencrypted PKCS#8"
        );
        assert_eq!(refused(&[good.clone(), good].concat()), "holds more than one private key");
    }

    #[test]
    fn each_audience_has_a_secret_of_its_own_which_stays_the_same() {
        let secret = Secret::new(*b"Zk3vQ8sL1xT0pWm9eRy7Uc2Hb6Nf4Jd5");
        let of = |audience: &str| AccessKey::secret_for(&secret, audience);
        assert_eq!(of("orders"), of("orders"));
        assert_ne!(of("orders"), of("order"));
        assert_ne!(of("orders"), AccessKey::secret_for(&Secret::new(*b"another secret of thirty-two bytes"), "orders"));
        assert_eq!(of("orders").expose().len(), 43);
        assert!(AccessKey::is_hs256_kid(&AccessKey::kid_of(&of("orders"))));
    }
}
