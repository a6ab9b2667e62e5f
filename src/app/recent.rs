use sha2::{Digest, Sha256};

use crate::types::{SessionId, Timestamp, UserId};

/// What backends that verify by themselves have to know: all that was revoked while a token of before could still be good.
pub struct Recent {
    /// Sessions that ended, and when, in the order of their ids.
    pub sessions: Vec<(SessionId, Timestamp)>,
    /// Users whose claims changed, and the version from which on their tokens are good, in the order of their ids.
    pub users: Vec<(UserId, i64)>,
    /// Another one as soon as there is anything new, on every replica alike.
    pub tag: String,
}

impl Recent {
    pub(super) fn new(mut sessions: Vec<(SessionId, Timestamp)>, mut users: Vec<(UserId, i64)>) -> Self {
        sessions.sort_unstable();
        users.sort_unstable();
        let mut digest = Sha256::new();
        // Without the moment: the replica that revokes notes its own, and learns the database's with the next poll.
        for (id, _) in &sessions {
            digest.update(id.as_bytes());
        }
        for (id, version) in &users {
            digest.update([id.as_bytes().as_slice(), &version.to_be_bytes()].concat());
        }
        let tag = digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        Self { sessions, users, tag }
    }
}
