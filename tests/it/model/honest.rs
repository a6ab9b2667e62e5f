//! What holds for an honest browser, whatever is late, lost or reordered.

use super::promises::Promise;
use super::search::{Found, explore};
use super::world::Setting;

/// Whether to explore what takes minutes.
fn deep() -> bool {
    std::env::var_os("TACIT_MODEL_DEEP").is_some()
}

/// Every way to spend this many ticks on D, EMIT and the transit.
fn splits(sum: u8) -> Vec<(u8, u8, u8)> {
    (0..=sum).flat_map(|queue| (0..=sum - queue).map(move |emit| (queue, emit, sum - queue - emit))).collect()
}

/// GRACE in ticks, and how many requests are on their way at a time.
fn sizes() -> Vec<(i8, usize)> {
    let mut sizes = vec![(4, 3), (8, 2)];
    if deep() {
        sizes.extend([(4, 4), (8, 3), (12, 2)]);
    }
    sizes
}

fn holds(name: &str, setting: Setting) -> Found {
    let found = explore(&setting, &Promise::ALL, usize::MAX);
    println!("{name}: {found}");
    assert!(found.complete && found.broken.is_empty(), "{name}: {found}");
    found
}

fn ends_an_honest_session(name: &str, setting: Setting) {
    let found = explore(&setting, &[Promise::HonestSessionLives], usize::MAX);
    println!("{name}: {found}");
    assert!(found.breaks(Promise::HonestSessionLives), "{name}: no honest session ends");
}

#[test]
fn within_the_soundness_condition_no_honest_run_ends_in_a_revocation() {
    for (grace, requests) in sizes() {
        let mut states = 0;
        for sum in 0..=u8::try_from(grace * 3 / 4).unwrap() {
            for (queue, emit, transit) in splits(sum) {
                let setting = Setting { requests, ..Setting::timed(grace, queue, emit, transit) };
                states += holds(&format!("D {queue}, EMIT {emit}, transit {transit}"), setting).states;
            }
        }
        println!("GRACE {grace}, {requests} requests: {states} states");
    }
}

#[test]
fn four_requests_at_a_time_end_no_honest_session_either() {
    for (queue, emit, transit) in [(0, 1, 2), (1, 1, 1), (2, 1, 0)] {
        holds("four requests", Setting { requests: 4, ..Setting::timed(4, queue, emit, transit) });
    }
}

#[test]
fn a_client_that_stores_its_tokens_itself_is_not_signed_out_either() {
    for (queue, emit, transit) in splits(3) {
        holds("a client with a store", Setting { echo: true, ..Setting::timed(4, queue, emit, transit) });
    }
    let requests = if deep() { 3 } else { 2 };
    for (queue, emit, transit) in splits(6) {
        holds("a client with a store", Setting { echo: true, requests, ..Setting::timed(8, queue, emit, transit) });
    }
}

#[test]
fn one_tick_outside_the_condition_some_honest_run_ends_however_the_delay_is_split() {
    for grace in [4, 8, 12] {
        for (queue, emit, transit) in splits(u8::try_from(grace * 3 / 4 + 1).unwrap()) {
            let setting = Setting { requests: 2, ..Setting::timed(grace, queue, emit, transit) };
            ends_an_honest_session(&format!("GRACE {grace}: D {queue}, EMIT {emit}, transit {transit}"), setting);
        }
    }
}

#[test]
fn whatever_the_timing_generations_rise_replays_are_found_and_an_ended_session_stays_ended() {
    let requests = if deep() { 3 } else { 2 };
    let setting = Setting { queue: None, logout: true, requests, ..Setting::timed(4, 1, 1, 1) };
    let found = explore(&setting, &Promise::WHATEVER_THE_TIMING, usize::MAX);
    println!("{found}");
    assert!(found.complete && !Promise::WHATEVER_THE_TIMING.iter().any(|&promise| found.breaks(promise)), "{found}");
}

#[test]
fn a_logout_is_never_undone_by_any_interleaving() {
    for (queue, emit, transit) in splits(3) {
        holds("a logout", Setting { logout: true, ..Setting::timed(4, queue, emit, transit) });
    }
    holds("slow handlers", Setting { logout: true, requests: 2, ..Setting::timed(8, 1, 3, 2) });
}

#[test]
fn a_statement_that_waits_for_the_row_ends_no_honest_session() {
    for (queue, emit, transit) in splits(3) {
        holds("waiting", Setting { waits_for_the_row: true, ..Setting::timed(4, queue, emit, transit) });
    }
}

#[test]
fn a_clock_that_is_set_back_ends_no_honest_session() {
    for step in [-8, -4, -1] {
        holds("set back", Setting { clock_step: step, ..Setting::timed(4, 1, 1, 1) });
    }
}

#[test]
fn a_clock_that_jumps_ahead_counts_like_a_delay() {
    holds("sound with the jump", Setting { clock_step: 1, ..Setting::timed(4, 1, 1, 0) });
    ends_an_honest_session("one tick more", Setting { clock_step: 1, ..Setting::timed(4, 1, 1, 1) });
}

#[test]
fn rotations_that_the_database_loses_end_no_honest_session() {
    for (queue, emit, transit) in splits(3) {
        let lost = Setting { lost_commits_below: Some(4), requests: 2, ..Setting::timed(4, queue, emit, transit) };
        holds("lost rotations", lost);
        if deep() {
            holds("lost rotations, three requests", Setting { requests: 3, ..lost });
        }
    }
}

/// A limit, not a promise: docs/protocol.md names it.
#[test]
fn a_reissue_that_the_database_loses_while_requests_are_on_their_way_can_end_one() {
    let lost = Setting { lost_commits_below: Some(4), loses_reissues: true, requests: 2, ..Setting::timed(4, 1, 1, 1) };
    ends_an_honest_session("a lost reissue", lost);
}
