use std::fmt;
use std::str::FromStr;

/// What a user may do: exactly one word of `[a-z0-9_-]{1,32}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role(String);

impl Role {
    /// The role of whoever registers.
    pub fn user() -> Self {
        Self("user".to_owned())
    }

    /// The role that GET /admin asks for.
    pub fn admin() -> Self {
        Self("admin".to_owned())
    }

    /// Whether this is the administrator's role.
    pub fn is_admin(&self) -> bool {
        self.0 == "admin"
    }

    /// As a word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Role {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_' || byte == b'-';
        if (1..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a role is 1 to 32 of the characters a-z, 0-9, _ and -")
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
