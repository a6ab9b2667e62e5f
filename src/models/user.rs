//! The `users` table.

use diesel::prelude::*;

use super::connection::{AnyConnection, unless_taken, written};
use super::schema::{tacit_now, users};
use super::turn::take_turn;
use crate::types::{Email, Identifier, Role, Timestamp, UserId, Username};

/// A row of `users`.
#[derive(Clone, Debug, Queryable)]
pub struct User {
    /// Never reused.
    pub id: UserId,
    /// As typed.
    pub username: Option<String>,
    /// What is compared.
    pub username_canonical: Option<String>,
    /// As typed.
    pub email: Option<String>,
    /// What is compared.
    pub email_canonical: Option<String>,
    /// passlib's bcrypt-sha256, or plain bcrypt.
    pub password_hash: String,
    role: String,
    /// A disabled user is signed in nowhere.
    pub disabled: bool,
    /// Raised by every change of what a token claims.
    pub version: i64,
    /// When it was raised last.
    pub version_changed_at: Option<Timestamp>,
    /// When the account was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// When somebody last signed in to it.
    pub last_signed_in_at: Option<Timestamp>,
}

impl User {
    /// The role; a word that is none (written by another hand) gives no power.
    pub fn role(&self) -> Role {
        self.role.parse().unwrap_or_else(|_| Role::user())
    }

    /// What messages call this user: the username, or the address.
    pub fn display_name(&self) -> &str {
        self.username.as_deref().or(self.email.as_deref()).unwrap_or_default()
    }
}

/// A user to be.
pub struct NewUser<'a> {
    /// A name, an address or both.
    pub username: Option<&'a Username>,
    /// A name, an address or both.
    pub email: Option<&'a Email>,
    /// Already hashed.
    pub password_hash: &'a str,
    /// What the user may do.
    pub role: &'a Role,
}

/// Adds a user; `None` when another has one of the names.
pub fn insert(connection: &mut AnyConnection, new: &NewUser<'_>) -> QueryResult<Option<User>> {
    let _turn = take_turn(connection)?;
    let inserted = diesel::insert_into(users::table)
        .values((
            users::id.eq(UserId::random()),
            users::username.eq(new.username.map(Username::shown)),
            users::username_canonical.eq(new.username.map(Username::canonical)),
            users::email.eq(new.email.map(Email::shown)),
            users::email_canonical.eq(new.email.map(Email::canonical)),
            users::password_hash.eq(new.password_hash),
            users::role.eq(new.role.as_str()),
            users::created_at.eq(tacit_now()),
            users::updated_at.eq(tacit_now()),
        ))
        .returning(users::all_columns)
        .get_results(connection)
        .and_then(written);
    unless_taken(inserted)
}

/// The user of an id.
pub fn find(connection: &mut AnyConnection, id: UserId) -> QueryResult<Option<User>> {
    users::table.filter(users::id.eq(id)).first(connection).optional()
}

/// The user who signs in with this.
pub fn find_by_identifier(connection: &mut AnyConnection, identifier: &Identifier) -> QueryResult<Option<User>> {
    match identifier {
        Identifier::Username(name) => {
            users::table.filter(users::username_canonical.eq(name.canonical())).first(connection)
        }
        Identifier::Email(email) => users::table.filter(users::email_canonical.eq(email.canonical())).first(connection),
    }
    .optional()
}

/// Up to `limit` users after the id `after`, in the order of their ids.
pub fn list(connection: &mut AnyConnection, after: Option<UserId>, limit: i64) -> QueryResult<Vec<User>> {
    let mut query = users::table.order(users::id).limit(limit).into_boxed();
    if let Some(after) = after {
        query = query.filter(users::id.gt(after.to_string()));
    }
    query.load(connection)
}

