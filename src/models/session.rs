//! The `sessions` table: every statement of the refresh protocol, each a single one that either database runs alike.

use diesel::prelude::*;

use super::connection::{AnyConnection, written};
use super::schema::{sessions, tacit_now, users};
use super::turn::take_turn;
use super::user::User;
use crate::types::{SessionId, Timestamp, UserId, Words};

/// The `client_id` of sign-ins that no confidential client made.
pub const FIRST_PARTY: &str = "tacit";

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevokedReason {
    /// A refresh token was replayed.
    Reuse,
    /// Its user signed out.
    Logout,
    /// Its browser signed in anew.
    Superseded,
    /// Its user was disabled or deleted.
    Disabled,
    /// An operator ended it.
    Admin,
    /// The password was changed.
    Password,
    /// The user had too many.
    Evicted,
}

impl RevokedReason {
    const ALL: [Self; 7] =
        [Self::Reuse, Self::Logout, Self::Superseded, Self::Disabled, Self::Admin, Self::Password, Self::Evicted];

    /// As the column holds it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reuse => "reuse",
            Self::Logout => "logout",
            Self::Superseded => "superseded",
            Self::Disabled => "disabled",
            Self::Admin => "admin",
            Self::Password => "password",
            Self::Evicted => "evicted",
        }
    }

    /// A word that is none of ours (written by another hand) counts as an operator's.
    pub fn from_column(word: Option<&str>) -> Self {
        Self::ALL.into_iter().find(|reason| Some(reason.as_str()) == word).unwrap_or(Self::Admin)
    }
}

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
        self.last_refreshed_at().plus(std::time::Duration::from_secs(u64::try_from(self.idle_timeout).unwrap_or(0)))
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

/// Most sessions that one statement ends.
const REVOKED_AT_ONCE: usize = 1000;

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

/// Where a refresh came from.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The User-Agent header, cut to a bounded length.
    pub user_agent: Option<String>,
    /// The client's address.
    pub ip: Option<String>,
}

/// ROTATE: the presented branch becomes the predecessor; 1 row, or 0 if somebody was faster.
pub fn rotate(
    connection: &mut AnyConnection,
    id: SessionId,
    seen: i64,
    branch: &[u8],
    device: &Device,
) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(
        sessions::table
            .filter(sessions::id.eq(id))
            .filter(sessions::generation.eq(seen))
            .filter(sessions::revoked_at.is_null()),
    )
    .set((
        sessions::generation.eq(seen + 1),
        sessions::previous_branch.eq(branch),
        sessions::phase.eq(0),
        sessions::rotated_at.eq(tacit_now().nullable()),
        sessions::user_agent.eq(device.user_agent.as_deref()),
        sessions::ip.eq(device.ip.as_deref()),
    ))
    .execute(connection)
}

/// REISSUE: another branch of the current generation goes out; 1 row, or 0.
pub fn reissue(connection: &mut AnyConnection, id: SessionId, seen: i64) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(
        sessions::table
            .filter(sessions::id.eq(id))
            .filter(sessions::generation.eq(seen))
            .filter(sessions::phase.lt(2))
            .filter(sessions::revoked_at.is_null()),
    )
    .set((sessions::rotated_at.eq(tacit_now().nullable()), sessions::phase.eq(1)))
    .execute(connection)
}

/// Confirm: a branch of the current generation was seen in a jar; 1 row, or 0.
pub fn confirm(connection: &mut AnyConnection, id: SessionId, generation: i64) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(
        sessions::table
            .filter(sessions::id.eq(id))
            .filter(sessions::generation.eq(generation))
            .filter(sessions::phase.eq(1))
            .filter(sessions::revoked_at.is_null()),
    )
    .set(sessions::phase.eq(2))
    .execute(connection)
}

/// FAST-FORWARD: the database lost commits; the token's generation becomes current; 1 row, or 0.
pub fn fast_forward(
    connection: &mut AnyConnection,
    id: SessionId,
    seen: i64,
    token_generation: i64,
) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(
        sessions::table
            .filter(sessions::id.eq(id))
            .filter(sessions::generation.eq(seen))
            .filter(sessions::revoked_at.is_null()),
    )
    .set((
        sessions::generation.eq(token_generation),
        sessions::previous_branch.eq(None::<Vec<u8>>),
        sessions::phase.eq(0),
        sessions::rotated_at.eq(tacit_now().nullable()),
    ))
    .execute(connection)
}

