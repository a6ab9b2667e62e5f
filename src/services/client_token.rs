//! Tokens of clients themselves, for calls from service to service (RFC 6749, section 4.4; RFC 9068).

use super::audit;
use super::tokens::{self, ClientAccessToken};
use crate::app::App;
use crate::error::Error;
use crate::models::client::Client;
use crate::types::{Event, EventName, Words};

/// Why a client does not get the token that it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// A scope that is malformed, or more than the client's (RFC 6749, section 5.2).
    Scope,
    /// An audience that is not the client's (RFC 8707, section 2).
    Audience,
}

/// Mints a client's own token: no session, no user, nothing to refresh. Without a wish it gets all its scopes, and the
/// first of its audiences; a client without one gets `tokens.audience`.
pub fn issue(
    app: &App,
    client: &Client,
    scope: Option<&str>,
    audience: Option<&str>,
) -> Result<Result<ClientAccessToken, Refused>, Error> {
    let granted = match scope.map(str::parse::<Words>) {
        None => client.scopes(),
        Some(Ok(wished)) if wished.are_within(&client.scopes()) => wished,
        Some(_) => return Ok(Err(Refused::Scope)),
    };
    let audiences = client.audiences();
    let usual = audiences.first().unwrap_or(&app.config.tokens.audience);
    let audience = match audience {
        None => usual,
        Some(wished) if wished == usual || audiences.contains(wished) => wished,
        Some(_) => return Ok(Err(Refused::Audience)),
    };
    let token = tokens::mint_for_client(app, &client.id, audience, &granted)?;
    audit::note(app, &Event::success(EventName::ClientToken).client(&client.id));
    Ok(Ok(token))
}
