//! The `clients` table: programs that authenticate themselves.

use diesel::prelude::*;

use super::connection::{AnyConnection, unless_taken, written};
use super::schema::{clients, tacit_now};
use super::turn::take_turn;
use crate::types::{Grant, Timestamp, Words};

/// A row of `clients`.
#[derive(Clone, Debug, Queryable)]
pub struct Client {
    /// `client_id`.
    pub id: String,
    /// What operators call it.
    pub name: String,
    /// SHA-256 of the secret.
    pub secret_hash: Vec<u8>,
    grants: String,
    scopes: String,
    audiences: String,
    /// A disabled client is none.
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it got its secret.
    pub secret_changed_at: Timestamp,
}

impl Client {
    /// The grants it may use; a word that is none (written by another hand) gives no power.
    pub fn grants(&self) -> Vec<Grant> {
        self.grants.split(' ').filter_map(|word| word.parse().ok()).collect()
    }

    /// The most that its own tokens may say as their scope, and those of users who sign in through it.
    pub fn scopes(&self) -> Words {
        self.scopes.parse().unwrap_or_default()
    }

    /// Whom its own tokens may be for.
    pub fn audiences(&self) -> Words {
        self.audiences.parse().unwrap_or_default()
    }
}

/// A client to be.
pub struct NewClient<'a> {
    /// `client_id`.
    pub id: &'a str,
    /// What operators call it.
    pub name: &'a str,
    /// SHA-256 of the secret.
    pub secret_hash: &'a [u8],
    /// What it may use at POST /token.
    pub grants: &'a [Grant],
    /// The most that its own tokens may say as their scope, and those of users who sign in through it.
    pub scopes: &'a Words,
    /// Whom its own tokens may be for.
    pub audiences: &'a Words,
}

/// Adds a client; `None`: another has the name.
pub fn insert(connection: &mut AnyConnection, new: &NewClient<'_>) -> QueryResult<Option<Client>> {
    let _turn = take_turn(connection)?;
    let grants: Vec<&str> = new.grants.iter().map(|grant| grant.as_str()).collect();
    let inserted = diesel::insert_into(clients::table)
        .values((
            clients::id.eq(new.id),
            clients::name.eq(new.name),
            clients::secret_hash.eq(new.secret_hash),
            clients::grants.eq(grants.join(" ")),
            clients::scopes.eq(new.scopes.to_string()),
            clients::audiences.eq(new.audiences.to_string()),
            clients::created_at.eq(tacit_now()),
            clients::secret_changed_at.eq(tacit_now()),
        ))
        .returning(clients::all_columns)
        .get_results(connection)
        .and_then(written);
    unless_taken(inserted)
}

/// The client of an id.
pub fn find(connection: &mut AnyConnection, id: &str) -> QueryResult<Option<Client>> {
    clients::table.filter(clients::id.eq(id)).first(connection).optional()
}

/// The client that operators call so.
pub fn find_by_name(connection: &mut AnyConnection, name: &str) -> QueryResult<Option<Client>> {
    clients::table.filter(clients::name.eq(name)).first(connection).optional()
}

/// All clients, by name.
pub fn list(connection: &mut AnyConnection) -> QueryResult<Vec<Client>> {
    clients::table.order(clients::name).load(connection)
}

/// Gives a client another secret; the old one is good no more.
pub fn set_secret(connection: &mut AnyConnection, id: &str, secret_hash: &[u8]) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(clients::table.filter(clients::id.eq(id)))
        .set((clients::secret_hash.eq(secret_hash), clients::secret_changed_at.eq(tacit_now())))
        .execute(connection)
}

/// Disables or enables a client.
pub fn set_disabled(connection: &mut AnyConnection, id: &str, disabled: bool) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(clients::table.filter(clients::id.eq(id))).set(clients::disabled.eq(disabled)).execute(connection)
}
