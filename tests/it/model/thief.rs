//! A thief who copied the jar once, at any moment, and plays whenever he likes: for how long does it serve him?
//!
//! The victim is active: he refreshes when his access token has expired, at most `late` ticks after. The requests of both
//! are atomic here; how reads and writes interleave is explored in the honest world. What is computed is the longest time
//! from the copy to the last answer that signs the thief in, over all his strategies: the longest path in the graph of
//! states, or none if that graph has a cycle that he can go round for ever.

use std::collections::HashMap;

use tacit::services::refresh::decision::Decision;

use super::row::{Row, Rules, Token};

const BASE: u8 = 3;
const FRESH: u8 = 15;

/// Spans are ticks.
#[derive(Clone, Copy)]
pub struct Chase {
    pub rules: Rules,
    pub grace: i8,
    pub access: u16,
    /// How long after the access token's end the victim refreshes at the latest.
    pub late: u16,
    /// How many of the victim's answers are lost after the copy.
    pub losses: u8,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Served {
    /// Ticks from the copy to the last answer that signed the thief in; `None`: there was none.
    Until(Option<u32>),
    /// He is never found.
    ForEver,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Hunt {
    row: Row,
    victim: Token,
    /// Ticks until the victim's access token ends, and then those he is late, below zero.
    left: i16,
    losses: u8,
    /// What the thief holds that is not dead: the victim's very token, a branch of his own, the predecessor. The last
    /// place is for what he just got.
    thief: [Option<Token>; 4],
}

type Known = HashMap<Hunt, Option<Served>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Thief(Token),
    Victim,
    Time,
}

/// What a request brought.
enum Got {
    Refused,
    Access,
    Refresh(Token),
}

impl Chase {
    /// One tick is an eighth of GRACE, and an access token lives 7.5 GRACE: 15 s, 120 s and 15 min, the defaults.
    pub fn ours() -> Self {
        Self { rules: Rules::OURS, grace: 8, access: 60, late: 0, losses: 0 }
    }

    /// The longest that a copy serves, whenever it was taken, and such a run.
    pub fn longest(self) -> (Served, Vec<String>) {
        // The search goes as deep as a run is long.
        let work = move || {
            let mut known = HashMap::new();
            let mut longest = (None, None);
            for moment in self.moments() {
                let copied = [Some(moment.victim), None, None, None];
                let hunt = Hunt { thief: copied, losses: self.losses, ..moment }.canonical();
                match self.serves(hunt, &mut known) {
                    Served::ForEver => return (Served::ForEver, Vec::new()),
                    Served::Until(ticks) if ticks > longest.0 => longest = (ticks, Some(hunt)),
                    Served::Until(_) => {}
                }
            }
            (Served::Until(longest.0), longest.1.map_or_else(Vec::new, |hunt| self.run(hunt, &known)))
        };
        std::thread::Builder::new().stack_size(512 << 20).spawn(work).unwrap().join().unwrap()
    }

    /// Every state that the victim alone reaches, lost answers included: the moments of the copy.
    fn moments(self) -> Vec<Hunt> {
        let victim = Token { generation: BASE, branch: 1 };
        let left = self.access.cast_signed();
        let start = Hunt { row: Row::signed_in(BASE), victim, left, losses: 1, thief: [None; 4] };
        let mut moments = vec![start];
        let mut next = 0;
        while let Some(&hunt) = moments.get(next) {
            let mut all = self.victims_moves(Hunt { losses: 1, ..hunt });
            all.extend(self.tick(hunt));
            for one in all {
                let one = Hunt { losses: 1, ..one }.canonical();
                if !moments.contains(&one) {
                    moments.push(one);
                }
            }
            next += 1;
        }
        moments
    }

    /// The longest time until the thief's last success; `None` marks a state whose future is being looked at.
    fn serves(self, hunt: Hunt, known: &mut Known) -> Served {
        if let Some(answer) = known.get(&hunt) {
            return answer.unwrap_or(Served::ForEver);
        }
        known.insert(hunt, None);
        let signed_in = hunt.thief.into_iter().flatten().any(|token| {
            let mut row = hunt.row;
            !matches!(self.present(&mut row, token), Got::Refused)
        });
        let mut longest = signed_in.then_some(0);
        for (_, ticks, future) in self.futures(hunt) {
            match self.serves(future, known) {
                Served::ForEver => return Served::ForEver,
                Served::Until(rest) => longest = longest.max(rest.map(|rest| rest + ticks)),
            }
        }
        known.insert(hunt, Some(Served::Until(longest)));
        Served::Until(longest)
    }

    /// Everything that can happen next and leaves the thief something, and how long it takes.
    fn futures(self, hunt: Hunt) -> Vec<(Move, u32, Hunt)> {
        let mut futures = Vec::new();
        for token in hunt.thief.into_iter().flatten() {
            let mut after = hunt;
            if let Got::Refresh(token) = self.present(&mut after.row, token) {
                after.give_thief(token);
            }
            futures.push((Move::Thief(token), 0, after.canonical()));
        }
        futures.extend(self.victims_moves(hunt).into_iter().map(|after| (Move::Victim, 0, after.canonical())));
        futures.extend(self.tick(hunt).map(|after| (Move::Time, 1, after.canonical())));
        futures.retain(|(_, _, future)| *future != hunt && future.row.revoked.is_none() && future.thief != [None; 4]);
        futures
    }

