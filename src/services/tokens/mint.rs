use std::time::Duration;

use jsonwebtoken::Header;
use serde::Serialize;
use uuid::Uuid;

use super::{Claims, ClientClaims, TYPE};
use crate::app::App;
use crate::error::Error;
use crate::models::session::Session;
use crate::models::user::User;
use crate::types::{Timestamp, Words, random_bytes};

/// A minted access token.
#[derive(Clone, Debug)]
pub struct AccessToken {
    /// The JWT.
    pub text: String,
    /// What it says.
    pub claims: Claims,
}

impl AccessToken {
    /// Its whole lifetime, in seconds.
    pub fn expires_in(&self) -> i64 {
        self.claims.exp - self.claims.iat
    }

    /// When it runs out.
    pub fn expires_at(&self) -> Timestamp {
        Timestamp::from_unix_seconds(self.claims.exp)
    }
}

/// A minted access token of a client itself.
#[derive(Clone, Debug)]
pub struct ClientAccessToken {
    /// The JWT.
    pub text: String,
    /// What it says.
    pub claims: ClientClaims,
}

/// Mints a token for a session, with the user's role and version as just read.
pub fn mint(app: &App, user: &User, session: &Session, generation: i64, scope: &Words) -> Result<AccessToken, Error> {
    let iat = app.clock.now().unix_seconds();
    let role = user.role();
    let claims = Claims {
        iss: app.config.tokens.issuer.clone(),
        sub: user.id,
        aud: app.config.tokens.audience.clone(),
        client_id: session.client_id.clone(),
        exp: iat + lifetime(app.config.tokens.access_ttl),
        iat,
        nbf: None,
        jti: Uuid::new_v4(),
        sid: session.id,
        generation,
        ver: user.version,
        auth_time: session.authenticated_at.unix_seconds(),
        username: user.username.clone(),
        role: role.as_str().to_owned(),
        roles: vec![role.as_str().to_owned()],
        scope: scope.to_string(),
    };
    Ok(AccessToken { text: sign(app, &claims.aud, &claims)?, claims })
}

/// Mints a client's own token.
pub fn mint_for_client(app: &App, client_id: &str, audience: &str, scope: &Words) -> Result<ClientAccessToken, Error> {
    let iat = app.clock.now().unix_seconds();
    let claims = ClientClaims {
        iss: app.config.tokens.issuer.clone(),
        sub: client_id.to_owned(),
        aud: audience.to_owned(),
        client_id: client_id.to_owned(),
        exp: iat + lifetime(app.config.tokens.access_ttl),
        iat,
        jti: Uuid::new_v4(),
        scope: scope.to_string(),
    };
    Ok(ClientAccessToken { text: sign(app, &claims.aud, &claims)?, claims })
}

fn sign(app: &App, audience: &str, claims: &impl Serialize) -> Result<String, Error> {
    let key = app.access_keys.signing(audience)?;
    let header = Header { typ: Some(TYPE.to_owned()), kid: Some(key.kid.clone()), ..Header::new(key.algorithm.into()) };
    jsonwebtoken::encode(&header, claims, &key.encoding)
        .map_err(|error| Error::Internal(format!("a token could not be signed: {error}")))
}

/// The configured lifetime less up to 5 % at random, so that tokens minted together do not run out together; in seconds.
fn lifetime(ttl: Duration) -> i64 {
    let seconds = i64::try_from(ttl.as_secs()).unwrap_or(i64::MAX);
    let spread = seconds / 20;
    if spread == 0 {
        return seconds;
    }
    let random = i64::from(u32::from_ne_bytes(random_bytes()));
    seconds - random % (spread + 1)
}
