//! What a refresh can lead to.

use std::time::Duration;

use super::super::scopes::Asking;
use super::super::tokens::AccessToken;
use crate::app::Place;
use crate::error::Refusal;
use crate::models::session::{Device, RevokedReason, Session};
use crate::models::user::User;
use crate::types::Instant;

/// Whether a refresh may hand out a new refresh token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// As the decision table says.
    Allowed,
    /// Never, and nothing is written but a theft: for requests whose answer may come too late for a successor.
    Never,
}

/// What is known of the request that a refresh serves.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// What the session notes of the client.
    pub device: Device,
    /// Who presents the token, which has to be whom the session was opened for, and for what scope.
    pub asking: Asking,
    /// Whether a new refresh token may be handed out.
    pub rotation: Rotation,
    /// Where cookies go, if they do.
    pub place: Option<Place>,
}

/// What a refresh token got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The next generation.
    Rotated,
    /// Another branch of the current generation.
    Reissued,
    /// An access token only.
    AccessOnly,
    /// An access token only, after the row caught up with the token.
    FastForward,
}

impl Verdict {
    /// As the header `X-Auth-Refresh` and the metric say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rotated => "rotated",
            Self::Reissued => "reissued",
            Self::AccessOnly => "access-only",
            Self::FastForward => "fast-forward",
        }
    }
}

/// A refresh that authenticates its request.
#[derive(Clone, Debug)]
pub struct Refreshed {
    /// What the token got.
    pub verdict: Verdict,
    /// Fresh from the database.
    pub user: User,
    /// As read.
    pub session: Session,
    /// Minted.
    pub access: AccessToken,
    /// Minted with ROTATE and REISSUE.
    pub refresh: Option<IssuedRefresh>,
    /// For a client that stores tokens itself and got no new one: what it may be told again (RFC 6749, section 6).
    pub echo: Echo,
    /// When the swap was sent; without a swap (a confirm is none), when the read began. The EMIT deadline counts from here.
    pub sent_at: Instant,
}

/// A refresh token that goes out, with what the cookie needs.
#[derive(Clone, Debug)]
pub struct IssuedRefresh {
    /// `rt1_..`
    pub text: String,
    /// What is left of the idle and the absolute limit.
    pub max_age: Duration,
}

/// What a token response may hold as its refresh token after ACCESS-ONLY.
#[derive(Clone, Debug)]
pub enum Echo {
    /// Nothing: a late echo could put a dead token back into the client's store.
    Nothing,
    /// The one that was presented.
    Presented,
    /// Another branch of the current generation, since the presented one dies with the window.
    Branch(IssuedRefresh),
}

/// Why a refresh token authenticates nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Not ours, or its secret part is not the session's.
    Invalid,
    /// Ours, but past the absolute limit its text names.
    TokenExpired,
    /// Ours, but the database does not hold the session.
    Unknown,
    /// The idle or the absolute limit passed.
    Expired,
    /// The user is disabled or gone.
    Disabled,
    /// It was used after its successor; by this very request, the session ended.
    Theft,
    /// The session had ended before.
    Revoked(RevokedReason),
}

impl Refused {
    /// What the caller is told.
    pub fn refusal(self) -> Refusal {
        match self {
            Self::Invalid => Refusal::InvalidToken,
            Self::TokenExpired | Self::Expired => Refusal::SessionExpired,
            Self::Unknown => Refusal::SessionUnknown,
            Self::Disabled => Refusal::UserDisabled,
            Self::Theft => Refusal::TokenReuse,
            Self::Revoked(reason) => refusal_of(reason),
        }
    }

    /// Whether the browser should forget its cookies. Not after a sign-out, since the jar may hold a newer sign-in, and
    /// not for a token that we cannot read or find: a wrong key or database is ours to mend, a cleared cookie is lost.
    pub fn clears_cookies(self) -> bool {
        match self {
            Self::Expired | Self::Disabled | Self::Theft => true,
            Self::Revoked(reason) => clears_cookies(reason),
            Self::Invalid | Self::TokenExpired | Self::Unknown => false,
        }
    }

    /// As the metric says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unknown => "unknown",
            Self::TokenExpired | Self::Expired => "expired",
            Self::Disabled => "disabled",
            Self::Theft => "theft",
            Self::Revoked(_) => "revoked",
        }
    }
}

/// What the caller of an ended session is told.
pub fn refusal_of(reason: RevokedReason) -> Refusal {
    match reason {
        RevokedReason::Reuse => Refusal::TokenReuse,
        RevokedReason::Superseded => Refusal::SessionSuperseded,
        RevokedReason::Disabled => Refusal::UserDisabled,
        RevokedReason::Logout | RevokedReason::Admin | RevokedReason::Password | RevokedReason::Evicted => {
            Refusal::SessionRevoked
        }
    }
}

/// Whether the cookies of a session that ended so are cleared.
pub fn clears_cookies(reason: RevokedReason) -> bool {
    !matches!(reason, RevokedReason::Logout | RevokedReason::Superseded)
}

/// Whether a refresh's tokens may still go out in cookies; asked when the answer's headers are about to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// They may.
    Good,
    /// They may if the database says that the session still lives: the swap is a while ago.
    Recheck,
    /// The EMIT deadline has passed: a late successor could take the place of a newer one.
    TooLate,
    /// The session ended meanwhile: a refresh must not resurrect it.
    Revoked,
}
