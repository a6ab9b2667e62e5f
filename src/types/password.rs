use std::fmt;

/// Longest password that is looked at when somebody signs in, in bytes; more is a malformed request.
pub const MAX_ATTEMPT_BYTES: usize = 1024;

/// A password as typed: nothing is trimmed or folded, and it never shows in a log or a debug print.
///
/// Holding one says nothing of its strength: the rules for a new password are in `services::passwords`.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    /// Takes the text; a sentence when it is longer than [`MAX_ATTEMPT_BYTES`].
    pub fn new(text: String) -> Result<Self, &'static str> {
        if text.len() > MAX_ATTEMPT_BYTES {
            return Err("A password has at most 1024 bytes");
        }
        Ok(Self(text))
    }

    /// The text, for the one who hashes it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}
