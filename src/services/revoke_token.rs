//! Revoking a token (RFC 7009): the session that it belongs to ends.

use super::log_out;
use super::refresh_token::RefreshToken;
use super::tokens::{self, Flaw, Verified};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::FIRST_PARTY;
use crate::types::{Event, EventName};

/// What became of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its session is over, also if it was before, or the token is none of ours.
    Revoked,
    /// It was issued to a client, and nobody authenticated.
    ClientRequired,
    /// It was issued to another client.
    OfAnotherClient,
    /// A client's own token has no session that could end; it runs out.
    Unsupported,
}

/// Revokes an access token or a refresh token, whatever its age. `client_id` is who authenticated, if anybody did: a token
/// that was issued without a client may be revoked by whoever holds it.
pub fn revoke(
    app: &App,
    connection: &mut AnyConnection,
    text: &str,
    client_id: Option<&str>,
) -> Result<Outcome, Error> {
    let (owner, proven) = match tokens::verify_any(app, connection, text)? {
        Ok(Verified::Client(claims)) => {
            return Ok(refuse(&claims.client_id, client_id).unwrap_or(Outcome::Unsupported));
        }
        Ok(Verified::User(claims)) | Err(Flaw::Expired(claims)) => (claims.client_id, (claims.sid, Some(claims.sub))),
        Err(_) => {
            let Ok(token) = RefreshToken::decode_expired(&app.refresh_keys, text) else { return Ok(Outcome::Revoked) };
            // One whose secret part is wrong tells nothing of the session.
            let Some(session) = log_out::proven_session(connection, &token)? else { return Ok(Outcome::Revoked) };
            (session.client_id, (session.id, session.user_id))
        }
    };
    if let Some(refused) = refuse(&owner, client_id).filter(|_| owner != FIRST_PARTY) {
        return Ok(refused);
    }
    let revoked = Event::success(EventName::TokenRevoked);
    let revoked = client_id.map_or_else(|| revoked.clone(), |id| revoked.clone().client(id));
    log_out::end(app, connection, vec![proven], Some(revoked))?;
    Ok(Outcome::Revoked)
}

/// Why a client's token is not this caller's to revoke.
fn refuse(owner: &str, client_id: Option<&str>) -> Option<Outcome> {
    match client_id {
        None => Some(Outcome::ClientRequired),
        Some(id) if id != owner => Some(Outcome::OfAnotherClient),
        Some(_) => None,
    }
}
