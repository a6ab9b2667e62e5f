//! An honest browser and the service: one jar, requests in every stage of being on their way, and the session's row.

use super::row::{Reason, Row, Rules, Token};
use super::search::Words;
use tacit::services::refresh::decision::Decision;

/// The most requests that are on their way at a time.
pub const MOST: usize = 4;

/// The generation that the row is shifted to, so that a session's history does not multiply the states.
const BASE: u8 = 3;

/// A token that no row will ever accept again.
const DEAD: Token = Token { generation: 0, branch: 0 };

/// Spans are ticks.
#[derive(Clone, Copy)]
pub struct Setting {
    pub rules: Rules,
    pub grace: i8,
    /// D: from the client attaching its cookie to the last statement for it. `None`: without limit.
    pub queue: Option<u8>,
    /// From the swap (or the read of a REISSUE without a write) to the headers, if the cookies are to go out.
    pub emit: u8,
    /// The slowest handler: what the headers wait for if nobody drops late cookies.
    pub handler: u8,
    /// From the headers to the cookie in the jar; M is `emit + transit`.
    pub transit: u8,
    pub requests: usize,
    /// How often a statement that changed no row makes the engine read again.
    pub rereads: u8,
    /// A client that stores tokens itself: after ACCESS-ONLY, while the window is young, it is told again what it holds.
    pub echo: bool,
    /// Whether the user signs out at some moment.
    pub logout: bool,
    /// Whether the database loses commits once: the row goes back to what it was at an earlier moment. The generations
    /// are then bounded by this.
    pub lost_commits_below: Option<u8>,
    /// Whether a REISSUE may be among what is lost.
    pub loses_reissues: bool,
    /// By how much the database's clock is set once.
    pub clock_step: i8,
    /// Whether a statement may wait for the row: `now()` of PostgreSQL then lies before its effect.
    pub waits_for_the_row: bool,
}

impl Setting {
    /// D, EMIT and the transit; three requests, nothing else going wrong.
    pub fn timed(grace: i8, queue: u8, emit: u8, transit: u8) -> Self {
        Self {
            rules: Rules::OURS,
            grace,
            queue: Some(queue),
            emit,
            handler: 8,
            transit,
            requests: 3,
            rereads: 3,
            echo: false,
            logout: false,
            lost_commits_below: None,
            loses_reissues: false,
            clock_step: 0,
            waits_for_the_row: false,
        }
    }

