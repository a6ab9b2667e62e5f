//! The `sessions` table. Every statement that changes a row is a single one, which either database runs alike.

mod revocation;
mod swap;

use std::time::Duration;

use diesel::prelude::*;

pub use self::revocation::{
    RevokedReason, find_revocation, revoke, revoke_all_of, revoke_own, revoke_these, revoked_since,
};
pub use self::swap::{Device, confirm, fast_forward, reissue, rotate};

use super::connection::{AnyConnection, written};
use super::schema::{sessions, tacit_now, users};
use super::turn::take_turn;
use super::user::User;
use crate::types::{SessionId, Timestamp, UserId, Words};

/// The `client_id` of sign-ins that no confidential client made.
pub const FIRST_PARTY: &str = "tacit";

/// A row of `sessions`.
#[derive(Clone, Debug, Queryable)]
pub struct Session {
    /// `sid` in tokens.
    pub id: SessionId,
    /// `None` once the user is deleted.
    pub user_id: Option<UserId>,
    /// How often the refresh token was rotated.
    pub generation: i64,
    /// The branch that the last rotation was made from; `None` after a fast-forward: any.
    pub previous_branch: Option<Vec<u8>>,
    /// 0 fresh, 1 reissued, 2 confirmed.
    pub phase: i16,
    /// `None` until the first rotation.
    pub rotated_at: Option<Timestamp>,
    /// SHA-256 of the tokens' random part.
    pub secret_hash: Vec<u8>,
    /// The sign-in.
    pub created_at: Timestamp,
    /// When the password was last checked: `auth_time`.
    pub authenticated_at: Timestamp,
    /// The absolute limit.
    pub expires_at: Timestamp,
    /// In seconds.
    pub idle_timeout: i64,
    /// When it was ended.
    pub revoked_at: Option<Timestamp>,
    revoked_reason: Option<String>,
    /// Of the last rotation.
    pub user_agent: Option<String>,
    /// Of the last rotation.
    pub ip: Option<String>,
    /// Made from the user agent at sign-in.
    pub label: Option<String>,
    /// "tacit" for first-party sign-in.
    pub client_id: String,
    scope: String,
}

impl Session {
    /// When its refresh token was last used to rotate, or the sign-in.
    pub fn last_refreshed_at(&self) -> Timestamp {
        self.rotated_at.unwrap_or(self.created_at)
    }

    /// When it ends by idleness if it is not refreshed.
    pub fn idle_at(&self) -> Timestamp {
        idle_limit(self.last_refreshed_at(), self.idle_timeout)
    }

    /// The most that its access tokens get as their scope, as granted at the sign-in.
    pub fn scope(&self) -> Words {
        self.scope.parse().unwrap_or_default()
    }

    /// Whether the idle or the absolute limit has passed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now > self.expires_at || now > self.idle_at()
    }

    /// Why it was ended, if it was.
    pub fn revocation(&self) -> Option<RevokedReason> {
        self.revoked_at.map(|_| RevokedReason::from_column(self.revoked_reason.as_deref()))
    }
}

/// When a session that was used at `used` ends by idleness, by the seconds in `idle_timeout`.
pub fn idle_limit(used: Timestamp, idle_timeout: i64) -> Timestamp {
    used.plus(Duration::from_secs(u64::try_from(idle_timeout).unwrap_or(0)))
}

/// A session, its user and the database's time, read in one statement.
pub type SessionNow = (Session, Option<User>, Timestamp);

/// Reads what a refresh decides on.
pub fn find_now(connection: &mut AnyConnection, id: SessionId) -> QueryResult<Option<SessionNow>> {
    sessions::table
        .left_join(users::table)
        .filter(sessions::id.eq(id))
        .select((sessions::all_columns, users::all_columns.nullable(), tacit_now()))
        .first(connection)
        .optional()
}

/// A session to be.
pub struct NewSession<'a> {
    /// Chosen by the caller, since the refresh token holds it.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// SHA-256 of the tokens' random part.
    pub secret_hash: &'a [u8],
    /// The database's time.
    pub now: Timestamp,
    /// The absolute limit.
    pub expires_at: Timestamp,
    /// In seconds.
    pub idle_timeout: i64,
    /// From the request.
    pub user_agent: Option<&'a str>,
    /// From the request.
    pub ip: Option<&'a str>,
    /// Made from the user agent.
    pub label: Option<&'a str>,
    /// The confidential client that signed somebody in, or [`FIRST_PARTY`].
    pub client_id: &'a str,
    /// Granted scope.
    pub scope: &'a Words,
}

/// Adds a session of generation 0.
pub fn insert(connection: &mut AnyConnection, new: &NewSession<'_>) -> QueryResult<Session> {
    let _turn = take_turn(connection)?;
    diesel::insert_into(sessions::table)
        .values((
            sessions::id.eq(new.id),
            sessions::user_id.eq(new.user_id),
            sessions::secret_hash.eq(new.secret_hash),
            sessions::created_at.eq(new.now),
            sessions::authenticated_at.eq(new.now),
            sessions::expires_at.eq(new.expires_at),
            sessions::idle_timeout.eq(new.idle_timeout),
            sessions::user_agent.eq(new.user_agent),
            sessions::ip.eq(new.ip),
            sessions::label.eq(new.label),
            sessions::client_id.eq(new.client_id),
            sessions::scope.eq(new.scope.to_string()),
        ))
        .returning(sessions::all_columns)
        .get_results(connection)
        .and_then(written)
}

/// How many sessions of a user are neither revoked nor past their absolute limit; those that idled out are among them.
pub fn count_of(connection: &mut AnyConnection, owner: UserId) -> QueryResult<i64> {
    sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.ge(tacit_now()))
        .count()
        .get_result(connection)
}

/// The same sessions, the newest sign-ins first and at most `limit`, with the database's time.
pub fn list_of(connection: &mut AnyConnection, owner: UserId, limit: i64) -> QueryResult<Vec<(Session, Timestamp)>> {
    sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.ge(tacit_now()))
        .order((sessions::created_at.desc(), sessions::id))
        .limit(limit)
        .select((sessions::all_columns, tacit_now()))
        .load(connection)
}

/// The database's time.
pub fn now(connection: &mut AnyConnection) -> QueryResult<Timestamp> {
    diesel::select(tacit_now()).get_result(connection)
}
