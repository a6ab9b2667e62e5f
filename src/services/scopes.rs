//! Which scope a token gets (RFC 6749, section 3.3): never more than the role grants by `oauth.role_scopes`, than a client
//! may have, than was asked for, or than its session got at the sign-in.

use crate::app::App;
use crate::error::Error;
use crate::models::client::Client;
use crate::models::session::{FIRST_PARTY, Session};
use crate::types::{Role, Words};

/// Who asks for a user's tokens, and for what scope.
#[derive(Clone, Debug)]
pub struct Asking {
    /// The confidential client, or [`FIRST_PARTY`]: whom the refresh tokens are bound to.
    pub client_id: String,
    client_scopes: Option<Words>,
    scope: Option<Words>,
}

impl Asking {
    /// Nobody but the user, for all that the role grants.
    pub fn first_party() -> Self {
        Self { client_id: FIRST_PARTY.to_owned(), client_scopes: None, scope: None }
    }

    /// A client that proved itself, for all that the role grants and the client may have.
    pub fn client(client: &Client) -> Self {
        Self { client_id: client.id.clone(), client_scopes: Some(client.scopes()), scope: None }
    }

    /// The same for no more than this; nothing is no wish.
    pub fn for_scope(self, scope: Option<Words>) -> Self {
        Self { scope: scope.filter(|words| !words.is_empty()), ..self }
    }

    /// What is granted of `most`; [`Error::InvalidScope`] if that is nothing of what was asked for.
    fn narrow(&self, most: Words) -> Result<Words, Error> {
        let most = match &self.client_scopes {
            Some(scopes) => most.shared_with(scopes),
            None => most,
        };
        let Some(asked) = &self.scope else { return Ok(most) };
        let granted = most.shared_with(asked);
        if granted.is_empty() { Err(Error::InvalidScope) } else { Ok(granted) }
    }
}

/// The scope of a session that is about to be opened, which is the most that its tokens ever get.
pub fn at_sign_in(app: &App, role: &Role, asking: &Asking) -> Result<Words, Error> {
    asking.narrow(app.config.oauth.role_scopes.of(role))
}

/// The scope of an access token that a refresh mints; more than the session's may not be asked for (RFC 6749, section 6).
pub fn at_refresh(app: &App, role: &Role, session: &Session, asking: &Asking) -> Result<Words, Error> {
    let held = session.scope();
    if asking.scope.as_ref().is_some_and(|asked| !asked.are_within(&held)) {
        return Err(Error::InvalidScope);
    }
    asking.narrow(left_of(app, role, &held))
}

/// What the role still grants of a scope that was granted before.
pub fn left_of(app: &App, role: &Role, held: &Words) -> Words {
    held.shared_with(&app.config.oauth.role_scopes.of(role))
}
