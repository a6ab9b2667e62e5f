//! Visits every state that can be reached, and remembers the shortest way to each broken promise.
//!
//! A model checker's crate would do as well, but hashes and boxes much more: unoptimised, and for a few hundred mutants, the
//! difference is minutes. The search is one loop; promises are watched at the steps, not in the states.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasherDefault, Hash, Hasher};

use super::action::Action;
use super::promises::Promise;
use super::steps::Step;
use super::world::{Setting, World};

/// What a search found.
pub struct Found {
    pub states: usize,
    pub steps: usize,
    /// Whether the search ended because it had seen everything.
    pub complete: bool,
    pub broken: Vec<Broken>,
}

/// A promise, and the shortest run that breaks it.
pub struct Broken {
    pub promise: Promise,
    pub run: Vec<Action>,
}

impl Found {
    pub fn breaks(&self, promise: Promise) -> bool {
        self.broken.iter().any(|broken| broken.promise == promise)
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} steps", self.states, self.steps)?;
        for broken in &self.broken {
            write!(f, "\n  {:?} is broken by:", broken.promise)?;
            for action in &broken.run {
                write!(f, "\n    {action}")?;
            }
        }
        Ok(())
    }
}

/// Breadth first, so that a counterexample is a shortest one. Stops early at the first of the promises in `stop_at`.
pub fn explore(setting: &Setting, stop_at: &[Promise], most_states: usize) -> Found {
    let start = World::signed_in(setting);
    let mut nodes: Vec<(World, Option<(usize, Action)>)> = vec![(start, None)];
    let mut seen: HashSet<Packed, BuildHasher> = HashSet::default();
    seen.insert(Packed(start.packed()));
    let mut found = Found { states: 0, steps: 0, complete: false, broken: Vec::new() };
    let mut steps: Vec<Step> = Vec::new();
    let mut next = 0;
    while let Some(&(world, _)) = nodes.get(next) {
        world.steps(setting, &mut steps);
        for step in steps.drain(..) {
            found.steps += 1;
            for &promise in step.broken.iter().flatten() {
                if !found.breaks(promise) {
                    found.broken.push(Broken { promise, run: run_to(&nodes, next, step.action) });
                    if stop_at.contains(&promise) {
                        found.states = nodes.len();
                        return found;
                    }
                }
            }
            if step.goes_on && seen.insert(Packed(step.world.packed())) {
                nodes.push((step.world, Some((next, step.action))));
            }
        }
        if nodes.len() > most_states {
            found.states = nodes.len();
            return found;
        }
        next += 1;
    }
    found.states = nodes.len();
    found.complete = true;
    found
}

fn run_to(nodes: &[(World, Option<(usize, Action)>)], mut at: usize, last: Action) -> Vec<Action> {
    let mut run = vec![last];
    while let Some((parent, action)) = nodes[at].1 {
        run.push(action);
        at = parent;
    }
    run.reverse();
    run
}

/// A state in as few words as possible.
pub type Words = [u64; super::world::MOST + 1];

/// Multiply and rotate: the states are ours, so nobody can choose colliding ones.
#[derive(Clone, Copy, Default)]
pub struct FastHasher(u64);

impl Hasher for FastHasher {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }
    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(7) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

pub type BuildHasher = BuildHasherDefault<FastHasher>;

/// A packed state, as the set of the seen ones keeps it.
#[derive(PartialEq, Eq)]
struct Packed(Words);

impl Hash for Packed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for &word in &self.0 {
            state.write_u64(word);
        }
    }
}
