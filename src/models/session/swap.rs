//! The statements of the refresh protocol that move a session on, each guarded by the generation that was read.

use diesel::dsl::auto_type;
use diesel::prelude::*;

use super::super::connection::AnyConnection;
use super::super::schema::{sessions, tacit_now};
use super::super::turn::take_turn;
use crate::types::SessionId;

/// Where a refresh came from.
#[derive(Clone, Debug, Default)]
pub struct Device {
    /// The User-Agent header, cut to a bounded length.
    pub user_agent: Option<String>,
    /// The client's address.
    pub ip: Option<String>,
}

/// The session if it has not ended and is of the generation that was read: nobody was faster.
#[auto_type]
fn unchanged(id: SessionId, seen: i64) -> _ {
    sessions::table
        .filter(sessions::id.eq(id))
        .filter(sessions::generation.eq(seen))
        .filter(sessions::revoked_at.is_null())
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
    diesel::update(unchanged(id, seen))
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
    diesel::update(unchanged(id, seen).filter(sessions::phase.lt(2)))
        .set((sessions::rotated_at.eq(tacit_now().nullable()), sessions::phase.eq(1)))
        .execute(connection)
}

/// Confirm: a branch of the current generation was seen in a jar; 1 row, or 0.
pub fn confirm(connection: &mut AnyConnection, id: SessionId, generation: i64) -> QueryResult<usize> {
    let _turn = take_turn(connection)?;
    diesel::update(unchanged(id, generation).filter(sessions::phase.eq(1)))
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
    diesel::update(unchanged(id, seen))
        .set((
            sessions::generation.eq(token_generation),
            sessions::previous_branch.eq(None::<Vec<u8>>),
            sessions::phase.eq(0),
            sessions::rotated_at.eq(tacit_now().nullable()),
        ))
        .execute(connection)
}
