//! Breaks every rule in turn: each cell of the table answered in every other way, each boundary moved, each condition and
//! assignment of a statement left out. Some property must notice each of them.

use std::time::Duration;

use tacit::services::refresh::decision::{self, Decision, Phase, Presented, State};

use super::promises::Promise;
use super::row::{Cell, Clause, Rules, When, Who};
use super::search::explore;
use super::thief::{Chase, Served};
use super::world::Setting;

struct Mutant {
    name: String,
    rules: Rules,
}

const DECISIONS: [Decision; 7] = [
    Decision::AccessOnly { confirm: false },
    Decision::AccessOnly { confirm: true },
    Decision::Rotate,
    Decision::Reissue { write: true },
    Decision::Reissue { write: false },
    Decision::FastForward,
    Decision::Theft,
];

fn cells() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for who in [Who::Current, Who::Predecessor, Who::Older, Who::Later] {
        for phase in 0..=2 {
            for when in [When::Young, When::Inside, When::Outside] {
                let cell = Cell { who, phase, when };
                for instead in DECISIONS.into_iter().filter(|&instead| instead != ours(cell)) {
                    let rules = Rules { instead: Some((cell, instead)), ..Rules::OURS };
                    mutants.push(Mutant { name: format!("{cell:?} answers {instead:?}"), rules });
                }
            }
        }
    }
    mutants
}

/// What production answers in a cell.
fn ours(cell: Cell) -> Decision {
    let generation = match cell.who {
        Who::Current => 5,
        Who::Predecessor => 4,
        Who::Older => 3,
        Who::Later => 6,
    };
    let age_micros = match cell.when {
        When::Young => Some(0),
        When::Inside => Some(2_000_000),
        When::Outside => None,
    };
    let phase = Phase::from_column(i16::from(cell.phase));
    let state = State { generation: 5, previous_branch: Some([1; 8]), phase, age_micros };
    decision::decide(&Presented { generation, branch: [1; 8] }, &state, Duration::from_secs(4))
}

/// The row as `decide` would see it if a boundary lay elsewhere.
fn aged(state: &State, from: i64, to: i64) -> State {
    State { age_micros: state.age_micros.map(|age| if age == from * 1_000_000 { to * 1_000_000 } else { age }), ..state.clone() }
}

fn boundaries() -> Vec<Mutant> {
    let decides: [(&str, super::row::Decide); 6] = [
        ("the window ends a tick early", |p, s, g| decision::decide(p, &aged(s, 4, 5), g)),
        ("the window ends a tick late", |p, s, g| decision::decide(p, &aged(s, 5, 4), g)),
        ("the quarter ends a tick early", |p, s, g| decision::decide(p, &aged(s, 1, 2), g)),
        ("the quarter ends a tick late", |p, s, g| decision::decide(p, &aged(s, 2, 1), g)),
        ("every branch is the predecessor", |p, s, g| {
            decision::decide(p, &State { previous_branch: None, ..s.clone() }, g)
        }),
        ("after a fast-forward no branch is the predecessor", |p, s, g| {
            let previous_branch = Some(s.previous_branch.unwrap_or([255; 8]));
            decision::decide(p, &State { previous_branch, ..s.clone() }, g)
        }),
    ];
    decides.into_iter().map(|(name, decide)| Mutant { name: name.to_owned(), rules: Rules { decide, ..Rules::OURS } }).collect()
}

fn clauses() -> Vec<Mutant> {
    Clause::ALL
        .into_iter()
        .map(|clause| Mutant { name: format!("without {clause:?}"), rules: Rules { without: Some(clause), ..Rules::OURS } })
        .collect()
}

const FOUND_IN: u32 = 4 * 30;

/// The first property that these rules break.
fn noticed_by(rules: Rules) -> Option<String> {
    let world = |name: &str, setting: Setting, but: &[Promise]| {
        let watched: Vec<Promise> = Promise::ALL.into_iter().filter(|promise| !but.contains(promise)).collect();
        let found = explore(&setting.with_rules(rules), &watched, usize::MAX);
        let broken = found.broken.iter().map(|broken| broken.promise).find(|promise| watched.contains(promise))?;
        Some(format!("{broken:?} ({name})"))
    };
    let timed = Setting::timed(4, 1, 1, 1);
    world("sound timing", timed, &[])
        .or_else(|| world("sound timing, a logout", Setting { logout: true, ..timed }, &[]))
        .or_else(|| {
            let setting = Setting { queue: None, logout: true, requests: 2, ..timed };
            world("any timing", setting, &[Promise::HonestSessionLives, Promise::AlwaysAnswered])
        })
        .or_else(|| {
            let waiting = Setting { waits_for_the_row: true, ..Setting::timed(4, 2, 1, 0) };
            world("statements that wait for the row", waiting, &[])
        })
        .or_else(|| world("lost commits", Setting { lost_commits_below: Some(4), requests: 2, ..timed }, &[]))
        .or_else(|| {
            let outside = Setting::timed(4, 1, 1, 2).with_rules(rules);
            let exact = explore(&outside, &[Promise::HonestSessionLives], usize::MAX).breaks(Promise::HonestSessionLives);
            (!exact).then(|| "the soundness condition is exact".to_owned())
        })
        .or_else(|| {
            let chase = Chase { rules, grace: 4, access: 30, ..Chase::ours() };
            match chase.longest().0 {
                Served::ForEver => Some("a thief is found (he never is)".to_owned()),
                Served::Until(ticks) => {
                    ticks.filter(|&ticks| ticks > FOUND_IN).map(|ticks| format!("a thief is found in time ({ticks} ticks)"))
                }
            }
        })
}

#[test]
fn tmp_mut() {
    let start = std::time::Instant::now();
    assert_eq!(noticed_by(Rules::OURS), None);
    println!("ours {:?}", start.elapsed());
    let mut survivors = 0;
    for mutant in clauses().into_iter().chain(boundaries()).chain(cells()) {
        let by = noticed_by(mutant.rules);
        survivors += usize::from(by.is_none());
        println!("{}: {}", mutant.name, by.unwrap_or_else(|| "SURVIVES".to_owned()));
    }
    println!("{survivors} {:?}", start.elapsed());
}
