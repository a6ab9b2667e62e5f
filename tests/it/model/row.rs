//! A row of `sessions` and the statements on it, as `src/models/session/` has them; `statements.rs` compares the two.

use std::cmp::Ordering;
use std::time::Duration;

use tacit::services::refresh::decision::{self, Decision, Phase, Presented, State};

/// A tick of the model's clock. The table speaks of GRACE and GRACE / 4 only, so its length does not matter.
pub const TICK: Duration = Duration::from_secs(1);

/// The production code's decision table, or a mutant of it.
pub type Decide = fn(&Presented, &State, Duration) -> Decision;

/// Everything a mutant may alter.
#[derive(Clone, Copy)]
pub struct Rules {
    pub decide: Decide,
    /// A cell of the table, and what a mutant answers there.
    pub instead: Option<(Cell, Decision)>,
    /// The part of a statement, of the retry loop or of the response rules that this mutant leaves out.
    pub without: Option<Clause>,
}

/// A cell of the decision table, as finely as it distinguishes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    pub who: Who,
    pub phase: u8,
    pub when: When,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Current,
    Predecessor,
    Older,
    Later,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// `age <= GRACE / 4`
    Young,
    /// `age <= GRACE`
    Inside,
    Outside,
}

/// The parts of the protocol outside the decision table, each of which a mutant leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clause {
    RotateChecksGeneration,
    RotateChecksRevoked,
    RotateRaisesGeneration,
    RotateSetsPreviousBranch,
    RotateResetsPhase,
    RotateSetsRotatedAt,
    ReissueChecksGeneration,
    ReissueChecksPhase,
    ReissueChecksRevoked,
    ReissueSetsPhase,
    ReissueSetsRotatedAt,
    StampsNeverGoBack,
    ConfirmChecksGeneration,
    ConfirmChecksPhase,
    ConfirmChecksRevoked,
    FastForwardChecksGeneration,
    FastForwardChecksRevoked,
    FastForwardGoesToTheTokensGeneration,
    FastForwardClearsPreviousBranch,
    FastForwardResetsPhase,
    FastForwardSetsRotatedAt,
    RevokeChecksRevoked,
    ZeroRowsReadAgain,
    LastRereadFallsBackToAccessOnly,
    LateCookiesAreDropped,
    CookiesOfAnEndedSessionAreDropped,
    EchoCountsFromTheRead,
}

impl Clause {
    pub const ALL: [Self; 27] = [
        Self::RotateChecksGeneration,
        Self::RotateChecksRevoked,
        Self::RotateRaisesGeneration,
        Self::RotateSetsPreviousBranch,
        Self::RotateResetsPhase,
        Self::RotateSetsRotatedAt,
        Self::ReissueChecksGeneration,
        Self::ReissueChecksPhase,
        Self::ReissueChecksRevoked,
        Self::ReissueSetsPhase,
        Self::ReissueSetsRotatedAt,
        Self::StampsNeverGoBack,
        Self::ConfirmChecksGeneration,
        Self::ConfirmChecksPhase,
        Self::ConfirmChecksRevoked,
        Self::FastForwardChecksGeneration,
        Self::FastForwardChecksRevoked,
        Self::FastForwardGoesToTheTokensGeneration,
        Self::FastForwardClearsPreviousBranch,
        Self::FastForwardResetsPhase,
        Self::FastForwardSetsRotatedAt,
        Self::RevokeChecksRevoked,
        Self::ZeroRowsReadAgain,
        Self::LastRereadFallsBackToAccessOnly,
        Self::LateCookiesAreDropped,
        Self::CookiesOfAnEndedSessionAreDropped,
        Self::EchoCountsFromTheRead,
    ];
}

impl Rules {
    /// What runs in production.
    pub const OURS: Self = Self { decide: decision::decide, instead: None, without: None };

    pub fn keep(self, clause: Clause) -> bool {
        self.without != Some(clause)
    }
}

/// What of a refresh token matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Token {
    pub generation: u8,
    pub branch: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    Reuse,
    Logout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Row {
    pub generation: u8,
    pub previous_branch: Option<u8>,
    pub phase: u8,
    /// Ticks since `rotated_at`.
    pub age: Option<i8>,
    pub revoked: Option<Reason>,
}

impl Row {
    /// As a sign-in inserts it.
    pub fn signed_in(generation: u8) -> Self {
        Self { generation, previous_branch: None, phase: 0, age: None, revoked: None }
    }

    /// Asks the table, as `refresh_one` does.
    pub fn decide(&self, rules: Rules, token: Token, grace: i8) -> Decision {
        let state = State {
            generation: i64::from(self.generation),
            previous_branch: self.previous_branch.map(branch_bytes),
            phase: Phase::from_column(i16::from(self.phase)),
            age_micros: self.age.map(|ticks| i64::from(ticks) * 1_000_000),
        };
        let presented = Presented { generation: i64::from(token.generation), branch: branch_bytes(token.branch) };
        match rules.instead {
            Some((cell, instead)) if cell == self.cell(token, grace) => instead,
            _ => (rules.decide)(&presented, &state, TICK * u32::from(grace.unsigned_abs())),
        }
    }

