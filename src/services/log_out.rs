//! Signing out: ends every session whose token is shown, whatever the token's age; idempotent.

use super::audit;
use super::refresh_token::RefreshToken;
use super::sessions;
use super::tokens::{self, Flaw};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, RevokedReason, Session};
use crate::types::{Event, SessionId, UserId};

/// The tokens that a request to sign out shows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Access tokens, of the header and of cookies.
    pub access_tokens: Vec<String>,
    /// Refresh tokens, of cookies and of the body.
    pub refresh_tokens: Vec<String>,
}

/// A session of which somebody has shown a token, and whose it is.
pub(super) type Proven = (SessionId, Option<UserId>);

/// The sessions whose tokens are shown with a good MAC or signature; expiry does not matter.
pub struct Proofs {
    by_access_token: Vec<Proven>,
    by_refresh_token: Vec<RefreshToken>,
}

impl Proofs {
    /// Checks what needs no database.
    pub fn of(app: &App, shown: &Shown) -> Self {
        let session_of = |text: &String| match tokens::verify(app, text) {
            Ok(claims) => Some((claims.sid, Some(claims.sub))),
            Err(Flaw::Expired(claims)) => Some((claims.sid, Some(claims.sub))),
            Err(_) => None,
        };
        Self {
            by_access_token: shown.access_tokens.iter().filter_map(session_of).collect(),
            by_refresh_token: shown
                .refresh_tokens
                .iter()
                .filter_map(|text| RefreshToken::decode_expired(&app.refresh_keys, text).ok())
                .collect(),
        }
    }

    /// Whether there is nothing to end.
    pub fn is_empty(&self) -> bool {
        self.by_access_token.is_empty() && self.by_refresh_token.is_empty()
    }
}

/// Ends the sessions and tells how many were still open.
pub fn log_out(app: &App, connection: &mut AnyConnection, proofs: &Proofs) -> Result<usize, Error> {
    let mut proven = proofs.by_access_token.clone();
    for token in &proofs.by_refresh_token {
        proven.extend(proven_session(connection, token)?.map(|session| (session.id, session.user_id)));
    }
    end(app, connection, proven, None)
}

/// Ends these sessions; with an event that is recorded as well if one was still open.
pub(super) fn end(
    app: &App,
    connection: &mut AnyConnection,
    mut proven: Vec<Proven>,
    also: Option<Event>,
) -> Result<usize, Error> {
    const REASON: RevokedReason = RevokedReason::Logout;
    proven.sort_unstable_by_key(|(id, _)| *id);
    proven.dedup_by_key(|(id, _)| *id);
    if proven.is_empty() {
        return Ok(0);
    }
    let ended = audit::recorded(connection, |connection, events| {
        let mut ended = Vec::new();
        for (id, owner) in proven {
            if session::revoke(connection, id, REASON)? == 1 {
                events.extend(sessions::ended(owner, &[id], REASON));
                ended.push(id);
            }
        }
        if !ended.is_empty() {
            events.extend(also);
        }
        Ok(ended)
    })?;
    sessions::note_revoked(app, &ended, REASON);
    Ok(ended.len())
}

/// The token's session, if the token's secret part is its own.
pub(super) fn proven_session(connection: &mut AnyConnection, token: &RefreshToken) -> Result<Option<Session>, Error> {
    let found = session::find_now(connection, token.session_id)?.map(|(session, ..)| session);
    Ok(found.filter(|session| token.is_of(session)))
}
