use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::watch;

use super::recent::Recent;
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
    /// The last list that was asked for, for all who ask before it changes.
    listed: Mutex<Option<Listed>>,
}

struct Listed {
    edition: u64,
    since: Timestamp,
    recent: Arc<Recent>,
}

#[derive(Default)]
struct Known {
    sessions: HashMap<SessionId, (RevokedReason, Timestamp)>,
    users: HashMap<UserId, (i64, Timestamp)>,
    newest: Option<Timestamp>,
    polled: Option<Instant>,
    /// The database's time at the last poll: the hosts' clocks differ, and this is the same on every replica.
    time: Option<Timestamp>,
    /// Another one after every change.
    edition: u64,
}

impl Known {
    /// Whether any of them is new.
    fn add(&mut self, ids: &[SessionId], reason: RevokedReason, at: Timestamp) -> bool {
        let before = self.sessions.len();
        for id in ids {
            self.sessions.entry(*id).or_insert((reason, at));
        }
        let news = self.sessions.len() > before;
        self.edition += u64::from(news);
        news
    }
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
        Self { remembered, known: RwLock::default(), news: watch::Sender::new(()), listed: Mutex::default() }
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
    pub fn add_sessions(&self, ids: &[SessionId], reason: RevokedReason, now: Timestamp) {
        let mut known = self.write();
        let at = known.time.unwrap_or(now);
        let news = known.add(ids, reason, at);
        drop(known);
        self.tell(news);
    }

    /// Notes a session that was found revoked. One that was so too long ago to be listed is news to nobody: a poll forgot it,
    /// and its access tokens can only be good where a clock went back.
    pub fn add_found(&self, id: SessionId, reason: RevokedReason, revoked_at: Timestamp) {
        let mut known = self.write();
        let listed = known.time.is_none_or(|time| revoked_at >= self.listed_from(time));
        let news = known.add(&[id], reason, revoked_at) && listed;
        drop(known);
        self.tell(news);
    }

    /// Notes at once that this replica itself raised a user's version.
    pub fn add_user(&self, id: UserId, version: i64, now: Timestamp) {
        let mut known = self.write();
        let at = known.time.unwrap_or(now);
        let news = known.users.get(&id).is_none_or(|(current, _)| version > *current);
        if news {
            known.users.insert(id, (version, at));
            known.edition += 1;
        }
        drop(known);
        self.tell(news);
    }

    fn tell(&self, news: bool) {
        if news {
            self.news.send_replace(());
        }
    }

    /// What is told whenever there is something new.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    /// What backends that verify by themselves have to know; none before the first poll.
    pub fn recent(&self) -> Option<Arc<Recent>> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.read();
        let (edition, since) = (known.edition, self.listed_from(known.time?));
        if let Some(last) = listed.as_ref().filter(|last| (last.edition, last.since) == (edition, since)) {
            return Some(Arc::clone(&last.recent));
        }
        let sessions = known.sessions.iter().filter(|(_, (_, at))| *at >= since).map(|(id, (_, at))| (*id, *at));
        let users = known.users.iter().filter(|(_, (_, at))| *at >= since).map(|(id, (version, _))| (*id, *version));
        let (sessions, users) = (sessions.collect(), users.collect());
        // Whoever verifies a token need not wait for the sorting.
        drop(known);
        let recent = Arc::new(Recent::new(sessions, users));
        *listed = Some(Listed { edition, since, recent: Arc::clone(&recent) });
        Some(recent)
    }

    /// What was revoked earlier is not listed. By the minute: replicas poll at different moments, and would otherwise drop
    /// the same session at different moments.
    fn listed_from(&self, time: Timestamp) -> Timestamp {
        time.floor_to_minute().minus(self.remembered)
    }

    /// From when on a poll has to read.
    pub fn poll_from(&self, now: Timestamp) -> Timestamp {
        let oldest = self.listed_from(now);
        match self.read().newest {
            None => oldest,
            Some(newest) => newest.min(now).minus(READ_BACK).max(oldest),
        }
    }

    /// Takes in what a poll that began at `begun` read, and forgets what is old. A poll may be overtaken by a later one.
    pub fn take(&self, polled: Polled, begun: Instant) {
        let mut known = self.write();
        let (mut news, mut changed) = (false, false);
        for (id, reason, revoked_at) in polled.sessions {
            known.newest = known.newest.max(Some(revoked_at));
            let before = known.sessions.insert(id, (reason, revoked_at));
            news |= before.is_none();
            changed |= before != Some((reason, revoked_at));
        }
        for (id, version, raised_at) in polled.users {
            let raised_at = raised_at.unwrap_or(polled.now);
            known.newest = known.newest.max(Some(raised_at));
            let before = known.users.get(&id).copied();
            if before.is_none_or(|(current, _)| version >= current) {
                known.users.insert(id, (version, raised_at));
                news |= before.is_none_or(|(current, _)| version > current);
                changed |= before != Some((version, raised_at));
            }
        }
        known.edition += u64::from(changed);
        // Without any revocation yet, the next poll need not read the whole lifetime again.
        known.newest = known.newest.or(Some(polled.now));
        let oldest = polled.now.minus(self.remembered).minus(READ_BACK);
        known.sessions.retain(|_, (_, revoked_at)| *revoked_at >= oldest);
        known.users.retain(|_, (_, raised_at)| *raised_at >= oldest);
        if known.polled.is_none_or(|last| begun >= last) {
            known.polled = Some(begun);
            known.time = Some(polled.now);
        }
        drop(known);
        self.tell(news);
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
    fn what_is_known_already_or_too_old_wakes_nobody() {
        let revocations = Revocations::new(Duration::from_secs(1000));
        let (id, old, reason) = (SessionId::random(), SessionId::random(), RevokedReason::Logout);
        let polled = || Polled { sessions: vec![(id, reason, at(4_990))], users: vec![], now: at(5_000) };
        revocations.take(polled(), Clock::default().instant());
        let (changes, recent) = (revocations.changes(), revocations.recent().unwrap());
        revocations.take(polled(), Clock::default().instant());
        revocations.add_sessions(&[id], reason, at(9_000));
        revocations.add_found(id, reason, at(4_990));
        revocations.add_found(old, reason, at(3_900));
        assert_eq!((changes.has_changed().unwrap(), revocations.of_session(old)), (false, Some(reason)));
        assert_eq!(recent.tag, revocations.recent().unwrap().tag, "known here, and listed nowhere");
        let new = SessionId::random();
        revocations.add_sessions(&[id, new], reason, at(9_000));
        assert!(changes.has_changed().unwrap());
        // Its moment is the database's, whatever this host's clock says.
        assert!(revocations.recent().unwrap().sessions.contains(&(new, at(5_000))));
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