    fn cell(&self, token: Token, grace: i8) -> Cell {
        let who = match token.generation.cmp(&self.generation) {
            Ordering::Greater => Who::Later,
            Ordering::Equal => Who::Current,
            Ordering::Less if self.is_current_or_predecessor(token) => Who::Predecessor,
            Ordering::Less => Who::Older,
        };
        let when = match self.age {
            Some(age) if age <= grace / 4 => When::Young,
            Some(age) if age <= grace => When::Inside,
            _ => When::Outside,
        };
        Cell { who, phase: self.phase, when }
    }

    /// The first cell in which these rules do not answer as `written`.
    pub fn first_difference(rules: Rules, written: fn(Cell) -> Decision) -> Option<Cell> {
        let (grace, generation) = (4, 3);
        for phase in 0..=2 {
            for age in [None, Some(0), Some(1), Some(2), Some(4), Some(5), Some(120)] {
                let row = Self { phase, age, previous_branch: Some(1), ..Self::signed_in(generation) };
                for token in [(3, 1), (3, 2), (2, 1), (2, 2), (1, 1), (4, 1), (5, 2)] {
                    let token = Token { generation: token.0, branch: token.1 };
                    let cell = row.cell(token, grace);
                    if row.decide(rules, token, grace) != written(cell) {
                        return Some(cell);
                    }
                }
            }
        }
        None
    }

    pub fn is_current_or_predecessor(&self, token: Token) -> bool {
        token.generation == self.generation
            || (token.generation + 1 == self.generation
                && self.previous_branch.is_none_or(|branch| branch == token.branch))
    }

    pub fn is_inside(&self, grace: i8) -> bool {
        self.age.is_some_and(|age| age <= grace)
    }

    /// Of this and the other statements that stamp `rotated_at`, `lag` is how long ago the database's `now()` was when
    /// the statement took effect.
    pub fn rotate(&mut self, rules: Rules, seen: u8, branch: u8, lag: i8) -> bool {
        let hit = (self.generation == seen || !rules.keep(Clause::RotateChecksGeneration))
            && (self.revoked.is_none() || !rules.keep(Clause::RotateChecksRevoked));
        if hit {
            self.generation = if rules.keep(Clause::RotateRaisesGeneration) { seen + 1 } else { seen };
            if rules.keep(Clause::RotateSetsPreviousBranch) {
                self.previous_branch = Some(branch);
            }
            if rules.keep(Clause::RotateResetsPhase) {
                self.phase = 0;
            }
            if rules.keep(Clause::RotateSetsRotatedAt) {
                self.age = Some(lag);
            }
        }
        hit
    }

    pub fn reissue(&mut self, rules: Rules, seen: u8, lag: i8) -> bool {
        let hit = (self.generation == seen || !rules.keep(Clause::ReissueChecksGeneration))
            && (self.phase < 2 || !rules.keep(Clause::ReissueChecksPhase))
            && (self.revoked.is_none() || !rules.keep(Clause::ReissueChecksRevoked));
        if hit {
            if rules.keep(Clause::ReissueSetsRotatedAt) {
                // Who waits for a row that changes meanwhile reads the clock again: the stamp never goes back.
                let newest = self.age.filter(|_| rules.keep(Clause::StampsNeverGoBack)).unwrap_or(lag);
                self.age = Some(lag.min(newest));
            }
            if rules.keep(Clause::ReissueSetsPhase) {
                self.phase = 1;
            }
        }
        hit
    }

    pub fn confirm(&mut self, rules: Rules, generation: u8) -> bool {
        let hit = (self.generation == generation || !rules.keep(Clause::ConfirmChecksGeneration))
            && (self.phase == 1 || !rules.keep(Clause::ConfirmChecksPhase))
            && (self.revoked.is_none() || !rules.keep(Clause::ConfirmChecksRevoked));
        if hit {
            self.phase = 2;
        }
        hit
    }

    pub fn fast_forward(&mut self, rules: Rules, seen: u8, token_generation: u8, lag: i8) -> bool {
        let hit = (self.generation == seen || !rules.keep(Clause::FastForwardChecksGeneration))
            && (self.revoked.is_none() || !rules.keep(Clause::FastForwardChecksRevoked));
        if hit {
            let to_the_tokens = rules.keep(Clause::FastForwardGoesToTheTokensGeneration);
            self.generation = if to_the_tokens { token_generation } else { token_generation + 1 };
            if rules.keep(Clause::FastForwardClearsPreviousBranch) {
                self.previous_branch = None;
            }
            if rules.keep(Clause::FastForwardResetsPhase) {
                self.phase = 0;
            }
            if rules.keep(Clause::FastForwardSetsRotatedAt) {
                self.age = Some(lag);
            }
        }
        hit
    }

    pub fn revoke(&mut self, rules: Rules, reason: Reason) -> bool {
        let hit = self.revoked.is_none() || !rules.keep(Clause::RevokeChecksRevoked);
        if hit {
            self.revoked = Some(reason);
        }
        hit
    }
}

pub fn branch_bytes(branch: u8) -> [u8; 8] {
    [branch; 8]
}
