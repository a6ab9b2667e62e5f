//! Revoking a token (RFC 7009): the session that it belongs to ends.

use super::log_out::{self, Proofs, Shown};
use super::refresh_token::RefreshToken;
use super::tokens::{self, Flaw};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, FIRST_PARTY};

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its session is over, also if it was before, or the token is none of ours.
    Revoked,
    /// It was issued to a client, and nobody authenticated.
    ClientRequired,
    /// It was issued to another client.
    OfAnotherClient,
}

/// Revokes an access token or a refresh token, whatever its age. `client_id` is who authenticated, if anybody did: a token
/// that was issued without a client may be revoked by whoever holds it.
pub fn revoke(
    app: &App,
    connection: &mut AnyConnection,
    text: &str,
    client_id: Option<&str>,
) -> Result<Outcome, Error> {
    let (owner, shown) = match tokens::verify(app, text) {
        Ok(claims) => (claims.client_id, Shown { access_tokens: vec![text.to_owned()], ..Shown::default() }),
        Err(Flaw::Expired(claims)) => {
            (claims.client_id, Shown { access_tokens: vec![text.to_owned()], ..Shown::default() })
        }
        Err(_) => {
            let Ok(token) = RefreshToken::decode_expired(&app.refresh_keys, text) else { return Ok(Outcome::Revoked) };
            // One whose secret part is wrong tells nothing of the session.
            if !log_out::proves_itself(connection, &token)? {
                return Ok(Outcome::Revoked);
            }
            let Some((session, ..)) = session::find_now(connection, token.session_id)? else {
                return Ok(Outcome::Revoked);
            };
            (session.client_id, Shown { refresh_tokens: vec![text.to_owned()], ..Shown::default() })
        }
    };
    if owner != FIRST_PARTY {
        match client_id {
            None => return Ok(Outcome::ClientRequired),
            Some(id) if id != owner => return Ok(Outcome::OfAnotherClient),
            Some(_) => {}
        }
    }
    log_out::log_out(app, connection, &Proofs::of(app, &shown))?;
    Ok(Outcome::Revoked)
}
