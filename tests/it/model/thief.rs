//! A thief who copied the jar once, at any moment, and plays whenever he likes: for how long does it serve him?
//!
//! The victim is active: he refreshes when his access token has expired, at most `late` ticks after. The requests of both
//! are atomic here and take no time; `delayed.rs` takes that apart. What is computed is the longest time
//! from the copy to the last answer that signs the thief in, over all his strategies: the longest path in the graph of
//! states, or none if that graph has a cycle that he can go round for ever.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::hunt::{BASE, Chase, Dead, Got, Hunt, NOTHING, holding};
use super::row::{Row, Rules, Token};
use super::search::FastHasher;

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Ticks from the copy to the last answer that signed the thief in; `None`: there was none.
    Until(Option<u32>),
    /// He is never found.
    ForEver,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Thief(Token),
    Victim,
    Time,
}

/// The states whose answer is known; `None`: it is being looked for.
type Known = HashMap<Hunt, Option<Served>, BuildHasherDefault<FastHasher>>;

struct Search {
    chase: Chase,
    dead: Dead,
    known: Known,
}

impl Chase {
    /// One tick is an eighth of GRACE, and an access token lives 7.5 GRACE: 15 s, 120 s and 15 min, the defaults.
    pub fn ours() -> Self {
        Self { rules: Rules::OURS, grace: 8, access: 60, late: 0, losses: 0 }
    }

    /// The longest that a copy serves, whenever it was taken, and such a run.
    pub fn longest(self) -> (Served, Vec<String>) {
        // The search goes as deep as a run is long.
        let work = move || Search { chase: self, dead: self.dead(), known: Known::default() }.longest();
        std::thread::Builder::new().stack_size(512 << 20).spawn(work).unwrap().join().unwrap()
    }
}

impl Search {
    fn longest(&mut self) -> (Served, Vec<String>) {
        let mut longest = (None, None);
        for moment in self.moments() {
            let copied = Hunt { thief: holding(moment.victim), losses: self.chase.losses, ..moment };
            let copied = copied.canonical(self.dead);
            match self.serves(copied) {
                Served::ForEver => return (Served::ForEver, Vec::new()),
                Served::Until(ticks) if ticks > longest.0 => longest = (ticks, Some(copied)),
                Served::Until(_) => {}
            }
        }
        (Served::Until(longest.0), longest.1.map_or_else(Vec::new, |hunt| self.run(hunt)))
    }

    /// Every state that the victim alone reaches, lost answers included: the moments of the copy.
    fn moments(&self) -> Vec<Hunt> {
        let victim = Token { generation: BASE, branch: 1 };
        let left = self.chase.access.cast_signed();
        let start = Hunt { row: Row::signed_in(BASE), victim, left, losses: 1, thief: NOTHING };
        let mut moments = vec![start];
        let mut next = 0;
        while let Some(&hunt) = moments.get(next) {
            let mut all = self.chase.victims_moves(Hunt { losses: 1, ..hunt });
            all.extend(self.chase.tick(hunt));
            for one in all {
                let one = Hunt { losses: 1, ..one }.canonical(self.dead);
                if !moments.contains(&one) {
                    moments.push(one);
                }
            }
            next += 1;
        }
        moments
    }

    /// The longest time until the thief's last success; `None` marks a state whose future is being looked at.
    fn serves(&mut self, hunt: Hunt) -> Served {
        if let Some(answer) = self.known.get(&hunt) {
            return answer.unwrap_or(Served::ForEver);
        }
        self.known.insert(hunt, None);
        let signed_in = hunt.thief.into_iter().flatten().any(|token| {
            let mut row = hunt.row;
            !matches!(self.chase.present(&mut row, token), Got::Refused)
        });
        let mut longest = signed_in.then_some(0);
        for (_, ticks, future) in self.futures(hunt) {
            match self.serves(future) {
                Served::ForEver => return Served::ForEver,
                Served::Until(rest) => longest = longest.max(rest.map(|rest| rest + ticks)),
            }
        }
        self.known.insert(hunt, Some(Served::Until(longest)));
        Served::Until(longest)
    }