/// Ends a session; 1 row for the one caller whose statement ended it, else 0.
pub fn revoke(connection: &mut AnyConnection, id: SessionId, reason: RevokedReason) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(sessions::table.filter(sessions::id.eq(id)).filter(sessions::revoked_at.is_null()))
        .set((sessions::revoked_at.eq(tacit_now().nullable()), sessions::revoked_reason.eq(reason.as_str())))
        .execute(connection)
}

/// Ends one session of a user; 0 if it is not this user's.
pub fn revoke_own(
    connection: &mut AnyConnection,
    id: SessionId,
    owner: UserId,
    reason: RevokedReason,
) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(
        sessions::table
            .filter(sessions::id.eq(id))
            .filter(sessions::user_id.eq(owner))
            .filter(sessions::revoked_at.is_null()),
    )
    .set((sessions::revoked_at.eq(tacit_now().nullable()), sessions::revoked_reason.eq(reason.as_str())))
    .execute(connection)
}

/// Ends all sessions of a user but one, and tells which.
pub fn revoke_all_of(
    connection: &mut AnyConnection,
    owner: UserId,
    except: Option<SessionId>,
    reason: RevokedReason,
) -> QueryResult<Vec<SessionId>> {
    // An id that no row has keeps one statement for both cases.
    let except = except.map_or_else(String::new, |id| id.to_string());
    let ids: Vec<SessionId> = sessions::table
        .filter(sessions::user_id.eq(owner))
        .filter(sessions::id.ne(except))
        .filter(sessions::revoked_at.is_null())
        .order(sessions::id)
        .select(sessions::id)
        .load(connection)?;
    revoke_these(connection, &ids, reason)
}

/// Ends those of these sessions that have not ended, and tells which.
///
/// Some at a time, in the order of `ids`: a hundred thousand at once take longer than a statement may.
pub fn revoke_these(
    connection: &mut AnyConnection,
    ids: &[SessionId],
    reason: RevokedReason,
) -> QueryResult<Vec<SessionId>> {
    let mut ended = Vec::with_capacity(ids.len());
    for some in ids.chunks(REVOKED_AT_ONCE) {
        let texts: Vec<String> = some.iter().map(ToString::to_string).collect();
        let _turn = take_turn(connection)?;
        let gone: Vec<SessionId> =
            diesel::update(sessions::table.filter(sessions::id.eq_any(texts)).filter(sessions::revoked_at.is_null()))
                .set((sessions::revoked_at.eq(tacit_now().nullable()), sessions::revoked_reason.eq(reason.as_str())))
                .returning(sessions::id)
                .get_results(connection)?;
        ended.extend(gone);
    }
    Ok(ended)
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

/// Whether and why a session was ended; `None`: no such row.
pub fn find_revocation(connection: &mut AnyConnection, id: SessionId) -> QueryResult<Option<Option<RevokedReason>>> {
    let row: Option<(Option<Timestamp>, Option<String>)> = sessions::table
        .filter(sessions::id.eq(id))
        .select((sessions::revoked_at, sessions::revoked_reason))
        .first(connection)
        .optional()?;
    Ok(row.map(|(at, reason)| at.map(|_| RevokedReason::from_column(reason.as_deref()))))
}

/// Sessions that were ended at `since` or later.
pub fn revoked_since(
    connection: &mut AnyConnection,
    since: Timestamp,
) -> QueryResult<Vec<(SessionId, RevokedReason, Timestamp)>> {
    let rows: Vec<(SessionId, Option<String>, Option<Timestamp>)> = sessions::table
        .filter(sessions::revoked_at.ge(since))
        .select((sessions::id, sessions::revoked_reason, sessions::revoked_at))
        .load(connection)?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, reason, at)| at.map(|at| (id, RevokedReason::from_column(reason.as_deref()), at)))
        .collect())
}

/// The database's time.
pub fn now(connection: &mut AnyConnection) -> QueryResult<Timestamp> {
    diesel::select(tacit_now()).get_result(connection)
}
