//! Signing in with a password: one function before the hash, one after it, and the hash between them on threads of its own.

use super::audit;
use super::passwords::{Checked, Hashing};
use super::refresh_token::RefreshToken;
use super::scopes::{self, Asking};
use super::sessions::{self, Opened};
use super::throttle::{Owner, Subject};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, Device, FIRST_PARTY, RevokedReason};
use crate::models::user::{self, User};
use crate::types::{Event, EventName, Identifier, Password, SessionId};

/// A sign-in whose password is still to be checked. An unknown or disabled user has one too, so that all take the same.
#[derive(Clone, Debug)]
pub struct Attempt {
    user: Option<User>,
    /// Whose password it is to the throttle.
    pub subject: Subject,
    /// Who knows its own devices again, also while it is disabled.
    pub owner: Option<Owner>,
    stored_hash: String,
}

impl Attempt {
    /// Checks the password: a quarter of a second of one core at cost 12, so never on a thread that serves requests.
    pub fn check(&self, app: &App, password: &Password) -> Result<Checked, Error> {
        Hashing::of(app).check(password, &self.stored_hash)
    }
}

/// Looks up who wants to sign in; `None` is a name that nobody can have.
pub fn begin(app: &App, connection: &mut AnyConnection, identifier: Option<&Identifier>) -> Result<Attempt, Error> {
    let user = match identifier {
        Some(identifier) => user::find_by_identifier(connection, identifier)?,
        None => None,
    };
    let subject = user.as_ref().map_or_else(|| Subject::of_name(identifier), |user| Subject::User(user.id));
    let owner = user.as_ref().map(|user| Owner::new(user.id, &user.password_hash));
    let user = user.filter(|user| !user.disabled);
    Ok(attempt_of(app, user, subject, owner))
}

/// The same for a user who is signed in already and confirms something with the password.
pub fn begin_confirmation(app: &App, user: User) -> Attempt {
    let subject = Subject::User(user.id);
    let owner = Some(Owner::new(user.id, &user.password_hash));
    attempt_of(app, Some(user), subject, owner)
}

fn attempt_of(app: &App, user: Option<User>, subject: Subject, owner: Option<Owner>) -> Attempt {
    let stored_hash = user.as_ref().map_or_else(|| Hashing::of(app).dummy(), |user| user.password_hash.clone());
    Attempt { user, subject, owner, stored_hash }
}

/// What a sign-in led to.
#[derive(Debug)]
pub enum Outcome {
    /// Signed in.
    Opened(Box<Opened>),
    /// The account changed while the password was checked: begin anew.
    Changed,
}

/// Opens a session if the password was right. `replaced` are the refresh tokens that the browser still held: their
/// sessions end, since the new one takes their place. [`Error::InvalidScope`] if nothing that is asked for is granted.
pub fn finish(
    app: &App,
    connection: &mut AnyConnection,
    attempt: &Attempt,
    checked: &Checked,
    device: &Device,
    replaced: &[RefreshToken],
    asking: &Asking,
) -> Result<Outcome, Error> {
    let Some(user) = attempt.user.as_ref().filter(|_| checked.correct) else {
        return Err(Error::InvalidCredentials);
    };
    let opened = audit::recorded(connection, |connection, events| {
        let touched = user::touch_sign_in(connection, user.id, user.version, checked.rehash.as_deref())?;
        let Some(user) = touched else { return Ok(None) };
        let now = user.last_signed_in_at.unwrap_or(user.updated_at);
        // First, so that the session whose place is taken is neither one too many nor evicts another device.
        let superseded = supersede(connection, replaced, events)?;
        let scope = scopes::at_sign_in(app, &user.role(), asking)?;
        let client_id = asking.client_id.as_str();
        let (opened, evicted) = sessions::open(app, connection, &user, now, device, client_id, &scope)?;
        events.extend(sessions::ended(Some(user.id), &evicted, RevokedReason::Evicted));
        let event = Event::success(EventName::SignIn).subject(user.id).session(opened.access.claims.sid);
        events.push(if client_id == FIRST_PARTY { event } else { event.client(client_id) });
        Ok(Some((opened, evicted, superseded)))
    })?;
    let Some((opened, evicted, superseded)) = opened else { return Ok(Outcome::Changed) };
    sessions::note_revoked(app, &evicted, RevokedReason::Evicted);
    sessions::note_revoked(app, &superseded, RevokedReason::Superseded);
    Ok(Outcome::Opened(Box::new(opened)))
}

/// Ends the sessions of these tokens and tells which. A token proves itself by its MAC and its secret part, whatever its
/// generation.
fn supersede(
    connection: &mut AnyConnection,
    tokens: &[RefreshToken],
    events: &mut Vec<Event>,
) -> Result<Vec<SessionId>, Error> {
    const REASON: RevokedReason = RevokedReason::Superseded;
    let mut superseded = Vec::new();
    for token in tokens {
        let Some(proven) = super::log_out::proven_session(connection, token)? else { continue };
        if session::revoke(connection, proven.id, REASON)? == 1 {
            events.extend(sessions::ended(proven.user_id, &[proven.id], REASON));
            superseded.push(proven.id);
        }
    }
    Ok(superseded)
}
