//! The thief of `thief.rs` against a victim whose requests and answers are on their way for a while, several at a time.
//!
//! A request reads, and later writes, at any moment up to `queue` ticks after it was sent; its answer arrives up to
//! `transit` ticks after that. They may overtake each other. The thief too may have one request between its read and its
//! write. Again it is the longest path that is computed, for our rules only: what these always refuse is thrown away.

use std::collections::{HashMap, HashSet};
use std::hash::BuildHasherDefault;

use tacit::services::refresh::decision::Decision;

use super::hunt::{BASE, Chase, Got};
use super::row::{Reason, Row, Token};
use super::search::FastHasher;
use super::thief::Served;

/// How many requests of the victim there is room for.
const ROOM: usize = 3;

/// Branches that canonical names never reach.
const FRESH: u8 = 100;
const PREDECESSOR: u8 = 50;
const DEAD: u8 = 60;

#[derive(Clone, Copy)]
struct Delays {
    chase: Chase,
    queue: u8,
    transit: u8,
    /// How many requests of the victim may be on their way.
    requests: usize,
}

/// A statement that was decided by a read of the row's present generation.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Write {
    Rotate,
    Reissue,
    Confirm,
    Theft,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Pending {
    ticks: u8,
    token: Token,
    write: Write,
}

/// A request of the victim, with the token that he attached, or with the one that comes back.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Sent {
    Request { ticks: u8, token: Token },
    Read(Pending),
    Answer { ticks: u8, minted: Option<Token> },
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct State {
    row: Row,
    jar: Token,
    /// Ticks until the victim's access token ends, and then those he is late, below zero.
    left: i16,
    sent: [Option<Sent>; ROOM],
    /// What the thief holds that is not dead: what the victim has too, one of his own, the predecessor.
    thief: [Option<Token>; ROOM + 4],
    pending: Option<Pending>,
}

type Known = HashMap<State, Option<Served>, BuildHasherDefault<FastHasher>>;

struct Search {
    delays: Delays,
    known: Known,
}

/// The current branches that the victim has, in the order in which they were named.
#[derive(Default)]
struct Names(Vec<u8>);

impl Names {
    fn name(&mut self, row: &Row, token: Token) -> Token {
        match row.generation - token.generation {
            0 => {
                let known = self.0.iter().position(|branch| *branch == token.branch);
                let place = known.unwrap_or_else(|| {
                    self.0.push(token.branch);
                    self.0.len() - 1
                });
                Token { generation: BASE, branch: u8::try_from(place).expect("few tokens") }
            }
            1 if row.is_current_or_predecessor(token) => Token { generation: BASE - 1, branch: PREDECESSOR },
            _ => Token { generation: BASE - 1, branch: DEAD },
        }
    }
}

impl State {
    /// Generations shifted, branches named by who holds them. Tokens that are always refused are thrown away.
    fn canonical(mut self) -> Self {
        let (row, mut names) = (self.row, Names::default());
        self.jar = names.name(&row, self.jar);
        self.sent.sort_unstable_by_key(|sent| std::cmp::Reverse(*sent));
        for sent in self.sent.iter_mut().flatten() {
            *sent = match *sent {
                Sent::Request { ticks, token } => Sent::Request { ticks, token: names.name(&row, token) },
                // Somebody was faster: its statement will change no row, and it reads again.
                Sent::Read(Pending { ticks, token, write }) if row.generation != BASE && write != Write::Theft => {
                    Sent::Request { ticks, token: names.name(&row, token) }
                }
                Sent::Read(pending) => Sent::Read(Pending { token: names.name(&row, pending.token), ..pending }),
                Sent::Answer { ticks, minted } => {
                    Sent::Answer { ticks, minted: minted.map(|token| names.name(&row, token)) }
                }
            };
        }
        let shared = u8::try_from(names.0.len()).expect("few tokens");
        self.pending = self.pending.filter(|_| row.generation == BASE).map(|pending| {
            let token = names.name(&row, pending.token);
            Pending { token, ..pending }
        });
        let mut held = [None; ROOM + 4];
        for token in self.thief.into_iter().flatten() {
            let mut token = names.name(&row, token);
            if token.generation == BASE {
                // Of branches that only he holds one is as good as several.
                token.branch = token.branch.min(shared);
            }
            let place = match token {
                Token { branch: DEAD, .. } => continue,
                Token { branch: PREDECESSOR, .. } => ROOM + 3,
                Token { branch, .. } => usize::from(branch),
            };
            held[place] = Some(token);
        }
        self.thief = held;
        self.row.generation = BASE;
        self.row.previous_branch = row.previous_branch.map(|_| PREDECESSOR);
        self
    }
}

