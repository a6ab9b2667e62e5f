use super::{Email, Username};

/// What a person types to sign in: an e-mail address if it has an `@`, else a username.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identifier {
    /// Looked up among the usernames.
    Username(Username),
    /// Looked up among the addresses.
    Email(Email),
}

impl Identifier {
    /// `None` for what can be nobody's name: it signs nobody in, like a name that nobody has.
    pub fn parse(text: &str) -> Option<Self> {
        if text.contains('@') { text.parse().ok().map(Self::Email) } else { text.parse().ok().map(Self::Username) }
    }
}
