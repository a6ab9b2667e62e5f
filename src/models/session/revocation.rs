//! Ending sessions, and why and when they were ended.

use diesel::dsl::auto_type;
use diesel::prelude::*;

use super::super::connection::AnyConnection;
use super::super::schema::{sessions, tacit_now};
use super::super::turn::take_turn;
use crate::types::{SessionId, Timestamp, UserId};

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
    /// An operator ended it, by hand in the database: no command of ours does.
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

/// Most sessions that one statement ends.
const REVOKED_AT_ONCE: usize = 1000;

/// What is written into a session that ends.
#[auto_type]
fn ending(reason: &'static str) -> _ {
    (sessions::revoked_at.eq(tacit_now().nullable()), sessions::revoked_reason.eq(reason))
}

/// Ends a session; 1 row for the one caller whose statement ended it, else 0.
pub fn revoke(connection: &mut AnyConnection, id: SessionId, reason: RevokedReason) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(sessions::table.filter(sessions::id.eq(id)).filter(sessions::revoked_at.is_null()))
        .set(ending(reason.as_str()))
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
    .set(ending(reason.as_str()))
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
                .set(ending(reason.as_str()))
                .returning(sessions::id)
                .get_results(connection)?;
        ended.extend(gone);
    }
    Ok(ended)
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
