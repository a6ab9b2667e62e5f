//! What an operator does to accounts.

use super::audit;
use super::sessions;
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, RevokedReason};
use crate::models::user::{self, User, UserChange};
use crate::types::{Event, EventName, Identifier, Role, UserId};

/// Finds a user by username, e-mail address or id.
pub fn find(connection: &mut AnyConnection, name: &str) -> Result<User, Error> {
    let by_name = match Identifier::parse(name) {
        Some(identifier) => user::find_by_identifier(connection, &identifier)?,
        None => None,
    };
    let found = match (by_name, name.parse::<UserId>()) {
        (Some(user), _) => Some(user),
        (None, Ok(id)) => user::find(connection, id)?,
        (None, Err(_)) => None,
    };
    found.ok_or(Error::NotFound)
}

/// Disables or enables a user; disabling ends all sessions.
pub fn set_disabled(app: &App, connection: &mut AnyConnection, name: &str, disabled: bool) -> Result<User, Error> {
    let (event, reason) = if disabled {
        (EventName::UserDisabled, Some(RevokedReason::Disabled))
    } else {
        (EventName::UserEnabled, None)
    };
    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
    change_account(app, connection, name, &change, Event::success(event), reason)
}

/// Gives a user another role; its sessions live on, and learn the role with their next token.
pub fn set_role(app: &App, connection: &mut AnyConnection, name: &str, role: &Role) -> Result<User, Error> {
    let change = UserChange { role: Some(role), ..UserChange::default() };
    change_account(app, connection, name, &change, Event::success(EventName::RoleChanged).detail("role", role), None)
}

/// Stores a new password hash; all sessions end.
pub fn set_password(app: &App, connection: &mut AnyConnection, name: &str, hash: &str) -> Result<User, Error> {
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    let event = Event::success(EventName::PasswordSet);
    change_account(app, connection, name, &change, event, Some(RevokedReason::Password))
}

fn change_account(
    app: &App,
    connection: &mut AnyConnection,
    name: &str,
    change: &UserChange<'_>,
    event: Event,
    end_sessions: Option<RevokedReason>,
) -> Result<User, Error> {
    let (user, ended) = audit::recorded(connection, |connection, events| {
        let seen = find(connection, name)?;
        let stays_admin = change.disabled != Some(true) && change.role.is_none_or(Role::is_admin);
        if !stays_admin {
            check_not_last_admin(connection, &seen)?;
        }
        let user = user::update(connection, seen.id, seen.version, change)?.ok_or(Error::Conflict)?;
        events.push(event.subject(user.id));
        let Some(reason) = end_sessions else { return Ok((user, None)) };
        let ended = session::revoke_all_of(connection, user.id, None, reason)?;
        events.extend(sessions::ended(Some(user.id), &ended, reason));
        Ok((user, Some((ended, reason))))
    })?;
    if let Some((ended, reason)) = ended {
        sessions::note_revoked(app, &ended, reason);
    }
    Ok(user)
}

/// Deletes a user; all sessions end, and their rows stay until the purge, so that every replica learns of it.
pub fn delete(app: &App, connection: &mut AnyConnection, name: &str) -> Result<User, Error> {
    const REASON: RevokedReason = RevokedReason::Disabled;
    let (user, ended) = audit::recorded(connection, |connection, events| {
        let user = find(connection, name)?;
        check_not_last_admin(connection, &user)?;
        // Holds the row: a sign-in that is under way either opened its session before this or finds nobody.
        let change = UserChange { disabled: Some(true), ..UserChange::default() };
        user::update(connection, user.id, user.version, &change)?.ok_or(Error::Conflict)?;
        let ended = session::revoke_all_of(connection, user.id, None, REASON)?;
        user::delete(connection, user.id)?;
        events.push(Event::success(EventName::UserDeleted).subject(user.id));
        events.extend(sessions::ended(Some(user.id), &ended, REASON));
        Ok((user, ended))
    })?;
    sessions::note_revoked(app, &ended, REASON);
    Ok(user)
}

fn check_not_last_admin(connection: &mut AnyConnection, seen: &User) -> Result<(), Error> {
    let is_active_admin = seen.role().is_admin() && !seen.disabled;
    if is_active_admin && user::count_active_admins(connection)? <= 1 {
        return Err(Error::LastAdmin);
    }
    Ok(())
}
