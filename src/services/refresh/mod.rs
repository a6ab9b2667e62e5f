//! The refresh engine: reads a session, asks the decision table, and carries the decision out in one statement.

pub mod decision;
mod exchange;
mod outcome;

use std::time::Duration;

pub use self::outcome::{
    Delivery, Echo, IssuedRefresh, Occasion, Refreshed, Refused, Rotation, Verdict, clears_cookies, refusal_of,
};

use self::decision::{Decision, Phase, Presented, State, decide, is_predecessor};
use self::exchange::Exchange;
use super::audit;
use super::refresh_token::{RefreshToken, Unusable};
use super::{scopes, sessions};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, RevokedReason, Session};
use crate::models::user::User;
use crate::types::{Event, EventName, SessionId, Timestamp, Words};

/// How often a statement that changed no row makes the engine read and decide again.
const REREADS: usize = 3;

/// After a swap this old its session's revocation is looked up once more before cookies go out.
const RECHECK_AFTER: Duration = Duration::from_secs(1);

/// The refresh tokens among these texts whose MAC is good and that have not expired, best first, one of each session.
/// Without any: why the last was unusable.
pub fn candidates<'a>(app: &App, texts: impl Iterator<Item = &'a str>) -> Result<Vec<RefreshToken>, Refused> {
    let now = app.clock.now();
    let mut refused = Refused::Invalid;
    let mut tokens = Vec::new();
    for text in texts {
        match RefreshToken::decode(&app.refresh_keys, text, now) {
            Ok(token) => tokens.push(token),
            Err(Unusable::Expired) => refused = Refused::TokenExpired,
            Err(Unusable::Invalid) => {}
        }
    }
    tokens.sort_by_key(|token| std::cmp::Reverse(token.precedence()));
    let mut seen: Vec<SessionId> = Vec::new();
    tokens.retain(|token| {
        let new = !seen.contains(&token.session_id);
        seen.push(token.session_id);
        new
    });
    if tokens.is_empty() {
        count(app, refused.as_str());
        return Err(refused);
    }
    Ok(tokens)
}

/// Refreshes with the first of these tokens whose session lives and belongs to this client. All in one go: who calls this must not be interrupted.
/// [`Error::InvalidScope`] if more is asked for than the session was granted, or nothing of it is left.
pub fn refresh(
    app: &App,
    connection: &mut AnyConnection,
    tokens: &[RefreshToken],
    occasion: &Occasion,
) -> Result<Result<Refreshed, Refused>, Error> {
    let mut first_refusal = None;
    for token in tokens {
        let outcome = refresh_one(app, connection, token, occasion)?;
        count(app, outcome.as_ref().map_or_else(|refused| refused.as_str(), |refreshed| refreshed.verdict.as_str()));
        match outcome {
            Err(refused @ (Refused::Unknown | Refused::Expired | Refused::Revoked(_))) => {
                first_refusal.get_or_insert(refused);
            }
            decided => return Ok(decided),
        }
    }
    Ok(Err(first_refusal.unwrap_or(Refused::Invalid)))
}

fn count(app: &App, verdict: &str) {
    app.metrics.refreshes.with_label_values(&[verdict]).inc();
}

fn refresh_one(
    app: &App,
    connection: &mut AnyConnection,
    token: &RefreshToken,
    occasion: &Occasion,
) -> Result<Result<Refreshed, Refused>, Error> {
    for attempt in 0..=REREADS {
        let read_at = app.clock.instant();
        let Some((session, user, now)) = session::find_now(connection, token.session_id)? else {
            return Ok(Err(Refused::Unknown));
        };
        let user = match check(app, connection, token, &occasion.asking.client_id, &session, user, now)? {
            Ok(user) => user,
            Err(refused) => return Ok(Err(refused)),
        };
        let presented = Presented { generation: token.generation, branch: token.branch };
        let state = state_of(&session, now);
        let decision = match decide(&presented, &state, app.config.sessions.grace) {
            Decision::Theft => Decision::Theft,
            _ if occasion.rotation == Rotation::Never => Decision::AccessOnly { confirm: false },
            decision => decision,
        };
        // Nothing may have been used up by a request that is refused; theft stays theft, whatever it asks for.
        let scope = match decision {
            Decision::Theft => Words::default(),
            _ => scopes::at_refresh(app, &user.role(), &session, &occasion.asking)?,
        };
        let sent_at = if stamps(decision) { app.clock.instant() } else { read_at };
        let exchange = Exchange { app, token, session, user, scope, now, sent_at };
        if let Some(outcome) = exchange.carry_out(connection, decision, occasion)? {
            return Ok(outcome);
        }
        let current_or_predecessor = token.generation == state.generation || is_predecessor(&presented, &state);
        if attempt == REREADS && current_or_predecessor {
            return exchange.access_only(Verdict::AccessOnly, Echo::Nothing).map(Ok);
        }
    }
    Err(Error::Database("a session changed under every one of several attempts to refresh it".to_owned()))
}

