//! Whether a token is good now, for clients that ask (RFC 7662).

use super::refresh;
use super::refresh_token::RefreshToken;
use super::scopes;
use super::tokens::{self, Claims, ClientClaims, Verified};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::client;
use crate::models::session::{self, FIRST_PARTY, Session};
use crate::models::user::User;
use crate::types::Words;

/// A token that is good.
#[derive(Debug)]
pub enum Active {
    /// An access token.
    Access(Box<Claims>),
    /// An access token of a client itself.
    Client(Box<ClientClaims>),
    /// A refresh token, with what the database says of it.
    Refresh {
        /// Its session.
        session: Box<Session>,
        /// Its user.
        user: Box<User>,
        /// What an access token would get for it now.
        scope: Words,
    },
}

/// What a token is good for; `None` for every one that is not good, whatever the reason. Nothing is written: looking at a
/// refresh token neither uses it nor counts as its replay.
pub fn introspect(app: &App, connection: &mut AnyConnection, text: &str) -> Result<Option<Active>, Error> {
    if !app.revocations.is_loaded() {
        return Err(Error::NotReady("the revoked sessions were not loaded yet"));
    }
    match tokens::verify_any(app, connection, text)? {
        Ok(Verified::User(claims)) => {
            let (revoked, stale) = app.revocations.check(claims.sid, claims.sub, claims.ver);
            let good = revoked.is_none() && !stale && is_enabled(connection, &claims.client_id)?;
            return Ok(good.then_some(Active::Access(claims)));
        }
        Ok(Verified::Client(claims)) => {
            let good = is_enabled(connection, &claims.client_id)?;
            return Ok(good.then_some(Active::Client(claims)));
        }
        Err(_) => {}
    }
    match RefreshToken::decode(&app.refresh_keys, text, app.clock.now()) {
        Ok(token) => introspect_refresh(app, connection, &token),
        Err(_) => Ok(None),
    }
}

fn introspect_refresh(
    app: &App,
    connection: &mut AnyConnection,
    token: &RefreshToken,
) -> Result<Option<Active>, Error> {
    let Some((session, user, now)) = session::find_now(connection, token.session_id)? else { return Ok(None) };
    let lives = session.revocation().is_none() && !session.is_expired(now);
    let Some(user) = user.filter(|user| !user.disabled) else { return Ok(None) };
    let good = token.is_of(&session)
        && lives
        && !refresh::would_be_theft(app, token, &session, now)
        && is_enabled(connection, &session.client_id)?;
    let scope = scopes::left_of(app, &user.role(), &session.scope());
    Ok(good.then(|| Active::Refresh { session: Box::new(session), user: Box::new(user), scope }))
}

/// Whether the client that a token was issued to may still use it.
fn is_enabled(connection: &mut AnyConnection, client_id: &str) -> Result<bool, Error> {
    Ok(client_id == FIRST_PARTY || client::find(connection, client_id)?.is_some_and(|client| !client.disabled))
}
