use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::types::SessionId;

/// Rotations that are remembered.
const CAPACITY: usize = 4096;

/// Where a request was for, behind whatever gateway: its host, and its path without the query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// As the client named it, with the port; empty if it did not.
    pub host: String,
    /// Cut to a bounded length.
    pub path: String,
}

/// Where this replica's last rotations happened: if the client never shows what it was given there, something on the way
/// dropped it.
#[derive(Default)]
pub struct Rotations(Mutex<Remembered>);

#[derive(Default)]
struct Remembered {
    places: HashMap<SessionId, Place>,
    /// Oldest first.
    order: VecDeque<SessionId>,
}

impl Rotations {
    /// Notes where a session's last rotation happened.
    pub fn note(&self, session: SessionId, place: Place) {
        let mut remembered = self.lock();
        if remembered.places.insert(session, place).is_some() {
            return;
        }
        remembered.order.push_back(session);
        if remembered.order.len() > CAPACITY
            && let Some(oldest) = remembered.order.pop_front()
        {
            remembered.places.remove(&oldest);
        }
    }

    /// Where a session's last rotation happened, if this replica did it and remembers.
    pub fn of(&self, session: SessionId) -> Option<Place> {
        self.lock().places.get(&session).cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_are_remembered_and_the_newest_place_counts() {
        let rotations = Rotations::default();
        let place = |path: &str| Place { host: "h".to_owned(), path: path.to_owned() };
        let sessions: Vec<_> = (0..=CAPACITY).map(|_| SessionId::random()).collect();
        for session in &sessions {
            rotations.note(*session, place("/a"));
            rotations.note(*session, place("/b"));
        }
        assert_eq!(rotations.of(sessions[0]), None);
        assert_eq!(rotations.of(sessions[1]), Some(place("/b")));
        assert_eq!(rotations.of(sessions[CAPACITY]), Some(place("/b")));
    }
}
