//! Signing out: ends every session whose token is shown, whatever the token's age; idempotent.

use subtle::ConstantTimeEq;

use super::refresh_token::RefreshToken;
use super::sessions;
use super::tokens::{self, Flaw};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, RevokedReason};
use crate::types::SessionId;

/// The tokens that a request to sign out shows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Access tokens, of the header and of cookies.
    pub access_tokens: Vec<String>,
    /// Refresh tokens, of cookies and of the body.
    pub refresh_tokens: Vec<String>,
}

/// The sessions whose tokens are shown with a good MAC or signature; expiry does not matter.
pub struct Proofs {
    by_access_token: Vec<SessionId>,
    by_refresh_token: Vec<RefreshToken>,
}

impl Proofs {
    /// Checks what needs no database.
    pub fn of(app: &App, shown: &Shown) -> Self {
        let session_of = |text: &String| match tokens::verify(app, text) {
            Ok(claims) => Some(claims.sid),
            Err(Flaw::Expired(claims)) => Some(claims.sid),
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
    let mut ids = proofs.by_access_token.clone();
    for token in &proofs.by_refresh_token {
        if proves_itself(connection, token)? {
            ids.push(token.session_id);
        }
    }
    ids.sort_unstable();
    ids.dedup();
    let mut ended = Vec::new();
    for id in ids {
        if session::revoke(connection, id, RevokedReason::Logout)? == 1 {
            ended.push(id);
        }
    }
    sessions::note_revoked(app, &ended, RevokedReason::Logout);
    Ok(ended.len())
}

/// Whether the token's secret part is its session's.
pub(super) fn proves_itself(connection: &mut AnyConnection, token: &RefreshToken) -> Result<bool, Error> {
    let found = session::find_now(connection, token.session_id)?;
    Ok(found.is_some_and(|(session, ..)| token.secret_hash().ct_eq(session.secret_hash.as_slice()).into()))
}
