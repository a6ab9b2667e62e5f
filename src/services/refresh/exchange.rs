//! Carrying one decision out: its statement, its events, and what is minted.

use super::super::{audit, sessions, tokens};
use super::decision::{Decision, Phase, is_inside};
use super::{Echo, IssuedRefresh, Occasion, Refreshed, Refused, Verdict, state_of};
use crate::app::App;
use crate::config::OnTheft;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, RevokedReason, Session};
use crate::models::user::{self, User};
use crate::services::refresh_token::RefreshToken;
use crate::types::{Event, EventName, Instant, SessionId, Timestamp, Words, random_bytes};

/// One token, the session it belongs to as just read, and what is needed to answer.
pub(super) struct Exchange<'a> {
    pub(super) app: &'a App,
    pub(super) token: &'a RefreshToken,
    pub(super) session: Session,
    pub(super) user: User,
    pub(super) scope: Words,
    pub(super) now: Timestamp,
    pub(super) sent_at: Instant,
}

impl Exchange<'_> {
    /// `None`: the statement changed no row, since another request was faster.
    pub(super) fn carry_out(
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

    /// One transaction, also where all sessions of the user end: all of them end or none. It holds the user's row before
    /// any session's, like a sign-in: so it sees the sessions of those that were faster, and two thefts at once queue
    /// there instead of waiting for each other. False: the session had ended before, and then no other one ends.
    fn end_as_theft(&self, connection: &mut AnyConnection) -> Result<bool, Error> {
        const REASON: RevokedReason = RevokedReason::Reuse;
        let (id, owner) = (self.session.id, self.user.id);
        let all = self.app.config.sessions.on_theft == OnTheft::User;
        let ended = audit::recorded(connection, |connection, events| {
            if all {
                user::hold(connection, owner)?;
            }
            let mut ended = vec![id; session::revoke(connection, id, REASON)?];
            if all && !ended.is_empty() {
                ended.extend(session::revoke_all_of(connection, owner, None, REASON)?);
            }
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

    pub(super) fn access_only(&self, verdict: Verdict, echo: Echo) -> Result<Refreshed, Error> {
        let generation = match verdict {
            Verdict::FastForward => self.token.generation,
            _ => self.session.generation,
        };
        self.refreshed(verdict, generation, None, echo)
    }

    fn issue(&self, verdict: Verdict, generation: i64) -> Result<Refreshed, Error> {
        let idle_limit = session::idle_limit(self.now, self.session.idle_timeout);
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
