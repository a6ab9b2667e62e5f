//! What happened, counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};

/// The fault that no round goes without.
pub const KILL: &str = "kill -9";

/// Counts by name, and what the service promised.
#[derive(Default)]
pub struct Tally(Mutex<Counts>);

#[derive(Default)]
struct Counts {
    answers: BTreeMap<String, u64>,
    faults: BTreeMap<&'static str, u64>,
    /// Sessions left alone since a request of theirs took longer than the protocol's soundness condition allows.
    beyond: u64,
    noticed: u64,
    unnoticed: u64,
    wrong: Vec<String>,
    lost: Vec<String>,
    registered: BTreeSet<String>,
    ended: BTreeSet<String>,
}

impl Tally {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().expect("nobody panics while counting")
    }

    /// An answer: a refresh by its verdict, anything else by its status.
    pub fn answer(&self, name: &str) {
        *self.counts().answers.entry(name.to_owned()).or_default() += 1;
    }

    pub fn fault(&self, name: &'static str) {
        *self.counts().faults.entry(name).or_default() += 1;
    }

    pub fn beyond(&self) {
        self.counts().beyond += 1;
    }

    /// Somebody honest was refused.
    pub fn wrong(&self, what: String) {
        println!("WRONG: {what}");
        self.counts().wrong.push(what);
    }

    /// What was answered with success is not so.
    pub fn lost(&self, what: String) {
        println!("LOST: {what}");
        self.counts().lost.push(what);
    }

    pub fn thief(&self, noticed: bool) {
        let mut counts = self.counts();
        if noticed { counts.noticed += 1 } else { counts.unnoticed += 1 }
    }

    /// A registration was answered with success.
    pub fn registered(&self, username: &str) {
        self.counts().registered.insert(username.to_owned());
    }

    /// A sign-out was answered with success.
    pub fn ended(&self, session: String) {
        self.counts().ended.insert(session);
    }

    /// The users and the ended sessions that must be in the database.
    pub fn promised(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let counts = self.counts();
        (counts.registered.clone(), counts.ended.clone())
    }

    pub fn is_clean(&self) -> bool {
        let counts = self.counts();
        counts.wrong.is_empty() && counts.lost.is_empty() && counts.unnoticed == 0
    }

    /// What never happened: the round proves nothing about it.
    pub fn unseen(&self) -> Vec<&'static str> {
        let counts = self.counts();
        let answered = |name: &str| counts.answers.contains_key(name);
        let seen = [
            ("a registration", !counts.registered.is_empty()),
            ("a sign-out", !counts.ended.is_empty()),
            ("a rotation", answered("rotated")),
            ("a reissue", answered("reissued")),
            ("a refresh inside the window", answered("access-only")),
            ("a kill", counts.faults.contains_key(KILL)),
            ("a thief who was noticed", counts.noticed > 0),
        ];
        seen.into_iter().filter(|(_, seen)| !seen).map(|(name, _)| name).collect()
    }

    pub fn line(&self) -> String {
        let counts = self.counts();
        format!(
            "{} requests, {} faults, {} thieves noticed, {} unnoticed, {} wrong 401s, {} lost writes",
            counts.answers.values().sum::<u64>(),
            counts.faults.values().sum::<u64>(),
            counts.noticed,
            counts.unnoticed,
            counts.wrong.len(),
            counts.lost.len(),
        )
    }

    pub fn table(&self) -> String {
        let counts = self.counts();
        let mut rows = vec![("requests".to_owned(), counts.answers.values().sum::<u64>())];
        rows.extend(counts.answers.iter().map(|(name, count)| (format!("  {name}"), *count)));
        rows.push(("faults".to_owned(), counts.faults.values().sum()));
        rows.extend(counts.faults.iter().map(|(name, count)| (format!("  {name}"), *count)));
        let length = |list: usize| u64::try_from(list).expect("a count");
        rows.extend([
            ("registrations checked".to_owned(), length(counts.registered.len())),
            ("sign-outs checked".to_owned(), length(counts.ended.len())),
            ("sessions slower than the protocol allows".to_owned(), counts.beyond),
            ("thieves noticed".to_owned(), counts.noticed),
            ("thieves UNNOTICED".to_owned(), counts.unnoticed),
            ("WRONG 401s".to_owned(), length(counts.wrong.len())),
            ("LOST writes".to_owned(), length(counts.lost.len())),
        ]);
        rows.iter().map(|(name, count)| format!("{name:<44}{count:>10}\n")).collect()
    }
}
