//! What an operator does to accounts.

use super::sessions;
use crate::app::App;
use crate::error::Error;
use crate::models::session::RevokedReason;
use crate::models::user::{self, User, UserChange};
use crate::models::{AnyConnection, transaction};
use crate::types::{Identifier, Role, UserId};

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
    let reason = disabled.then_some(RevokedReason::Disabled);
    let change = UserChange { disabled: Some(disabled), ..UserChange::default() };
    change_account(app, connection, name, &change, reason)
}

/// Gives a user another role; its sessions live on, and learn the role with their next token.
pub fn set_role(app: &App, connection: &mut AnyConnection, name: &str, role: &Role) -> Result<User, Error> {
    change_account(app, connection, name, &UserChange { role: Some(role), ..UserChange::default() }, None)
}

/// Stores a new password hash; all sessions end.
pub fn set_password(app: &App, connection: &mut AnyConnection, name: &str, hash: &str) -> Result<User, Error> {
    let change = UserChange { password_hash: Some(hash), ..UserChange::default() };
    change_account(app, connection, name, &change, Some(RevokedReason::Password))
}

fn change_account(
    app: &App,
    connection: &mut AnyConnection,
    name: &str,
    change: &UserChange<'_>,
    end_sessions: Option<RevokedReason>,
) -> Result<User, Error> {
    transaction(connection, |connection| {
        let seen = find(connection, name)?;
        let stays_admin = change.disabled != Some(true) && change.role.is_none_or(Role::is_admin);
        if !stays_admin {
            check_not_last_admin(connection, &seen)?;
        }
        let user = user::update(connection, seen.id, seen.version, change)?.ok_or(Error::Conflict)?;
        if let Some(reason) = end_sessions {
            sessions::end_all(app, connection, user.id, None, reason)?;
        }
        Ok(user)
    })
}

/// Deletes a user; all sessions end, and their rows stay until the purge, so that every replica learns of it.
pub fn delete(app: &App, connection: &mut AnyConnection, name: &str) -> Result<User, Error> {
    transaction(connection, |connection| {
        let user = find(connection, name)?;
        check_not_last_admin(connection, &user)?;
        // Holds the row: a sign-in that is under way either opened its session before this or finds nobody.
        let change = UserChange { disabled: Some(true), ..UserChange::default() };
        user::update(connection, user.id, user.version, &change)?.ok_or(Error::Conflict)?;
        sessions::end_all(app, connection, user.id, None, RevokedReason::Disabled)?;
        user::delete(connection, user.id)?;
        Ok(user)
    })
}

fn check_not_last_admin(connection: &mut AnyConnection, seen: &User) -> Result<(), Error> {
    let is_active_admin = seen.role().is_admin() && !seen.disabled;
    if is_active_admin && user::count_active_admins(connection)? <= 1 {
        return Err(Error::LastAdmin);
    }
    Ok(())
}
