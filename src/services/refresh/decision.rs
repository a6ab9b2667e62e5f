//! The decision table of the refresh protocol, as a pure function: docs/protocol.md explains it.

use std::time::Duration;

/// How far a row's `rotated_at` may lie in the future (the database's clock was set back) and still open the window.
pub const FUTURE_TOLERANCE: Duration = Duration::from_secs(300);

/// What of a session's row the decision depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// How often the refresh token was rotated.
    pub generation: i64,
    /// The branch the last rotation was made from; `None`: any.
    pub previous_branch: Option<[u8; 8]>,
    /// Whether the current generation was reissued, and seen since.
    pub phase: Phase,
    /// Microseconds since the last rotation or reissue, negative if that lies in the future; `None`: there was none.
    pub age_micros: Option<i64>,
}

/// How far the current generation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Minted by one rotation, and nothing more is known.
    Fresh,
    /// Minted again for a predecessor that came back.
    Reissued,
    /// Reissued, and a branch of it has come back: some jar holds it.
    Confirmed,
}

impl Phase {
    /// As the column holds it; an unknown number counts as fresh.
    pub fn from_column(number: i16) -> Self {
        match number {
            1 => Self::Reissued,
            2 => Self::Confirmed,
            _ => Self::Fresh,
        }
    }
}

/// What of a refresh token the decision depends on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Presented {
    /// The token's generation.
    pub generation: i64,
    /// The token's branch.
    pub branch: [u8; 8],
}

/// What to do about a token of a live session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Decision {
    /// An access token, and the refresh token stays what it is.
    AccessOnly {
        /// Whether to note that a branch of a reissued generation was seen.
        confirm: bool,
    },
    /// The next generation; every other branch of this one dies.
    Rotate,
    /// Another branch of the current generation.
    Reissue {
        /// Whether the window opens anew.
        write: bool,
    },
    /// The token's generation becomes the row's: the database lost commits.
    FastForward,
    /// Two hold what one should: the session ends.
    Theft,
}

/// Decides what a token whose MAC and secret are good gets from a session that is neither revoked nor expired.
pub fn decide(presented: &Presented, state: &State, grace: Duration) -> Decision {
    let age = age_inside(state, grace);
    let inside = age.is_some();

    if presented.generation > state.generation {
        return Decision::FastForward;
    }
    if presented.generation == state.generation {
        return if inside {
            Decision::AccessOnly { confirm: state.phase == Phase::Reissued }
        } else {
            Decision::Rotate
        };
    }
    if !is_predecessor(presented, state) {
        return Decision::Theft;
    }
    match (state.phase, age) {
        (Phase::Fresh | Phase::Confirmed, Some(_)) => Decision::AccessOnly { confirm: false },
        (Phase::Reissued, Some(age)) => Decision::Reissue { write: age > micros(grace / 4) },
        (Phase::Fresh | Phase::Reissued, None) => Decision::Reissue { write: true },
        (Phase::Confirmed, None) => Decision::Theft,
    }
}

/// The age of the last rotation, as long as its window is open.
fn age_inside(state: &State, grace: Duration) -> Option<i64> {
    state.age_micros.filter(|age| (-micros(FUTURE_TOLERANCE)..=micros(grace)).contains(age))
}

/// Whether the window after the last rotation is open.
pub fn is_inside(state: &State, grace: Duration) -> bool {
    age_inside(state, grace).is_some()
}

fn micros(span: Duration) -> i64 {
    i64::try_from(span.as_micros()).unwrap_or(i64::MAX)
}

/// Whether the token is the one that the last rotation was made from.
pub fn is_predecessor(presented: &Presented, state: &State) -> bool {
    presented.generation.checked_add(1) == Some(state.generation)
        && state.previous_branch.is_none_or(|branch| branch == presented.branch)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(100);
    const OURS: [u8; 8] = [1; 8];
    const OTHER: [u8; 8] = [2; 8];

    /// The last microsecond of the window, of its first quarter, and the first of what a clock set back may show.
    const END: i64 = 100_000_000;
    const QUARTER: i64 = 25_000_000;
    const EARLIEST: i64 = -300_000_000;

    fn decided(generation: i64, branch: [u8; 8], phase: Phase, age_micros: Option<i64>) -> Decision {
        let state = State { generation: 5, previous_branch: Some(OURS), phase, age_micros };
        decide(&Presented { generation, branch }, &state, GRACE)
    }

    const QUIET: Decision = Decision::AccessOnly { confirm: false };

    #[test]
    fn the_current_generation_rotates_outside_the_window_only() {
        for branch in [OURS, OTHER] {
            for inside in [EARLIEST, 0, END] {
                assert_eq!(decided(5, branch, Phase::Fresh, Some(inside)), QUIET);
                assert_eq!(decided(5, branch, Phase::Reissued, Some(inside)), Decision::AccessOnly { confirm: true });
                assert_eq!(decided(5, branch, Phase::Confirmed, Some(inside)), QUIET);
            }
            for phase in [Phase::Fresh, Phase::Reissued, Phase::Confirmed] {
                for outside in [None, Some(END + 1), Some(EARLIEST - 1), Some(i64::MAX), Some(i64::MIN)] {
                    assert_eq!(decided(5, branch, phase, outside), Decision::Rotate);
                }
            }
        }
    }

    #[test]
    fn the_predecessor_is_reissued_until_the_reissue_was_seen() {
        for inside in [EARLIEST, 0, END] {
            assert_eq!(decided(4, OURS, Phase::Fresh, Some(inside)), QUIET);
            assert_eq!(decided(4, OURS, Phase::Confirmed, Some(inside)), QUIET);
        }
        for young in [EARLIEST, 0, QUARTER] {
            assert_eq!(decided(4, OURS, Phase::Reissued, Some(young)), Decision::Reissue { write: false });
        }
        for older in [QUARTER + 1, END] {
            assert_eq!(decided(4, OURS, Phase::Reissued, Some(older)), Decision::Reissue { write: true });
        }
        for outside in [END + 1, EARLIEST - 1] {
            assert_eq!(decided(4, OURS, Phase::Fresh, Some(outside)), Decision::Reissue { write: true });
            assert_eq!(decided(4, OURS, Phase::Reissued, Some(outside)), Decision::Reissue { write: true });
            assert_eq!(decided(4, OURS, Phase::Confirmed, Some(outside)), Decision::Theft);
        }
    }

    #[test]
    fn anything_older_is_theft_whenever_it_comes() {
        for age in [None, Some(EARLIEST - 1), Some(EARLIEST), Some(0), Some(END), Some(END + 1)] {
            for phase in [Phase::Fresh, Phase::Reissued, Phase::Confirmed] {
                assert_eq!(decided(4, OTHER, phase, age), Decision::Theft);
                assert_eq!(decided(3, OURS, phase, age), Decision::Theft);
                assert_eq!(decided(i64::MIN, OURS, phase, age), Decision::Theft);
            }
        }
    }

    #[test]
    fn a_later_generation_means_the_database_lost_commits() {
        for age in [None, Some(0), Some(END + 1)] {
            assert_eq!(decided(6, OTHER, Phase::Fresh, age), Decision::FastForward);
        }
    }

    #[test]
    fn after_a_fast_forward_every_branch_is_the_predecessor() {
        let state = State { generation: 5, previous_branch: None, phase: Phase::Fresh, age_micros: Some(0) };
        assert_eq!(decide(&Presented { generation: 4, branch: OTHER }, &state, GRACE), QUIET);
    }
}
