//! Access tokens (RFC 7519, RFC 9068): what they say, minting them, and every rule by which one is good.

mod claims;
mod mint;
mod verify;

pub use self::claims::{Claims, ClientClaims};
pub use self::mint::{AccessToken, ClientAccessToken, mint, mint_for_client};
pub use self::verify::{Flaw, Verified, named_key, names_unread_key, verify, verify_any};

/// RFC 9068, section 2.1.
const TYPE: &str = "at+jwt";
