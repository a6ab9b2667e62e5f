//! Clients: programs with an id and a secret of their own.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::audit;
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::client::{self, Client, NewClient};
use crate::types::{Event, EventName, Grant, Words, random_bytes};

/// Tells a leaked secret from other texts, for people and for programs that look for such.
const PREFIX: &str = "tcs_";

/// Longest name, in characters.
const MAX_NAME: usize = 64;

/// A client's secret: `tcs_` and 256 random bits in base64url. It is shown once; the database holds its SHA-256.
pub struct ClientSecret(String);

impl ClientSecret {
    fn random() -> Self {
        Self(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>())))
    }

    /// The text, for the one to whom it is shown.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Many random bits need no slow hash: nobody guesses them.
fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// What an operator asks for.
pub struct Input {
    /// What operators call it.
    pub name: String,
    /// What it may use at POST /token; without any it can introspect and revoke.
    pub grants: Vec<Grant>,
    /// The most that its own tokens may say as their scope, and those of users who sign in through it.
    pub scopes: Words,
    /// Whom its own tokens may be for.
    pub audiences: Words,
}

/// Makes a client.
pub fn create(connection: &mut AnyConnection, input: &Input) -> Result<(Client, ClientSecret), Error> {
    let name = input.name.as_str();
    let plain = !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control);
    if !plain || name.chars().count() > MAX_NAME || is_id(name) {
        let message =
            "A client's name has 1 to 64 characters, no control characters and no space at its ends, and is no UUID";
        return Err(Error::bad_field("name", message));
    }
    let (id, secret) = (Uuid::new_v4().to_string(), ClientSecret::random());
    let new = NewClient {
        id: &id,
        name,
        secret_hash: &hash(secret.expose()),
        grants: &input.grants,
        scopes: &input.scopes,
        audiences: &input.audiences,
    };
    let client = audit::recorded(connection, |connection, events| {
        let client = client::insert(connection, &new)?;
        events.push(Event::success(EventName::ClientCreated).client(&id));
        client.ok_or_else(|| Error::bad_field("name", "Another client has this name"))
    })?;
    Ok((client, secret))
}

/// Whether a text could be a client's id: nothing else is looked up.
fn is_id(text: &str) -> bool {
    text.len() == 36 && Uuid::parse_str(text).is_ok()
}

/// Finds a client by its id or name.
pub fn find(connection: &mut AnyConnection, name: &str) -> Result<Client, Error> {
    let found = if is_id(name) {
        client::find(connection, name)?
    } else if name.contains('\0') {
        None
    } else {
        client::find_by_name(connection, name)?
    };
    found.ok_or(Error::NotFound)
}

/// Gives a client a new secret. The old one is good no more.
pub fn rotate_secret(connection: &mut AnyConnection, name: &str) -> Result<(Client, ClientSecret), Error> {
    let client = find(connection, name)?;
    let secret = ClientSecret::random();
    audit::recorded(connection, |connection, events| {
        events.push(Event::success(EventName::ClientSecretRotated).client(&client.id));
        match client::set_secret(connection, &client.id, &hash(secret.expose()))? {
            0 => Err(Error::NotFound),
            _ => Ok(()),
        }
    })?;
    Ok((client, secret))
}

/// Disables or enables a client.
pub fn set_disabled(connection: &mut AnyConnection, name: &str, disabled: bool) -> Result<Client, Error> {
    let client = find(connection, name)?;
    let name = if disabled { EventName::ClientDisabled } else { EventName::ClientEnabled };
    audit::recorded(connection, |connection, events| {
        events.push(Event::success(name).client(&client.id));
        match client::set_disabled(connection, &client.id, disabled)? {
            0 => Err(Error::NotFound),
            _ => Ok(client),
        }
    })
}

/// The enabled client of this id and secret, if they are one's.
pub fn authenticate(
    app: &App,
    connection: &mut AnyConnection,
    id: &str,
    secret: &str,
) -> Result<Option<Client>, Error> {
    let found = if is_id(id) { client::find(connection, id)? } else { None };
    let known = found.as_ref().map(|client| client.id.clone());
    // An unknown client costs the same comparison, and a disabled one too.
    let stored = found.as_ref().map_or([0; 32].as_slice(), |client| client.secret_hash.as_slice());
    let matches: bool = hash(secret).ct_eq(stored).into();
    let proven = found.filter(|client| matches && !client.disabled);
    if proven.is_none() {
        // An id that nobody has is a text that a stranger typed.
        audit::note(app, &Event { client: known, ..Event::refused(EventName::ClientRefused) });
    }
    Ok(proven)
}

/// Whether a client has this id, be it disabled: who uses the id has to prove itself.
pub fn is_confidential(connection: &mut AnyConnection, id: &str) -> Result<bool, Error> {
    Ok(is_id(id) && client::find(connection, id)?.is_some())
}
