//! What can go wrong, with no HTTP in it: `routers::respond` decides what the world is told.
//!
//! Services return [`Error`]. A database failure arrives as [`Error::Database`] through `?`; what a person can mend
//! has a variant of its own. Add a variant only if some caller must tell it from the others.

use std::time::Duration;

/// Why a request is not signed in; each is a 401 with a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing was presented.
    NotAuthenticated,
    /// What was presented is not even the shape of a token.
    NotAToken,
    /// A token that is not good: a wrong signature, issuer, audience, type.
    InvalidToken,
    /// A token that was good once.
    TokenExpired,
    /// The idle or the absolute limit passed.
    SessionExpired,
    /// A token of ours whose session the database does not hold.
    SessionUnknown,
    /// The account is disabled or gone.
    UserDisabled,
    /// A refresh token was used after its successor: two hold what one should.
    TokenReuse,
    /// The session was ended by its user, an administrator, a password change or the session limit.
    SessionRevoked,
    /// A newer sign-in took this session's place in the same browser.
    SessionSuperseded,
}

/// A refused field of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// The member's name.
    pub field: &'static str,
    /// One sentence for a person.
    pub message: String,
}

/// Everything a service can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Malformed input.
    #[error("bad request: {detail}")]
    BadRequest {
        /// One sentence for a person.
        detail: String,
        /// The refused fields.
        fields: Vec<FieldError>,
    },
    /// Which of two `Authorization` headers would count?
    #[error("two Authorization headers")]
    RepeatedAuthorization,
    /// The request is not signed in.
    #[error("not signed in: {0:?}")]
    Unauthenticated(Refusal),
    /// Name or password are wrong, or the account is disabled: nobody is told which.
    #[error("wrong name or password")]
    InvalidCredentials,
    /// Signed in, but the role does not suffice.
    #[error("administrators only")]
    AdminRequired,
    /// Signed in, but with another role than the gateway asks for.
    #[error("another role is needed")]
    RoleRequired,
    /// Signed in, but the token's scope does not suffice.
    #[error("another scope is needed")]
    InsufficientScope {
        /// The scope that is needed; `None`: no scope could be of this name.
        needed: Option<String>,
    },
    /// More scope is asked for than may be granted, or none of what is asked for.
    #[error("the scope is not granted")]
    InvalidScope,
    /// A page of another site asked.
    #[error("cross-site request")]
    CrossSite,
    /// Registration is closed.
    #[error("registration is closed")]
    RegistrationClosed,
    /// The user has as many sessions as are allowed.
    #[error("too many sessions")]
    SessionLimit,
    /// No such thing, or not the caller's.
    #[error("not found")]
    NotFound,
    /// The username is taken.
    #[error("username taken")]
    UsernameTaken,
    /// The address is taken.
    #[error("e-mail address taken")]
    EmailTaken,
    /// The account was changed by another request at the same moment.
    #[error("changed meanwhile")]
    Conflict,
    /// The new password breaks a rule.
    #[error("weak password: {detail}")]
    WeakPassword {
        /// The member that holds it.
        field: &'static str,
        /// One sentence for a person.
        detail: String,
    },
    /// The last active administrator cannot be removed, disabled or demoted.
    #[error("this is the last active administrator")]
    LastAdmin,
    /// The body is larger than anything sensible.
    #[error("body too large")]
    PayloadTooLarge,
    /// The body did not arrive in time.
    #[error("body too slow")]
    RequestTimeout,
    /// The body is of a type that this route does not read.
    #[error("unsupported media type, expected {0}")]
    UnsupportedMediaType(&'static str),
    /// Too many passwords were guessed.
    #[error("throttled")]
    Throttled {
        /// How long until the next attempt is let through.
        retry_after: Duration,
    },
    /// No work can be taken on right now.
    #[error("overloaded")]
    Overloaded,
    /// What is needed to know the answer was not loaded yet.
    #[error("not ready: {0}")]
    NotReady(&'static str),
    /// The database did not answer, or not in time.
    #[error("database unavailable: {0}")]
    Database(String),
    /// The signing keys on disk cannot be used; a sentence that names the file and the remedy.
    #[error("{0}")]
    Keys(String),
    /// A fault of ours.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// How long a caller should wait before it repeats a request that was answered with 503.
    pub const RETRY_AFTER: Duration = Duration::from_secs(1);

    /// A malformed request, with nothing to say about single fields.
    pub fn bad_request(detail: impl Into<String>) -> Self {
        Self::BadRequest { detail: detail.into(), fields: Vec::new() }
    }

    /// A malformed field.
    pub fn bad_field(field: &'static str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::BadRequest { detail: message.clone(), fields: vec![FieldError { field, message }] }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Unauthenticated(refusal)
    }
}