/// Whether a decision's statement opens the window anew. A confirm does not: what its answer tells the client was decided
/// by the read, and is as old as that.
fn stamps(decision: Decision) -> bool {
    !matches!(decision, Decision::AccessOnly { .. } | Decision::Reissue { write: false })
}

fn state_of(session: &Session, now: Timestamp) -> State {
    State {
        generation: session.generation,
        previous_branch: session.previous_branch.as_deref().map(|branch| {
            let mut bytes = [0; 8];
            bytes.iter_mut().zip(branch).for_each(|(to, from)| *to = *from);
            bytes
        }),
        phase: Phase::from_column(session.phase),
        age_micros: session.rotated_at.map(|rotated_at| now.micros_since(rotated_at)),
    }
}

/// Everything that is asked before the decision table.
fn check(
    app: &App,
    connection: &mut AnyConnection,
    token: &RefreshToken,
    client_id: &str,
    session: &Session,
    user: Option<User>,
    now: Timestamp,
) -> Result<Result<User, Refused>, Error> {
    if !token.is_of(session) {
        // The MAC is ours and the secret is not: somebody has the refresh key, or the database is another one.
        audit::note(
            app,
            &Event::refused(EventName::RefreshSecretMismatch).subject(session.user_id).session(session.id),
        );
        return Ok(Err(Refused::Invalid));
    }
    // RFC 6749, section 10.4: a client's refresh token is good in that client's hands only, and so in no cookie.
    if session.client_id != client_id {
        return Ok(Err(Refused::Invalid));
    }
    if let (Some(reason), Some(revoked_at)) = (session.revocation(), session.revoked_at) {
        app.revocations.add_found(session.id, reason, revoked_at);
        return Ok(Err(Refused::Revoked(reason)));
    }
    if session.is_expired(now) {
        return Ok(Err(Refused::Expired));
    }
    match user {
        Some(user) if !user.disabled => Ok(Ok(user)),
        _ => {
            end_recorded(app, connection, session, RevokedReason::Disabled)?;
            Ok(Err(Refused::Disabled))
        }
    }
}

/// Ends one session, with its event: told by the one writer whose statement changed the row.
fn end_recorded(
    app: &App,
    connection: &mut AnyConnection,
    session: &Session,
    reason: RevokedReason,
) -> Result<(), Error> {
    let ended = audit::recorded(connection, |connection, events| {
        let ended = vec![session.id; session::revoke(connection, session.id, reason)?];
        events.extend(sessions::ended(session.user_id, &ended, reason));
        Ok(ended)
    })?;
    sessions::note_revoked(app, &ended, reason);
    Ok(())
}

/// Decides about delivery from what this replica knows.
pub fn delivery(app: &App, refreshed: &Refreshed) -> Delivery {
    let elapsed = app.clock.instant().saturating_duration_since(refreshed.sent_at);
    if elapsed > app.config.sessions.emit_deadline {
        Delivery::TooLate
    } else if app.revocations.of_session(refreshed.session.id).is_some() {
        Delivery::Revoked
    } else if refreshed.refresh.is_some() && elapsed > RECHECK_AFTER {
        Delivery::Recheck
    } else {
        Delivery::Good
    }
}

/// Whether presenting this token, whose secret part is good, would end its session as theft.
pub fn would_be_theft(app: &App, token: &RefreshToken, session: &Session, now: Timestamp) -> bool {
    let presented = Presented { generation: token.generation, branch: token.branch };
    matches!(decide(&presented, &state_of(session, now), app.config.sessions.grace), Decision::Theft)
}

/// Asks the database whether a session still lives.
pub fn is_live(connection: &mut AnyConnection, id: SessionId) -> Result<bool, Error> {
    Ok(session::find_revocation(connection, id)?.is_some_and(|revocation| revocation.is_none()))
}
