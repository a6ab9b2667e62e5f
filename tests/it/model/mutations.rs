//! Every rule is needed: some property notices each of the mutants in `mutants.rs`.

use super::hunt::Chase;
use super::mutants::{Mutant, as_written, boundaries, cells, clauses};
use super::promises::Promise;
use super::row::{Row, Rules, Who};
use super::search::explore;
use super::thief::Served;
use super::world::Setting;

/// The bound that thief.rs proves: four intervals of the victim, here of 30 ticks.
const FOUND_IN: u32 = 4 * 30;

type Trial = (&'static str, fn(Rules) -> Option<String>);

/// The first of these promises that a search of this world sees broken.
fn broken_in(setting: Setting, rules: Rules, watched: &[Promise]) -> Option<String> {
    let found = explore(&setting.with_rules(rules), watched, usize::MAX);
    found.broken.iter().map(|broken| broken.promise).find(|promise| watched.contains(promise)).map(|p| format!("{p:?}"))
}

const TRIALS: [Trial; 14] = [
    ("sound timing", |rules| broken_in(Setting { requests: 2, ..sound() }, rules, &Promise::ALL)),
    ("any timing", |rules| broken_in(any_timing(), rules, &Promise::WHATEVER_THE_TIMING)),
    ("a thief", |rules| {
        let chase = Chase { rules, grace: 4, access: 30, ..Chase::ours() };
        match chase.longest().0 {
            Served::ForEver => Some("ThiefIsFound (never)".to_owned()),
            Served::Until(None) => None,
            Served::Until(Some(ticks)) => {
                (ticks > FOUND_IN).then(|| format!("ThiefIsFound (after {ticks} ticks only)"))
            }
        }
    }),
    ("one tick more than sound", |rules| {
        let outside = Setting::timed(4, 1, 1, 2).with_rules(rules);
        let found = explore(&outside, &[Promise::HonestSessionLives], usize::MAX);
        (!found.breaks(Promise::HonestSessionLives)).then(|| "ConditionIsExact".to_owned())
    }),
    ("lost commits", |rules| broken_in(lost_commits(), rules, &Promise::ALL)),
    ("sound timing, three requests", |rules| broken_in(sound(), rules, &Promise::ALL)),
    ("a logout", |rules| {
        broken_in(Setting { logout: true, requests: 2, ..Setting::timed(8, 1, 2, 1) }, rules, &Promise::ALL)
    }),
    ("a logout, any timing", |rules| {
        broken_in(Setting { logout: true, ..any_timing() }, rules, &Promise::WHATEVER_THE_TIMING)
    }),
    ("no re-read left", |rules| broken_in(Setting { rereads: 0, ..sound() }, rules, &Promise::ALL)),
    ("statements that wait for the row", |rules| {
        broken_in(Setting { waits_for_the_row: true, ..Setting::timed(4, 2, 1, 0) }, rules, &Promise::ALL)
    }),
    ("a client with a store", |rules| broken_in(Setting { echo: true, ..sound() }, rules, &Promise::ALL)),
    ("lost commits, a logout", |rules| broken_in(Setting { logout: true, ..lost_commits() }, rules, &Promise::ALL)),
    ("lost commits, any timing", |rules| {
        broken_in(Setting { queue: None, ..lost_commits() }, rules, &[Promise::RowCatchesUp])
    }),
    ("the table as it is written", |rules| {
        Row::first_difference(rules, as_written).map(|cell| format!("{cell:?} differs"))
    }),
];

fn sound() -> Setting {
    Setting::timed(4, 1, 1, 1)
}

fn any_timing() -> Setting {
    Setting { queue: None, requests: 2, ..sound() }
}

fn lost_commits() -> Setting {
    Setting { lost_commits_below: Some(4), requests: 2, ..sound() }
}

/// The first property that these rules break, and where.
fn noticed_by(rules: Rules) -> Option<String> {
    // Without lost commits there are no tokens of a later generation.
    let later = rules.instead.is_some_and(|(cell, _)| cell.who == Who::Later);
    let worth_it = |place: &str| !later || place.contains("lost commits") || place.contains("written");
    TRIALS
        .iter()
        .filter(|(place, _)| worth_it(place))
        .find_map(|(place, trial)| trial(rules).map(|property| format!("{property}, with {place}")))
}

fn assert_noticed(mutants: Vec<Mutant>) {
    for mutant in &mutants {
        let by = noticed_by(mutant.rules);
        println!("{}: {}", mutant.name, by.as_deref().unwrap_or("nobody notices"));
        assert!(by.is_some(), "nobody notices the mutant: {}", mutant.name);
    }
    println!("{} mutants, all noticed", mutants.len());
}

#[test]
fn the_rules_themselves_break_no_property() {
    assert_eq!(noticed_by(Rules::OURS), None);
}

#[test]
fn every_condition_assignment_and_boundary_is_needed() {
    assert_noticed(clauses().into_iter().chain(boundaries()).collect());
}

#[test]
fn every_cell_for_the_current_token_and_the_predecessor_is_needed() {
    assert_noticed(cells([Who::Current, Who::Predecessor]));
}

#[test]
fn every_cell_for_older_and_later_tokens_is_needed() {
    assert_noticed(cells([Who::Older, Who::Later]));
}
