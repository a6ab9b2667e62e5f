//! What a signed-in user sees and changes of the own account.

use super::audit;
use super::passwords;
use super::register::{self, WrongFields, given};
use super::scopes;
use super::sessions::{self, Opened};
use crate::app::App;
use crate::error::{Error, Refusal};
use crate::models::AnyConnection;
use crate::models::session::{self, Device, FIRST_PARTY, RevokedReason};
use crate::models::user::{self, User, UserChange};
use crate::types::{Email, Event, EventName, Password, SessionId, UserId, Username, Words};

/// The signed-in user as the database has it now; one who was disabled or deleted meanwhile is not signed in.
pub fn load(connection: &mut AnyConnection, id: UserId) -> Result<User, Error> {
    match user::find(connection, id)? {
        Some(user) if !user.disabled => Ok(user),
        _ => Err(Refusal::UserDisabled.into()),
    }
}

/// The signed-in user, if the database says that it is an administrator.
pub fn load_admin(app: &App, connection: &mut AnyConnection, id: UserId) -> Result<User, Error> {
    let user = load(connection, id)?;
    if user.role().is_admin() {
        return Ok(user);
    }
    audit::note(app, &Event::refused(EventName::AccessRefused).reason("admin_required").subject(id));
    Err(Error::AdminRequired)
}

/// New names; the outer `None` leaves one as it is, the inner one removes it.
#[derive(Clone, Debug, Default)]
pub struct NewNames {
    username: Option<Option<Username>>,
    email: Option<Option<Email>>,
}

impl NewNames {
    /// Checks the shape; an empty text removes the name like null.
    pub fn parse(username: Option<Option<String>>, email: Option<Option<String>>) -> Result<Self, Error> {
        let mut wrong = WrongFields::default();
        let username =
            username.map(|name| given(name).map(|text| wrong.unless("username", text.parse())).transpose()).transpose();
        let email =
            email.map(|email| given(email).map(|text| wrong.unless("email", text.parse())).transpose()).transpose();
        match (username, email) {
            (Ok(None), Ok(None)) => Err(Error::bad_request("Nothing to change: send username or email")),
            (Ok(username), Ok(email)) => Ok(Self { username, email }),
            _ => Err(wrong.refusal()),
        }
    }
}

/// Changes the names of a user whose password was just checked.
pub fn rename(app: &App, connection: &mut AnyConnection, seen: &User, names: &NewNames) -> Result<User, Error> {
    let keeps_username = names.username.as_ref().map_or(seen.username.is_some(), Option::is_some);
    let keeps_email = names.email.as_ref().map_or(seen.email.is_some(), Option::is_some);
    if !keeps_username && !keeps_email {
        return Err(Error::bad_request("An account keeps a username or an e-mail address"));
    }
    let change = UserChange {
        username: names.username.as_ref().map(Option::as_ref),
        email: names.email.as_ref().map(Option::as_ref),
        ..UserChange::default()
    };
    let new_username =
        change.username.flatten().filter(|name| Some(name.canonical()) != seen.username_canonical.as_deref());
    let new_email = change.email.flatten().filter(|email| Some(email.canonical()) != seen.email_canonical.as_deref());
    let renamed = audit::recorded(connection, |connection, events| {
        register::check_free(connection, new_username, new_email)?;
        events.push(Event::success(EventName::UserRenamed).subject(seen.id));
        user::update(connection, seen.id, seen.version, &change)?.ok_or(Error::Conflict)
    });
    if let Err(Error::Conflict) = renamed {
        // Taken by somebody else, or the account itself was changed.
        register::check_free(connection, new_username, new_email)?;
    }
    let user = renamed?;
    app.revocations.add_user(user.id, user.version, app.clock.now());
    Ok(user)
}

/// Before the hash: whether the new password will do.
pub fn check_new_password(app: &App, user: &User, password: &Password) -> Result<(), Error> {
    let email = user.email.as_deref();
    let local = email.and_then(|email| email.split('@').next());
    let names: Vec<&str> = user.username.as_deref().into_iter().chain(email).chain(local).collect();
    passwords::check_new(app, "new_password", password, &names)
}

/// Stores a new password: every other session ends, and the caller's own gives way to a new one, whose scope is what the
/// caller's token has: a token that was narrowed does not widen.
pub fn change_password(
    app: &App,
    connection: &mut AnyConnection,
    seen: &User,
    acting: (SessionId, &Words),
    password_hash: &str,
    device: &Device,
) -> Result<Opened, Error> {
    let change = UserChange { password_hash: Some(password_hash), ..UserChange::default() };
    let (acting, scope) = acting;
    let (opened, ended) = audit::recorded(connection, |connection, events| {
        let user = user::update(connection, seen.id, seen.version, &change)?.ok_or(Error::Conflict)?;
        // The new session is as much the same client's as the one whose place it takes.
        let client_id = session::find_now(connection, acting)?.map(|(session, ..)| session.client_id);
        if session::revoke(connection, acting, RevokedReason::Superseded)? == 1 {
            events.extend(sessions::ended(Some(user.id), &[acting], RevokedReason::Superseded));
        }
        let ended = session::revoke_all_of(connection, user.id, None, RevokedReason::Password)?;
        let now = user.updated_at;
        let client_id = client_id.as_deref().unwrap_or(FIRST_PARTY);
        let scope = scopes::left_of(app, &user.role(), scope);
        let (opened, _) = sessions::open(app, connection, &user, now, device, client_id, &scope)?;
        events.extend(sessions::ended(Some(user.id), &ended, RevokedReason::Password));
        let session = opened.access.claims.sid;
        events.push(Event::success(EventName::PasswordChanged).subject(user.id).session(session));
        Ok((opened, ended))
    })?;
    sessions::note_revoked(app, &[acting], RevokedReason::Superseded);
    sessions::note_revoked(app, &ended, RevokedReason::Password);
    app.revocations.add_user(opened.user.id, opened.user.version, app.clock.now());
    Ok(opened)
}
