//! A victim, a thief and one row, and what each of them can do next.

use tacit::services::refresh::decision::Decision;

use super::row::{Reason, Row, Rules, Token};

/// The generation that the row is shifted to.
pub const BASE: u8 = 3;
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

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hunt {
    pub row: Row,
    pub victim: Token,
    /// Ticks until the victim's access token ends, and then those he is late, below zero.
    pub left: i16,
    pub losses: u8,
    /// What the thief holds that is not dead: the victim's very token, a branch of his own, the predecessor, another
    /// branch of the predecessor's generation, something older. The last place is for what he just got.
    pub thief: Held,
}

pub type Held = [Option<Token>; 6];

pub const NOTHING: Held = [None; 6];

pub fn holding(token: Token) -> Held {
    let mut held = NOTHING;
    held[0] = Some(token);
    held
}

/// What a request brought.
pub enum Got {
    Refused,
    Access,
    Refresh(Token),
}

impl Chase {
    /// One refresh, read and write in one.
    pub fn present(self, row: &mut Row, token: Token) -> Got {
        let rules = self.rules;
        if row.revoked.is_some() {
            return Got::Refused;
        }
        let seen = row.generation;
        match row.decide(rules, token, self.grace) {
            Decision::AccessOnly { confirm } => {
                if confirm {
                    row.confirm(rules, seen);
                } else if row.phase == 2 && token.generation < seen && row.age.is_some_and(|age| age <= self.grace / 4)
                {
                    // What a client that stores tokens itself is told; the thief may pose as one.
                    return Got::Refresh(Token { generation: seen, branch: FRESH });
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
                row.revoke(rules, Reason::Reuse);
                Got::Refused
            }
        }
    }

    pub fn victims_moves(self, hunt: Hunt) -> Vec<Hunt> {
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

    pub fn tick(self, hunt: Hunt) -> Option<Hunt> {
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
    pub fn give_thief(&mut self, token: Token) {
        if let Some(free) = self.thief.iter_mut().find(|place| place.is_none()) {
            *free = Some(token);
        }
    }

    /// Generations shifted, branches named by what they are: 1 the victim's, 2 the thief's own, 3 the predecessor, 4
    /// another of that generation, 5 something older. What these rules always refuse is thrown away.
    pub fn canonical(mut self, dead: Dead) -> Self {
        let (row, victim) = (self.row, self.victim);
        let (up, down) = (BASE.saturating_sub(row.generation), row.generation.saturating_sub(BASE));
        let shift = |generation: u8| (generation + up).saturating_sub(down);
        let name = |token: Token| {
            let (generation, branch) = match row.generation.checked_sub(token.generation) {
                None => (shift(token.generation), 1),
                Some(0) => (BASE, if token == victim { 1 } else { 2 }),
                Some(1) if row.is_current_or_predecessor(token) => (BASE - 1, 3),
                Some(1) => (BASE - 1, 4),
                Some(_) => (BASE - 2, 5),
            };
            Token { generation, branch }
        };
        let mut held = NOTHING;
        for token in self.thief.into_iter().flatten().map(name) {
            if !(token.branch == 4 && dead.other_branch || token.branch == 5 && dead.older) {
                held[usize::from(token.branch) - 1] = Some(token);
            }
        }
        self.thief = held;
        self.victim = name(victim);
        self.row.generation = BASE;
        self.row.previous_branch = row.previous_branch.map(|_| 3);
        self
    }
}

/// Which tokens these rules always refuse: there is no point in keeping them.
#[derive(Clone, Copy)]
pub struct Dead {
    other_branch: bool,
    older: bool,
}

impl Chase {
    pub fn dead(self) -> Dead {
        let always_theft = |token: Token| {
            (0..=2).all(|phase| {
                (0..=self.grace + 2).all(|age| {
                    let row = Row { phase, age: Some(age), previous_branch: Some(3), ..Row::signed_in(BASE) };
                    row.decide(self.rules, token, self.grace) == Decision::Theft
                })
            })
        };
        let (other, older) = (Token { generation: BASE - 1, branch: 4 }, Token { generation: BASE - 2, branch: 5 });
        Dead { other_branch: always_theft(other), older: always_theft(older) }
    }
}