    pub fn with_rules(self, rules: Rules) -> Self {
        Self { rules, ..self }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The cookie is attached, and the row was not read yet, or is to be read again.
    Queued,
    /// The row was read and the table asked; the statement is to come.
    Decided,
    /// The handler runs; the minted token waits for the headers.
    Handling,
    /// The headers are on their way to the jar.
    Flying,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Request {
    pub stage: Stage,
    /// Attached, and then minted.
    pub token: Token,
    /// Since the cookie was attached; then since the swap; then since the headers went out.
    pub ticks: u8,
    /// How often the row was read again.
    pub attempt: u8,
    pub decided: Option<Decided>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    pub decision: Decision,
    /// The generation that was read.
    pub seen: u8,
    /// Whether the token was current or the predecessor in that read.
    pub may_fall_back: bool,
    /// Whether a refresh token may go out according to that read.
    pub may_mint: bool,
    /// Whether the window was young in that read.
    pub young: bool,
    /// Whether somebody changed the row since.
    pub disturbed: bool,
    /// Ticks since that read, if it matters.
    pub ticks: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub struct World {
    pub row: Row,
    pub jar: Token,
    pub requests: [Option<Request>; MOST],
    /// Ticks since the logout.
    pub ended_for: u8,
    /// What the database will go back to.
    pub backup: Option<Row>,
    pub restored: bool,
    pub clock_was_set: bool,
}

impl World {
    pub fn signed_in(setting: &Setting) -> Self {
        let generation = if setting.lost_commits_below.is_some() { 1 } else { BASE };
        let jar = Token { generation, branch: 1 };
        let row = Row::signed_in(generation);
        Self { row, jar, requests: [None; MOST], ended_for: 0, backup: None, restored: false, clock_was_set: false }
    }

    /// A branch that no token has yet, until `canonical` names it.
    pub const FRESH: u8 = 15;

    /// One of all the states that differ in names only.
    pub fn canonical(mut self, setting: &Setting) -> Self {
        if setting.lost_commits_below.is_none() {
            self.rebase();
        }
        if setting.lost_commits_below.is_none() || self.restored {
            let row = self.row;
            self.each_token(|token| {
                if token.generation < row.generation && !row.is_current_or_predecessor(*token) {
                    *token = DEAD;
                }
            });
        }
        self.requests.sort_unstable_by_key(|request| {
            request.map_or(u32::MAX, |r| {
                let stage = [Stage::Queued, Stage::Decided, Stage::Handling, Stage::Flying];
                let stage = stage.iter().position(|&stage| stage == r.stage).unwrap_or(0);
                u32::from_le_bytes([r.token.branch, r.token.generation, r.ticks, u8::try_from(stage).unwrap_or(0)])
            })
        });
        self.rename_branches();
        self
    }

    fn rebase(&mut self) {
        if self.row.generation == BASE {
            return;
        }
        let (up, down) = (BASE.saturating_sub(self.row.generation), self.row.generation.saturating_sub(BASE));
        let shift = |generation: u8| (generation + up).saturating_sub(down);
        self.row.generation = BASE;
        self.each_token(|token| token.generation = shift(token.generation));
        for request in self.requests.iter_mut().flatten() {
            if let Some(decided) = &mut request.decided {
                decided.seen = shift(decided.seen);
            }
        }
    }

    fn each_token(&mut self, mut change: impl FnMut(&mut Token)) {
        change(&mut self.jar);
        for request in self.requests.iter_mut().flatten() {
            change(&mut request.token);
        }
    }

    /// Branches are random: only which are the same matters. They are numbered by first appearance.
    fn rename_branches(&mut self) {
        let mut names = [DEAD; 2 * MOST];
        let mut known = 0;
        let mut name = |token: Token| {
            if token == DEAD {
                return 0;
            }
            let place = names[..known].iter().position(|&other| other == token).unwrap_or(known);
            if place == known {
                names[known] = token;
                known += 1;
            }
            u8::try_from(place + 1).unwrap_or(0)
        };
        for row in [Some(&mut self.row), self.backup.as_mut()].into_iter().flatten() {
            if let Some(branch) = &mut row.previous_branch {
                *branch = name(Token { generation: row.generation - 1, branch: *branch });
            }
        }
        self.each_token(|token| token.branch = name(*token));
    }

    /// Everything, in as few words as possible, to be hashed and kept.
    pub fn packed(&self) -> Words {
        let mut words = [0; MOST + 1];
        let [head, requests @ ..] = &mut words;
        let mut pack = |value: u8, bits: u32| *head = *head << bits | u64::from(value);
        for row in [Some(&self.row), self.backup.as_ref()] {
            pack(row.map_or(0, |row| row.generation + 1), 5);
            pack(row.and_then(|row| row.previous_branch).map_or(0, |branch| branch + 1), 5);
            pack(row.map_or(0, |row| row.phase), 2);
            pack(row.and_then(|row| row.age).map_or(0, |age| (age + 32).unsigned_abs()), 6);
        }
        pack(self.row.revoked.map_or(0, |reason| if reason == Reason::Reuse { 1 } else { 2 }), 2);
        pack(self.jar.generation, 4);
        pack(self.jar.branch, 4);
        pack(self.ended_for, 2);
        pack(u8::from(self.restored), 1);
        pack(u8::from(self.clock_was_set), 1);
        for (word, request) in requests.iter_mut().zip(self.requests.iter().flatten()) {
            *word = request.packed();
        }
        words
    }
}

impl Request {
    fn packed(&self) -> u64 {
        let mut word = 1;
        let mut pack = |value: u8, bits: u32| word = word << bits | u64::from(value);
        pack(
            match self.stage {
                Stage::Queued => 0,
                Stage::Decided => 1,
                Stage::Handling => 2,
                Stage::Flying => 3,
            },
            2,
        );
        pack(self.token.generation, 4);
        pack(self.token.branch, 4);
        pack(self.ticks, 4);
        pack(self.attempt, 3);
        if let Some(decided) = self.decided {
            pack(
                match decided.decision {
                    Decision::AccessOnly { .. } => 1,
                    Decision::Rotate => 2,
                    Decision::Reissue { .. } => 3,
                    Decision::FastForward => 4,
                    Decision::Theft => 5,
                },
                3,
            );
            pack(decided.seen, 4);
            pack(u8::from(decided.may_fall_back), 1);
            pack(u8::from(decided.may_mint), 1);
            pack(u8::from(decided.disturbed), 1);
            pack(u8::from(decided.young), 1);
            pack(decided.ticks, 4);
        }
        word
    }
}
