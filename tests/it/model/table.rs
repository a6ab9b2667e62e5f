//! What the decision table promises for every input, not only for those that a run of the model meets.

use std::time::Duration;

use proptest::prelude::*;
use tacit::services::refresh::decision::{Decision, FUTURE_TOLERANCE, Phase, Presented, State, decide};

use super::mutants::as_written;
use super::row::{Row, Rules};

fn states() -> impl Strategy<Value = State> {
    let generation = prop_oneof![Just(i64::MIN), Just(i64::MAX), -3..10_i64, any::<i64>()];
    let branch = prop::option::of((0..3_u8).prop_map(|branch| [branch; 8]));
    let phase = prop_oneof![Just(Phase::Fresh), Just(Phase::Reissued), Just(Phase::Confirmed)];
    let age =
        prop::option::of(prop_oneof![Just(i64::MIN), Just(i64::MAX), -400_000_000..400_000_000_i64, any::<i64>()]);
    (generation, branch, phase, age).prop_map(|(generation, previous_branch, phase, age_micros)| State {
        generation,
        previous_branch,
        phase,
        age_micros,
    })
}

fn cases() -> impl Strategy<Value = (Presented, State, Duration)> {
    let near = prop_oneof![Just(-2_i64), Just(-1), Just(0), Just(1), any::<i64>()];
    let grace = prop_oneof![Just(Duration::ZERO), Just(Duration::MAX), (0..600_u64).prop_map(Duration::from_secs)];
    (states(), near, 0..3_u8, grace).prop_map(|(state, near, branch, grace)| {
        let generation = state.generation.saturating_add(near);
        (Presented { generation, branch: [branch; 8] }, state, grace)
    })
}

fn at(state: &State, age_micros: Option<i64>) -> State {
    State { age_micros, ..state.clone() }
}

#[test]
fn production_answers_as_the_table_is_written() {
    assert_eq!(Row::first_difference(Rules::OURS, as_written), None);
}

proptest! {
    #[test]
    fn every_input_has_an_answer((presented, state, grace) in cases()) {
        decide(&presented, &state, grace);
    }

    #[test]
    fn only_a_token_behind_the_row_is_theft_and_only_one_ahead_of_it_makes_it_catch_up((presented, state, grace) in cases()) {
        let decision = decide(&presented, &state, grace);
        prop_assert_eq!(decision == Decision::FastForward, presented.generation > state.generation);
        if decision == Decision::Theft {
            prop_assert!(presented.generation < state.generation);
        }
    }

    #[test]
    fn a_replay_is_theft_at_every_age((presented, state, grace) in cases(), age in prop::option::of(any::<i64>())) {
        let older = i128::from(presented.generation) + 1 < i128::from(state.generation);
        prop_assume!(older);
        prop_assert_eq!(decide(&presented, &at(&state, age), grace), Decision::Theft);
    }

    #[test]
    fn only_differences_between_generations_count((presented, state, grace) in cases(), by in -1_000_000..1_000_000_i64) {
        let moved = (presented.generation.checked_add(by), state.generation.checked_add(by));
        if let (Some(token), Some(row)) = moved {
            let there = State { generation: row, ..state.clone() };
            let token = Presented { generation: token, branch: presented.branch };
            prop_assert_eq!(decide(&token, &there, grace), decide(&presented, &state, grace));
        }
    }

    #[test]
    fn the_branch_of_a_current_token_does_not_matter((presented, state, grace) in cases(), branch in any::<[u8; 8]>()) {
        let current = |branch| Presented { generation: state.generation, branch };
        prop_assert_eq!(decide(&current(branch), &state, grace), decide(&current(presented.branch), &state, grace));
    }

    #[test]
    fn a_window_that_has_closed_stays_closed((presented, state, grace) in cases(), later in 0..i64::MAX) {
        let Some(age) = state.age_micros else { return Ok(()) };
        let Some(later) = age.checked_add(later) else { return Ok(()) };
        let closed = i128::from(age) > i128::try_from(grace.as_micros()).unwrap_or(i128::MAX);
        prop_assume!(closed);
        prop_assert_eq!(decide(&presented, &at(&state, Some(later)), grace), decide(&presented, &state, grace));
    }

    #[test]
    fn a_longer_grace_never_turns_an_answer_into_theft((presented, state, grace) in cases(), more in 0..600_u64) {
        let longer = grace.saturating_add(Duration::from_secs(more));
        if decide(&presented, &state, longer) == Decision::Theft {
            prop_assert_eq!(decide(&presented, &state, grace), Decision::Theft);
        }
    }

    #[test]
    fn a_clock_that_was_set_back_too_far_opens_no_window((presented, state, grace) in cases(), far in 1..i64::MAX / 2) {
        let tolerance = i64::try_from(FUTURE_TOLERANCE.as_micros()).unwrap();
        let Some(age) = (-tolerance).checked_sub(far) else { return Ok(()) };
        prop_assert_eq!(decide(&presented, &at(&state, Some(age)), grace), decide(&presented, &at(&state, None), grace));
    }
}