    /// What happens in a longest run, with the tick of every move.
    fn run(self, mut hunt: Hunt, known: &Known) -> Vec<String> {
        let (mut run, mut now) = (Vec::new(), 0);
        let value = |hunt: &Hunt| match known.get(hunt) {
            Some(Some(Served::Until(ticks))) => *ticks,
            _ => None,
        };
        while value(&hunt).is_some_and(|left| left > 0) {
            let best = self.futures(hunt).into_iter().max_by_key(|(_, ticks, future)| value(future).map(|v| v + ticks));
            let Some((what, ticks, future)) = best else { break };
            if what != Move::Time {
                let (row, victim) = (hunt.row, hunt.victim);
                run.push(format!("tick {now}: {what:?} comes to phase {}, age {:?} (victim: {victim:?})", row.phase, row.age));
            }
            now += ticks;
            hunt = future;
        }
        run.push(format!("tick {now}: the thief's last answer"));
        run
    }

    /// One refresh, read and write in one.
    fn present(self, row: &mut Row, token: Token) -> Got {
        let rules = self.rules;
        if row.revoked.is_some() {
            return Got::Refused;
        }
        let seen = row.generation;
        match row.decide(rules, token, self.grace) {
            Decision::AccessOnly { confirm } => {
                if confirm {
                    row.confirm(rules, seen);
                }
                Got::Access
            }
            Decision::Rotate => {
                row.rotate(rules, seen, token.branch, 0);
                Got::Refresh(Token { generation: seen + 1, branch: FRESH })
            }
            Decision::Reissue { write } => {
                if write {
                    row.reissue(rules, seen, 0);
                }
                Got::Refresh(Token { generation: seen, branch: FRESH })
            }
            Decision::FastForward => {
                row.fast_forward(rules, seen, token.generation, 0);
                Got::Access
            }
            Decision::Theft => {
                row.revoke(rules, super::row::Reason::Reuse);
                Got::Refused
            }
        }
    }

    fn victims_moves(self, hunt: Hunt) -> Vec<Hunt> {
        if hunt.left > 0 {
            return Vec::new();
        }
        let mut after = hunt;
        after.left = self.access.cast_signed();
        if let Got::Refresh(token) = self.present(&mut after.row, hunt.victim) {
            after.victim = token;
        }
        let mut moves = vec![after];
        if hunt.losses > 0 {
            // Nothing arrived, the access token neither: he asks again, as late as he may.
            moves.push(Hunt { victim: hunt.victim, left: 1, losses: hunt.losses - 1, ..after });
        }
        moves
    }

    fn tick(self, hunt: Hunt) -> Option<Hunt> {
        if hunt.left <= -self.late.cast_signed() {
            return None;
        }
        let mut after = hunt;
        after.left -= 1;
        after.row.age = hunt.row.age.map(|age| (age + 1).min(self.grace + 2));
        Some(after)
    }
}

impl Hunt {
    fn give_thief(&mut self, token: Token) {
        if let Some(free) = self.thief.iter_mut().find(|place| place.is_none()) {
            *free = Some(token);
        }
    }

    /// Generations shifted, dead tokens thrown away, branches named by whose they are: 1 the victim's, 2 the thief's own.
    fn canonical(mut self) -> Self {
        let (row, victim) = (self.row, self.victim);
        let (up, down) = (BASE.saturating_sub(row.generation), row.generation.saturating_sub(BASE));
        let shift = |generation: u8| (generation + up).saturating_sub(down);
        let name = |token: Token| {
            if !row.is_current_or_predecessor(token) && token.generation < row.generation {
                return Token { generation: 0, branch: 0 };
            }
            let branch = match (token.generation == row.generation, token == victim) {
                (false, _) => 3,
                (true, true) => 1,
                (true, false) => 2,
            };
            Token { generation: shift(token.generation), branch }
        };
        let mut held = [None; 4];
        for token in self.thief.into_iter().flatten().map(name) {
            let place = usize::from(token.branch);
            if let Some(place) = place.checked_sub(1) {
                held[place] = Some(token);
            }
        }
        self.thief = held;
        self.victim = name(victim);
        self.row.generation = shift(row.generation);
        self.row.previous_branch = row.previous_branch.map(|_| 3);
        self
    }
}

fn lifetimes(chase: Chase) -> f64 {
    match chase.longest().0 {
        Served::ForEver => f64::INFINITY,
        Served::Until(ticks) => f64::from(ticks.unwrap_or(0)) / f64::from(chase.access),
    }
}

#[test]
fn tmp_thief() {
    println!("{}", Chase::ours().longest().1.join("\n"));
    for grace in [4, 8] {
        for late in [0, 1, 2] {
            for losses in [0, 1, 2] {
                let access = u16::try_from(grace).unwrap() * 15 / 2;
                let start = std::time::Instant::now();
                let c = Chase { grace, access, late: access * late / 2, losses, ..Chase::ours() };
                println!("grace {grace} late {} losses {losses}: {:?} {:.3} {:?}", c.late, c.longest().0, lifetimes(c), start.elapsed());
            }
        }
    }
}
