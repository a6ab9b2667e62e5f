//! The refresh engine: reads a session, asks the decision table, and carries the decision out in one statement.

pub mod decision;
mod outcome;

use std::time::Duration;

pub use self::outcome::{
    Delivery, Echo, IssuedRefresh, Occasion, Refreshed, Refused, Rotation, Verdict, clears_cookies, refusal_of,
};

use self::decision::{Decision, Phase, Presented, State, decide, is_inside, is_predecessor};
use super::audit;
use super::refresh_token::{RefreshToken, Unusable};
use super::{scopes, sessions, tokens};
use crate::app::App;
use crate::config::OnTheft;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, RevokedReason, Session};
use crate::models::user::User;
use crate::types::{Event, EventName, Instant, SessionId, Timestamp, Words, random_bytes};

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
    use subtle::ConstantTimeEq;
    if !bool::from(token.secret_hash().ct_eq(session.secret_hash.as_slice())) {
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
    if let Some(reason) = session.revocation() {
        app.revocations.add_session(session.id, reason, now);
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

/// One token, the session it belongs to as just read, and what is needed to answer.
struct Exchange<'a> {
    app: &'a App,
    token: &'a RefreshToken,
    session: Session,
    user: User,
    scope: Words,
    now: Timestamp,
    sent_at: Instant,
}

impl Exchange<'_> {
    /// `None`: the statement changed no row, since another request was faster.
    fn carry_out(
        &self,
        connection: &mut AnyConnection,
        decision: Decision,
        occasion: &Occasion,
    ) -> Result<Option<Result<Refreshed, Refused>>, Error> {
        let (id, seen) = (self.session.id, self.session.generation);
        let outcome = match decision {
            Decision::AccessOnly { confirm } => {
                if confirm && session::confirm(connection, id, seen)? == 0 {
                    return Ok(None);
                }
                self.access_only(Verdict::AccessOnly, self.echo())?
            }
            Decision::Rotate => {
                if session::rotate(connection, id, seen, &self.token.branch, &occasion.device)? == 0 {
                    return Ok(None);
                }
                if let Some(place) = &occasion.place {
                    self.app.rotations.note(id, place.clone());
                }
                self.issue(Verdict::Rotated, seen + 1)?
            }
            Decision::Reissue { write } => {
                if write && session::reissue(connection, id, seen)? == 0 {
                    return Ok(None);
                }
                self.report_lost_cookie(occasion);
                self.issue(Verdict::Reissued, seen)?
            }
            Decision::FastForward => {
                if session::fast_forward(connection, id, seen, self.token.generation)? == 0 {
                    return Ok(None);
                }
                audit::note(self.app, &self.event(Event::success(EventName::SessionFastForward)));
                self.access_only(Verdict::FastForward, Echo::Presented)?
            }
            Decision::Theft => {
                if !self.end_as_theft(connection)? {
                    return Ok(None);
                }
                return Ok(Some(Err(Refused::Theft)));
            }
        };
        Ok(Some(Ok(outcome)))
    }

    /// After the window the predecessor comes back: the successor was handed out, and never came back itself.
    fn report_lost_cookie(&self, occasion: &Occasion) {
        let Some(here) = &occasion.place else { return };
        if is_inside(&state_of(&self.session, self.now), self.app.config.sessions.grace) {
            return;
        }
        self.app.metrics.cookies_lost.inc();
        let handed_out = self.app.rotations.of(self.session.id);
        let (known, place) = (handed_out.is_some(), handed_out.as_ref().unwrap_or(here));
        log::warn!(
            event = "cookie_lost", session:% = self.session.id, host = place.host.as_str(), path = place.path.as_str(),
            place_of = if known { "rotation" } else { "this request" };
            "a new refresh cookie never came back: if this goes on, something on the way drops Set-Cookie"
        );
    }

    /// What is told of a token whose generation is not its session's.
    fn event(&self, event: Event) -> Event {
        event
            .subject(self.user.id)
            .session(self.session.id)
            .detail("generation", self.session.generation)
            .detail("presented_generation", self.token.generation)
    }

    /// One statement, also where all sessions of the user end: none is left over when the database goes away, and two
    /// thefts at once do not hold a session that the other one waits for. False: the session had ended before.
    fn end_as_theft(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        const REASON: RevokedReason = RevokedReason::Reuse;
        let (id, owner) = (self.session.id, self.user.id);
        let ended = audit::recorded(connection, |connection, events| {
            let ended = match self.app.config.sessions.on_theft {
                OnTheft::Session => vec![id; session::revoke(connection, id, REASON)?],
                OnTheft::User => session::revoke_all_of(connection, owner, None, REASON)?,
            };
            if ended.contains(&id) {
                events.push(self.event(Event::refused(EventName::RefreshTokenReuse)));
            }
            let others: Vec<SessionId> = ended.iter().copied().filter(|other| *other != id).collect();
            events.extend(sessions::ended(Some(owner), &others, REASON));
            Ok(ended)
        })?;
        sessions::note_revoked(self.app, &ended, REASON);
        Ok(ended.contains(&id))
    }

    /// While the window is young, a client that stores tokens itself is told which one it holds.
    fn echo(&self) -> Echo {
        let state = state_of(&self.session, self.now);
        let quarter = i64::try_from((self.app.config.sessions.grace / 4).as_micros()).unwrap_or(i64::MAX);
        if state.age_micros.is_none_or(|age| age > quarter) {
            Echo::Nothing
        } else if state.phase == Phase::Confirmed && self.token.generation < state.generation {
            Echo::Branch(self.mint_refresh(self.session.generation, self.session.idle_at()))
        } else {
            Echo::Presented
        }
    }

    fn access_only(&self, verdict: Verdict, echo: Echo) -> Result<Refreshed, Error> {
        let generation = match verdict {
            Verdict::FastForward => self.token.generation,
            _ => self.session.generation,
        };
        self.refreshed(verdict, generation, None, echo)
    }

    fn issue(&self, verdict: Verdict, generation: i64) -> Result<Refreshed, Error> {
        let idle_limit = self.now.plus(Duration::from_secs(u64::try_from(self.session.idle_timeout).unwrap_or(0)));
        let refresh = self.mint_refresh(generation, idle_limit);
        self.refreshed(verdict, generation, Some(refresh), Echo::Nothing)
    }

    fn mint_refresh(&self, generation: i64, idle_limit: Timestamp) -> IssuedRefresh {
        let token = RefreshToken {
            session_id: self.session.id,
            generation,
            expires_at: self.token.expires_at,
            branch: random_bytes(),
            secret: self.token.secret,
        };
        let limit = self.session.expires_at.min(idle_limit);
        IssuedRefresh { text: token.encode(&self.app.refresh_keys), max_age: limit.left_at(self.now) }
    }

    fn refreshed(
        &self,
        verdict: Verdict,
        generation: i64,
        refresh: Option<IssuedRefresh>,
        echo: Echo,
    ) -> Result<Refreshed, Error> {
        let access = tokens::mint(self.app, &self.user, &self.session, generation, &self.scope)?;
        Ok(Refreshed {
            verdict,
            user: self.user.clone(),
            session: self.session.clone(),
            access,
            refresh,
            echo,
            sent_at: self.sent_at,
        })
    }
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
