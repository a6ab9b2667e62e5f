//! Who a request comes from, as far as access tokens tell: no database is asked.

use std::sync::Arc;

use super::refresh::{self, Refreshed};
use super::tokens::{self, Claims, Flaw};
use crate::app::App;
use crate::error::{Error, Refusal};
use crate::models::session::RevokedReason;
use crate::types::{Event, EventName, Role, SessionId, UserId};

/// The user a request is signed in as.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `sub`.
    pub user_id: UserId,
    /// `sid`.
    pub session_id: SessionId,
    /// `username`, if the user has one.
    pub username: Option<String>,
    /// `role`, as of the token's minting.
    pub role: Role,
    /// Granted scope, as of the token's minting.
    pub scope: String,
    /// The good access token itself: presented, or just minted.
    pub token: Arc<str>,
}

impl Identity {
    fn new(claims: Claims, token: &str) -> Self {
        Self {
            user_id: claims.sub,
            session_id: claims.sid,
            username: claims.username,
            // A role that is none of ours gives no power.
            role: claims.role.parse().unwrap_or_else(|_| Role::user()),
            scope: claims.scope,
            token: token.into(),
        }
    }

    /// Whether this one scope was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        !scope.is_empty() && self.scope.split(' ').any(|granted| granted == scope)
    }

    /// The event of a refusal for want of scope.
    pub fn lacks_scope(&self) -> Event {
        let event = Event::refused(EventName::AccessRefused).reason("insufficient_scope");
        event.subject(self.user_id).session(self.session_id)
    }
}

impl From<&Refreshed> for Identity {
    fn from(refreshed: &Refreshed) -> Self {
        Self::new(refreshed.access.claims.clone(), &refreshed.access.text)
    }
}

/// What an access token that is not good leaves to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// What the caller is told if nothing else signs it in.
    pub refusal: Refusal,
    /// Set when the token is good but its session was revoked.
    pub revoked: Option<RevokedReason>,
}

/// Checks an access token, and that neither its session nor its user's claims were revoked.
///
/// [`Error::NotReady`] until the revocations were loaded once: before that nobody can be called signed in.
fn check_access_token(app: &App, text: &str) -> Result<Result<Identity, Unusable>, Error> {
    let unusable = |refusal| Ok(Err(Unusable { refusal, revoked: None }));
    let claims = match tokens::verify(app, text) {
        Ok(claims) => claims,
        Err(Flaw::Shape) => return unusable(Refusal::NotAToken),
        Err(Flaw::Expired(_)) => return unusable(Refusal::TokenExpired),
        Err(_) => return unusable(Refusal::InvalidToken),
    };
    if !app.revocations.is_loaded() {
        return Err(Error::NotReady("the revoked sessions were not loaded yet"));
    }
    match app.revocations.check(claims.sid, claims.sub, claims.ver) {
        (Some(reason), _) => Ok(Err(Unusable { refusal: refresh::refusal_of(reason), revoked: Some(reason) })),
        (None, true) => unusable(Refusal::TokenExpired),
        (None, false) => Ok(Ok(Identity::new(claims, text))),
    }
}

/// The first good one of several access tokens; without any, what the last says.
pub fn check_access_tokens<'a>(
    app: &App,
    texts: impl Iterator<Item = &'a str>,
) -> Result<Result<Identity, Unusable>, Error> {
    let mut last = Unusable { refusal: Refusal::NotAuthenticated, revoked: None };
    for text in texts {
        match check_access_token(app, text)? {
            Ok(identity) => return Ok(Ok(identity)),
            Err(unusable) => last = unusable,
        }
    }
    Ok(Err(last))
}