    /// Everything that can happen next and leaves the thief something, and how long it takes.
    fn futures(&self, hunt: Hunt) -> Vec<(Move, u32, Hunt)> {
        let mut futures = Vec::new();
        for token in hunt.thief.into_iter().flatten() {
            let mut after = hunt;
            if let Got::Refresh(token) = self.chase.present(&mut after.row, token) {
                after.give_thief(token);
            }
            futures.push((Move::Thief(token), 0, after.canonical(self.dead)));
        }
        futures.extend(
            self.chase.victims_moves(hunt).into_iter().map(|after| (Move::Victim, 0, after.canonical(self.dead))),
        );
        futures.extend(self.chase.tick(hunt).map(|after| (Move::Time, 1, after.canonical(self.dead))));
        futures.retain(|(_, _, future)| *future != hunt && future.row.revoked.is_none() && future.thief != NOTHING);
        futures
    }

    /// What happens in a longest run, with the tick of every move.
    fn run(&self, mut hunt: Hunt) -> Vec<String> {
        let (mut run, mut now) = (Vec::new(), 0);
        let value = |hunt: &Hunt| match self.known.get(hunt) {
            Some(Some(Served::Until(ticks))) => *ticks,
            _ => None,
        };
        while value(&hunt).is_some_and(|left| left > 0) {
            let best = self.futures(hunt).into_iter().max_by_key(|(_, ticks, future)| value(future).map(|v| v + ticks));
            let Some((what, ticks, future)) = best else { break };
            if what != Move::Time {
                let (row, victim) = (hunt.row, hunt.victim);
                run.push(format!(
                    "tick {now}: {what:?} comes to phase {}, age {:?} (victim: {victim:?})",
                    row.phase, row.age
                ));
            }
            now += ticks;
            hunt = future;
        }
        run.push(format!("tick {now}: the thief's last answer"));
        run
    }
}

/// The bound that docs/protocol.md names: four intervals from one refresh of the victim to the next.
fn four_intervals(chase: Chase) -> Served {
    Served::Until(Some(4 * u32::from(chase.access + chase.late)))
}

#[test]
fn a_copied_jar_serves_for_exactly_four_refreshes_of_the_victim() {
    for (grace, access) in [(4, 30), (8, 60), (8, 20), (8, 9)] {
        for late in [0, access / 4, access] {
            let chase = Chase { grace, access, late, ..Chase::ours() };
            let (served, run) = chase.longest();
            println!("GRACE {grace}, access {access}, late {late}: {served:?}\n  {}", run.join("\n  "));
            assert_eq!(served, four_intervals(chase));
        }
    }
}

#[test]
fn a_thief_is_found_within_five_access_lifetimes_of_a_victim_who_is_at_most_a_quarter_of_one_late() {
    let chase = Chase::ours();
    let Served::Until(Some(ticks)) = (Chase { late: chase.access / 4, ..chase }).longest().0 else {
        panic!("the thief is never found");
    };
    println!("{} access lifetimes", f64::from(ticks) / f64::from(chase.access));
    assert!(ticks <= 5 * u32::from(chase.access));
}

#[test]
fn every_answer_that_the_victim_loses_buys_the_thief_at_most_the_time_until_he_asks_again() {
    for late in [0, 30] {
        for losses in 1..=2 {
            let chase = Chase { late, losses, ..Chase::ours() };
            let Served::Until(Some(ticks)) = chase.longest().0 else { panic!("the thief is never found") };
            let bound = 4 * u32::from(chase.access + late) + u32::from(losses) * u32::from(late + 1);
            assert_eq!(ticks, bound);
        }
    }
}

#[test]
fn a_thief_lives_on_for_ever_without_the_branch_in_the_token() {
    let rules =
        super::mutants::boundaries().into_iter().find(|mutant| mutant.name == "every branch is the predecessor");
    let chase = Chase { rules: rules.expect("this mutant").rules, ..Chase::ours() };
    assert_eq!(chase.longest().0, Served::ForEver);
}
