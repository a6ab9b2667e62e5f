//! Leaf values that parse at the edge: whoever holds one holds a good one.

mod algorithm;
mod client_address;
mod clock;
mod email;
mod event;
mod grant;
mod id;
mod identifier;
mod origin;
mod password;
mod public_key;
mod role;
mod secret;
mod timestamp;
mod username;
mod words;

pub use algorithm::SigningAlgorithm;
pub use client_address::client_address;
pub use clock::{Clock, Instant};
pub use email::Email;
pub use event::{Event, EventName, EventOutcome};
pub use grant::Grant;
pub use id::{SessionId, UserId};
pub use identifier::Identifier;
pub use origin::Origin;
pub use password::{MAX_ATTEMPT_BYTES, Password};
pub use public_key::PublicKey;
pub use role::Role;
pub use secret::{Secret, random_bytes};
pub use timestamp::Timestamp;
pub use username::Username;
pub use words::Words;