/// Notes a sign-in and holds the row until the transaction ends, so that a sign-in and a change of the account happen
/// one after the other. `None`: the user was changed, disabled or deleted since `seen_version` was read.
pub fn touch_sign_in(
    connection: &mut AnyConnection,
    id: UserId,
    seen_version: i64,
    rehash: Option<&str>,
) -> QueryResult<Option<User>> {
    let _turn = take_turn(connection)?;
    let target =
        users::table.filter(users::id.eq(id)).filter(users::version.eq(seen_version)).filter(users::disabled.eq(false));
    match rehash {
        Some(hash) => diesel::update(target)
            .set((users::last_signed_in_at.eq(tacit_now().nullable()), users::password_hash.eq(hash)))
            .returning(users::all_columns)
            .get_results(connection),
        None => diesel::update(target)
            .set(users::last_signed_in_at.eq(tacit_now().nullable()))
            .returning(users::all_columns)
            .get_results(connection),
    }
    .and_then(written)
    .optional()
}

/// Holds the row until the transaction ends, as a sign-in does: those under way have ended, and later ones wait.
pub fn hold(connection: &mut AnyConnection, id: UserId) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(users::table.filter(users::id.eq(id))).set(users::version.eq(users::version)).execute(connection)
}

/// What of an account is to change; `None` stays.
#[derive(Default)]
pub struct UserChange<'a> {
    /// A new name, or none any more.
    pub username: Option<Option<&'a Username>>,
    /// A new address, or none any more.
    pub email: Option<Option<&'a Email>>,
    /// A new hash.
    pub password_hash: Option<&'a str>,
    /// A new role.
    pub role: Option<&'a Role>,
    /// Disabled or enabled.
    pub disabled: Option<bool>,
}

/// Changes an account and raises its version in the same statement, so that every token minted before is stale.
/// `Ok(None)`: the account was changed since `seen_version` was read, or is gone, or another has one of the names.
pub fn update(
    connection: &mut AnyConnection,
    id: UserId,
    seen_version: i64,
    change: &UserChange<'_>,
) -> QueryResult<Option<User>> {
    let _turn = take_turn(connection)?;
    let current: Option<User> = find(connection, id)?.filter(|user| user.version == seen_version);
    let Some(current) = current else { return Ok(None) };
    let role = change.role.map_or(current.role.as_str(), Role::as_str);
    let username = change.username.map_or(current.username.as_deref(), |name| name.map(Username::shown));
    let username_canonical =
        change.username.map_or(current.username_canonical.as_deref(), |name| name.map(Username::canonical));
    let email = change.email.map_or(current.email.as_deref(), |email| email.map(Email::shown));
    let email_canonical = change.email.map_or(current.email_canonical.as_deref(), |email| email.map(Email::canonical));
    let updated = diesel::update(users::table.filter(users::id.eq(id)).filter(users::version.eq(seen_version)))
        .set((
            users::username.eq(username),
            users::username_canonical.eq(username_canonical),
            users::email.eq(email),
            users::email_canonical.eq(email_canonical),
            users::password_hash.eq(change.password_hash.unwrap_or(&current.password_hash)),
            users::role.eq(role),
            users::disabled.eq(change.disabled.unwrap_or(current.disabled)),
            users::version.eq(seen_version + 1),
            users::version_changed_at.eq(tacit_now().nullable()),
            users::updated_at.eq(tacit_now()),
        ))
        .returning(users::all_columns)
        .get_results(connection)
        .and_then(written);
    unless_taken(updated)
}

/// Deletes a user; sessions stay without one until the purge.
pub fn delete(connection: &mut AnyConnection, id: UserId) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::delete(users::table.filter(users::id.eq(id))).execute(connection)
}

/// How many administrators could sign in.
///
/// On PostgreSQL an advisory lock holds other callers of this back until the transaction ends: under READ COMMITTED two
/// could each count the other and both leave. SQLite's transactions that write are one at a time anyway.
pub fn count_active_admins(connection: &mut AnyConnection) -> QueryResult<i64> {
    if let AnyConnection::Postgres(postgres) = connection {
        diesel::sql_query("SELECT pg_advisory_xact_lock(hashtext('tacit last admin'))").execute(postgres)?;
    }
    users::table
        .filter(users::role.eq(Role::admin().as_str()))
        .filter(users::disabled.eq(false))
        .count()
        .get_result(connection)
}

/// Users whose version was raised at `since` or later, with that version and when.
pub fn version_changes_since(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> QueryResult<Vec<(UserId, i64, Option<Timestamp>)>> {
    users::table
        .filter(users::version_changed_at.ge(since))
        .select((users::id, users::version, users::version_changed_at))
        .load(connection)
}