impl Delays {
    /// What a request reads: an answer at once, or a statement to come.
    fn read(self, row: &Row, token: Token) -> Result<Got, Write> {
        match row.decide(self.chase.rules, token, self.chase.grace) {
            Decision::AccessOnly { confirm: true } => Err(Write::Confirm),
            Decision::Rotate => Err(Write::Rotate),
            Decision::Reissue { write: true } => Err(Write::Reissue),
            Decision::Theft => Err(Write::Theft),
            Decision::AccessOnly { .. } | Decision::Reissue { .. } | Decision::FastForward => {
                let mut as_it_is = *row;
                Ok(self.chase.present(&mut as_it_is, token))
            }
        }
    }

    /// `None`: the statement changed no row.
    fn write(self, row: &mut Row, token: Token, write: Write) -> Option<Got> {
        let (rules, seen) = (self.chase.rules, row.generation);
        let (hit, got) = match write {
            Write::Rotate => {
                (row.rotate(rules, seen, token.branch, 0), Got::Refresh(Token { generation: seen + 1, branch: FRESH }))
            }
            Write::Reissue => (row.reissue(rules, seen, 0), Got::Refresh(Token { generation: seen, branch: FRESH })),
            Write::Confirm => (row.confirm(rules, seen), Got::Access),
            Write::Theft => (row.revoke(rules, Reason::Reuse), Got::Refused),
        };
        hit.then_some(got)
    }

    fn victims_moves(self, state: State) -> Vec<State> {
        let mut moves = Vec::new();
        if state.left <= 0
            && let Some(place) = state.sent.iter().take(self.requests).position(Option::is_none)
        {
            let mut after = state;
            after.sent[place] = Some(Sent::Request { ticks: 0, token: state.jar });
            moves.push(after);
        }
        for (place, sent) in state.sent.iter().enumerate() {
            let mut after = state;
            let answered = |got| match got {
                Got::Refresh(token) => Sent::Answer { ticks: 0, minted: Some(token) },
                Got::Access | Got::Refused => Sent::Answer { ticks: 0, minted: None },
            };
            after.sent[place] = match *sent {
                None => continue,
                Some(Sent::Request { ticks, token }) => Some(match self.read(&state.row, token) {
                    Ok(got) => answered(got),
                    Err(write) => Sent::Read(Pending { ticks, token, write }),
                }),
                Some(Sent::Read(Pending { ticks, token, write })) => {
                    let again = Sent::Request { ticks, token };
                    Some(self.write(&mut after.row, token, write).map_or(again, answered))
                }
                Some(Sent::Answer { ticks, minted }) => {
                    after.jar = minted.unwrap_or(state.jar);
                    after.left = self.chase.access.cast_signed() - i16::from(ticks);
                    None
                }
            };
            moves.push(after);
        }
        moves
    }

    fn thiefs_moves(self, state: State) -> Vec<State> {
        let mut moves = Vec::new();
        for token in state.thief.into_iter().flatten() {
            let mut after = state;
            let got = self.chase.present(&mut after.row, token);
            after.give_thief(got);
            moves.push(after);
            if state.pending.is_none()
                && let Err(write) = self.read(&state.row, token)
            {
                moves.push(State { pending: Some(Pending { ticks: 0, token, write }), ..state });
            }
        }
        if let Some(Pending { token, write, .. }) = state.pending {
            let mut after = State { pending: None, ..state };
            if let Some(got) = self.write(&mut after.row, token, write) {
                after.give_thief(got);
            }
            moves.push(after);
        }
        moves
    }

    fn tick(self, state: State) -> Option<State> {
        let idle = state.sent.iter().all(Option::is_none);
        if idle && state.left <= -self.chase.late.cast_signed() {
            return None;
        }
        let mut after = state;
        for sent in after.sent.iter_mut().flatten() {
            let (ticks, limit) = match sent {
                Sent::Request { ticks, .. } | Sent::Read(Pending { ticks, .. }) => (ticks, self.queue),
                Sent::Answer { ticks, .. } => (ticks, self.transit),
            };
            *ticks = Some(*ticks + 1).filter(|ticks| *ticks <= limit)?;
        }
        if let Some(pending) = &mut after.pending {
            pending.ticks = Some(pending.ticks + 1).filter(|ticks| *ticks <= self.queue)?;
        }
        // How late he is matters no more once he has asked.
        after.left = (state.left - 1).max(-self.chase.late.cast_signed());
        after.row.age = state.row.age.map(|age| (age + 1).min(self.chase.grace + 2));
        Some(after)
    }

    fn longest(self) -> Served {
        // The search goes as deep as a run is long.
        let work = move || Search { delays: self, known: Known::default() }.longest();
        std::thread::Builder::new().stack_size(2 << 30).spawn(work).unwrap().join().unwrap()
    }
}

