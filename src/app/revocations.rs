use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;

use crate::models::session::RevokedReason;
use crate::types::{Instant, SessionId, Timestamp, UserId};

/// How far behind the newest moment seen a poll reads back: commits arrive out of order, and clocks are stepped.
const READ_BACK: Duration = Duration::from_secs(180);

/// What this replica knows of revoked sessions and stale users, so that a valid access token needs no database.
///
/// Entries stay for the access lifetime and the grace window: after that no access token of theirs is good anyway.
pub struct Revocations {
    remembered: Duration,
    known: RwLock<Known>,
    /// Told whenever there is something new.
    news: watch::Sender<()>,
}

#[derive(Default)]
struct Known {
    sessions: HashMap<SessionId, (RevokedReason, Timestamp)>,
    users: HashMap<UserId, (i64, Timestamp)>,
    newest: Option<Timestamp>,
    polled: Option<Instant>,
}

/// What a poll read from the database.
pub struct Polled {
    /// Sessions with why and when they were revoked.
    pub sessions: Vec<(SessionId, RevokedReason, Timestamp)>,
    /// Users with their version and when it was raised.
    pub users: Vec<(UserId, i64, Option<Timestamp>)>,
    /// The database's time.
    pub now: Timestamp,
}

impl Revocations {
    pub(super) fn new(remembered: Duration) -> Self {
        Self { remembered, known: RwLock::default(), news: watch::Sender::new(()) }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why this session was revoked, if it was.
    pub fn of_session(&self, id: SessionId) -> Option<RevokedReason> {
        self.read().sessions.get(&id).map(|(reason, _)| *reason)
    }

    /// Why this session was revoked, if it was; and whether this user's claims were changed after `version`.
    pub fn check(&self, session: SessionId, user: UserId, version: i64) -> (Option<RevokedReason>, bool) {
        let known = self.read();
        let revoked = known.sessions.get(&session).map(|(reason, _)| *reason);
        let stale = known.users.get(&user).is_some_and(|(current, _)| version < *current);
        (revoked, stale)
    }

    /// Notes at once what this replica itself revoked; the next poll brings the database's own time for it.
    pub fn add_session(&self, id: SessionId, reason: RevokedReason, now: Timestamp) {
        self.write().sessions.entry(id).or_insert((reason, now));
        self.news.send_replace(());
    }

    /// Notes at once that this replica itself raised a user's version.
    pub fn add_user(&self, id: UserId, version: i64, now: Timestamp) {
        let mut known = self.write();
        let entry = known.users.entry(id).or_insert((version, now));
        if version > entry.0 {
            *entry = (version, now);
        }
        drop(known);
        self.news.send_replace(());
    }

    /// What is told whenever there may be something new.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// The sessions revoked at `since` or later and when, in the order of their ids.
    pub fn sessions_since(&self, since: Timestamp) -> Vec<(SessionId, Timestamp)> {
        let known = self.read();
        let recent = known.sessions.iter().filter(|(_, (_, at))| *at >= since);
        let mut sessions: Vec<_> = recent.map(|(id, (_, at))| (*id, *at)).collect();
        sessions.sort_unstable();
        sessions
    }

    /// The users changed at `since` or later and their version, in the order of their ids.
    pub fn users_since(&self, since: Timestamp) -> Vec<(UserId, i64)> {
        let known = self.read();
        let recent = known.users.iter().filter(|(_, (_, at))| *at >= since);
        let mut users: Vec<_> = recent.map(|(id, (version, _))| (*id, *version)).collect();
        users.sort_unstable();
        users
    }

    /// From when on a poll has to read.
    pub fn poll_from(&self, now: Timestamp) -> Timestamp {
        match self.read().newest {
            None => now.minus(self.remembered),
            Some(newest) => newest.min(now).minus(READ_BACK).max(now.minus(self.remembered)),
        }
    }

    /// Takes in what a poll that began at `begun` read, and forgets what is old. A poll may be overtaken by a later one.
    pub fn take(&self, polled: Polled, begun: Instant) {
        let mut known = self.write();
        let mut news = false;
        for (id, reason, revoked_at) in polled.sessions {
            known.newest = known.newest.max(Some(revoked_at));
            news |= known.sessions.insert(id, (reason, revoked_at)).is_none();
        }
        for (id, version, raised_at) in polled.users {
            let raised_at = raised_at.unwrap_or(polled.now);
            known.newest = known.newest.max(Some(raised_at));
            news |= known.users.get(&id).is_none_or(|(current, _)| version > *current);
            let entry = known.users.entry(id).or_insert((version, raised_at));
            if version >= entry.0 {
                *entry = (version, raised_at);
            }
        }
        // Without any revocation yet, the next poll need not read the whole lifetime again.
        known.newest = known.newest.or(Some(polled.now));
        let oldest = polled.now.minus(self.remembered).minus(READ_BACK);
        known.sessions.retain(|_, (_, revoked_at)| *revoked_at >= oldest);
        known.users.retain(|_, (_, raised_at)| *raised_at >= oldest);
        known.polled = known.polled.max(Some(begun));
        drop(known);
        if news {
            self.news.send_replace(());
        }
    }

    /// Whether the set was loaded once: before that nobody can be called signed in.
    pub fn is_loaded(&self) -> bool {
        self.read().polled.is_some()
    }

    /// When the last poll that succeeded began.
    pub fn polled(&self) -> Option<Instant> {
        self.read().polled
    }

    /// How many sessions and users are remembered.
    pub fn sizes(&self) -> (usize, usize) {
        let known = self.read();
        (known.sessions.len(), known.users.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Clock;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    #[test]
    fn what_was_revoked_is_remembered_for_a_lifetime_and_then_forgotten() {
        let revocations = Revocations::new(Duration::from_secs(1000));
        let clock = Clock::default();
        let id = SessionId::random();
        let polled = |now, sessions| Polled { sessions, users: vec![], now: at(now) };
        assert!(!revocations.is_loaded());
        revocations.take(polled(5_000, vec![(id, RevokedReason::Logout, at(4_990))]), clock.instant());
        assert!(revocations.is_loaded());
        assert_eq!(revocations.of_session(id), Some(RevokedReason::Logout));
        assert_eq!(revocations.poll_from(at(5_000)), at(4_810));
        revocations.take(polled(6_180, vec![]), clock.instant());
        assert_eq!(revocations.of_session(id), None);
    }

    #[test]
    fn a_token_of_a_lower_version_is_stale() {
        let revocations = Revocations::new(Duration::from_secs(1000));
        let (session, user) = (SessionId::random(), UserId::random());
        revocations.add_user(user, 3, at(10));
        revocations.add_user(user, 2, at(11));
        assert_eq!(revocations.check(session, user, 2), (None, true));
        assert_eq!(revocations.check(session, user, 3), (None, false));
    }
}
