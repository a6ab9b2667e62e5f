//! Security events: what the log and the audit trail can tell of, as a closed list.

use std::fmt;
use std::str::FromStr;

use log::Level;

use super::{SessionId, UserId};

macro_rules! event_names {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $level:ident, $message:literal;)+) => {
        /// What can happen; docs/operations.md explains each, which a test compares.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EventName { $($(#[$doc])* $variant),+ }

        impl EventName {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As the log and the audit trail call it.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Of its log line.
            pub fn level(self) -> Level {
                match self { $(Self::$variant => Level::$level),+ }
            }

            /// One sentence for a person.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message),+ }
            }
        }
    };
}

event_names! {
    /// A sign-in with a password, good or not.
    SignIn = "sign_in", Info, "somebody signed in, or tried to";
    /// Somebody signed in was asked for the password again, and it was wrong.
    PasswordConfirmation = "password_confirmation", Info, "a signed-in user gave a wrong password";
    /// A password was not even looked at.
    Throttled = "throttled", Warn, "too many failed attempts";
    /// A new account, or one that was refused since somebody has the name.
    UserRegistered = "user_registered", Info, "a user was added, or refused";
    /// A user changed the own names.
    UserRenamed = "user_renamed", Info, "a user changed the own names";
    /// A user changed the own password.
    PasswordChanged = "password_changed", Info, "a user changed the own password";
    /// An operator set a user's password.
    PasswordSet = "password_set", Info, "an operator set a user's password";
    /// An operator disabled a user.
    UserDisabled = "user_disabled", Info, "an operator disabled a user";
    /// An operator enabled a user.
    UserEnabled = "user_enabled", Info, "an operator enabled a user";
    /// An operator gave a user a role.
    RoleChanged = "role_changed", Info, "an operator gave a user a role";
    /// An operator deleted a user.
    UserDeleted = "user_deleted", Info, "an operator deleted a user";
    /// One session or several of one user ended.
    SessionEnded = "session_ended", Info, "sessions ended";
    /// A refresh token was used after its successor.
    RefreshTokenReuse = "refresh_token_reuse", Warn, "a refresh token was used after its successor: the session ended";
    /// A refresh token with our MAC and a secret part that is not the session's.
    RefreshSecretMismatch = "refresh_secret_mismatch", Error, "a refresh token with our MAC and another session's secret";
    /// A session caught up with its token.
    SessionFastForward = "session_fast_forward", Error, "critical: the database lost commits; a session caught up with its token";
    /// A token that is none of ours, or was changed.
    TokenRefused = "token_refused", Warn, "a token was refused: it is not ours, or was changed";
    /// Signed in, but not allowed.
    AccessRefused = "access_refused", Warn, "somebody signed in lacks the role or the scope that is asked for";
    /// A page of another site.
    CrossSite = "cross_site", Warn, "a page of another site sent an unsafe request";
    /// A client did not prove itself.
    ClientRefused = "client_refused", Warn, "a client did not prove itself";
    /// A client got a token of its own.
    ClientToken = "client_token", Info, "a client got a token of its own";
    /// A token was revoked at POST /revoke.
    TokenRevoked = "token_revoked", Info, "a token was revoked";
    /// An operator made a client.
    ClientCreated = "client_created", Info, "an operator made a client";
    /// An operator gave a client another secret.
    ClientSecretRotated = "client_secret_rotated", Info, "an operator gave a client another secret";
    /// An operator disabled a client.
    ClientDisabled = "client_disabled", Info, "an operator disabled a client";
    /// An operator enabled a client.
    ClientEnabled = "client_enabled", Info, "an operator enabled a client";
    /// An operator made the throttle forget.
    ThrottleCleared = "throttle_cleared", Info, "an operator cleared counters of the throttle";
    /// A key that a starting replica signs or verifies with.
    KeyUse = "key_use", Info, "a key is in use";
    /// An operator changed the keys.
    KeyChanged = "key_changed", Info, "an operator changed the keys";
    /// Refusals that the audit trail does not name one by one.
    AuditDropped = "audit_dropped", Warn, "the audit trail counts refusals that it does not name";
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for EventName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|name| name.as_str() == text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|name| name.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventOutcome {
    /// It was done.
    Success,
    /// It was tried with something wrong.
    Failure,
    /// It was not let through.
    Refused,
}

impl EventOutcome {
    /// As the log and the audit trail say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Refused => "refused",
        }
    }
}

/// One event. Nothing that a stranger typed ever stands in it: ids of ours, words of ours, and keyed hashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// How it ended.
    pub outcome: EventOutcome,
    /// Why, as one word.
    pub reason: Option<&'static str>,
    /// The user it is about.
    pub subject: Option<UserId>,
    /// The session it is about.
    pub session: Option<SessionId>,
    /// The client that did it, or to which it was done.
    pub client: Option<String>,
    /// A keyed hash of the account whose password was tried.
    pub account: Option<String>,
    /// Whatever else there is to say.
    pub details: Vec<(&'static str, String)>,
}

impl Event {
    fn new(name: EventName, outcome: EventOutcome) -> Self {
        let (reason, subject, session, client, account) = (None, None, None, None, None);
        Self { name, outcome, reason, subject, session, client, account, details: Vec::new() }
    }

    /// Something that was done.
    pub fn success(name: EventName) -> Self {
        Self::new(name, EventOutcome::Success)
    }

    /// Something that was tried with something wrong.
    pub fn failure(name: EventName, reason: &'static str) -> Self {
        Self::new(name, EventOutcome::Failure).reason(reason)
    }

    /// Something that was not let through.
    pub fn refused(name: EventName) -> Self {
        Self::new(name, EventOutcome::Refused)
    }

    /// Why, as one word of ours.
    pub fn reason(self, reason: &'static str) -> Self {
        Self { reason: Some(reason), ..self }
    }

    /// The user it is about.
    pub fn subject(self, subject: impl Into<Option<UserId>>) -> Self {
        Self { subject: subject.into(), ..self }
    }

    /// The session it is about.
    pub fn session(self, session: impl Into<Option<SessionId>>) -> Self {
        Self { session: session.into(), ..self }
    }

    /// The client that did it, or to which it was done.
    pub fn client(self, id: &str) -> Self {
        Self { client: Some(id.to_owned()), ..self }
    }

    /// The keyed hash of the account whose password was tried.
    pub fn account(self, account: String) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Adds what no other member says.
    pub fn detail(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.details.push((name, value.to_string()));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_and_read_back() {
        for name in EventName::ALL {
            assert!(name.as_str().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert_eq!(name.as_str().parse(), Ok(*name), "no other event has this name");
        }
        assert!("nonsense".parse::<EventName>().unwrap_err().contains("sign_in"));
    }
}