impl State {
    fn give_thief(&mut self, got: Got) {
        if let Got::Refresh(Token { generation, .. }) = got {
            // Places are given anew when it is named; the last but one is never taken before.
            self.thief[ROOM + 2] = Some(Token { generation, branch: FRESH + 1 });
        }
    }
}

impl Search {
    fn longest(&mut self) -> Served {
        let mut longest = None;
        for moment in self.moments() {
            let mut copied = moment;
            copied.thief[0] = Some(moment.jar);
            match self.serves(copied.canonical()) {
                Served::ForEver => return Served::ForEver,
                Served::Until(ticks) => longest = longest.max(ticks),
            }
        }
        Served::Until(longest)
    }

    /// Every state that the victim alone reaches: the moments of the copy.
    fn moments(&self) -> Vec<State> {
        let jar = Token { generation: BASE, branch: 0 };
        let left = self.delays.chase.access.cast_signed();
        let row = Row::signed_in(BASE);
        let start = State { row, jar, left, sent: [None; ROOM], thief: [None; ROOM + 4], pending: None };
        let (mut moments, mut seen) = (vec![start], HashSet::from([start]));
        let mut next = 0;
        while let Some(&state) = moments.get(next) {
            let all = self.delays.victims_moves(state).into_iter().chain(self.delays.tick(state));
            let new = all.map(State::canonical).filter(|state| state.row.revoked.is_none() && seen.insert(*state));
            moments.extend(new);
            next += 1;
        }
        moments
    }

    /// The longest time until the thief's last success; `None` marks a state whose future is being looked at.
    fn serves(&mut self, state: State) -> Served {
        if let Some(answer) = self.known.get(&state) {
            return answer.unwrap_or(Served::ForEver);
        }
        self.known.insert(state, None);
        let signed_in = state.thief.into_iter().flatten().any(|token| {
            let mut row = state.row;
            !matches!(self.delays.chase.present(&mut row, token), Got::Refused)
        });
        let mut longest = signed_in.then_some(0);
        for (ticks, future) in self.futures(state) {
            match self.serves(future) {
                Served::ForEver => return Served::ForEver,
                Served::Until(rest) => longest = longest.max(rest.map(|rest| rest + ticks)),
            }
        }
        self.known.insert(state, Some(Served::Until(longest)));
        Served::Until(longest)
    }

    fn futures(&self, state: State) -> Vec<(u32, State)> {
        let at_once = self.delays.thiefs_moves(state).into_iter().chain(self.delays.victims_moves(state));
        let all = at_once.map(|after| (0, after)).chain(self.delays.tick(state).map(|after| (1, after)));
        all.map(|(ticks, after)| (ticks, after.canonical()))
            .filter(|(_, future)| {
                *future != state && future.row.revoked.is_none() && future.thief.iter().any(Option::is_some)
            })
            .collect()
    }
}

impl Delays {
    /// Four intervals of the victim, eight times the way there, three times the way back.
    fn bound(self) -> u32 {
        let Self { chase, queue, transit, .. } = self;
        4 * u32::from(chase.access + chase.late) + 8 * u32::from(queue) + 3 * u32::from(transit)
    }

    fn reaches_its_bound(self) {
        let served = self.longest();
        println!(
            "D {}, M {}, {} requests, late {}: {served:?}",
            self.queue, self.transit, self.requests, self.chase.late
        );
        assert_eq!(served, Served::Until(Some(self.bound())));
    }
}

#[test]
fn delays_buy_the_thief_eight_times_the_way_there_and_three_times_the_way_back() {
    for (grace, access, late) in [(4, 30, 0), (4, 10, 0), (4, 10, 10), (8, 60, 0)] {
        for (queue, transit) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let chase = Chase { grace, access, late, ..Chase::ours() };
            Delays { chase, queue, transit, requests: 2 }.reaches_its_bound();
        }
    }
}

#[test]
fn within_the_soundness_condition_a_thief_is_found_within_five_access_lifetimes_of_a_prompt_victim() {
    let chase = Chase { grace: 4, access: 30, ..Chase::ours() };
    // D + M is 3/4 of GRACE, however it is split.
    for queue in 0..=3 {
        let delays = Delays { chase, queue, transit: 3 - queue, requests: 2 };
        delays.reaches_its_bound();
        assert!(delays.bound() <= 5 * u32::from(chase.access));
    }
}

#[test]
fn a_third_request_at_a_time_buys_the_thief_nothing() {
    let chase = Chase { grace: 4, access: 30, ..Chase::ours() };
    for (queue, transit) in [(1, 0), (0, 1), (1, 1)] {
        Delays { chase, queue, transit, requests: 3 }.reaches_its_bound();
    }
}
