//! The rules, each broken in turn: every cell of the table answered in every other way, each boundary moved, each condition
//! and assignment of a statement left out.

use tacit::services::refresh::decision::{self, Decision, State};

use super::row::{Cell, Clause, Decide, Rules, When, Who};

pub struct Mutant {
    pub name: String,
    pub rules: Rules,
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

/// Every other answer in the cells of these.
pub fn cells(of: [Who; 2]) -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for who in of {
        for phase in 0..=2 {
            for when in [When::Young, When::Inside, When::Outside] {
                let cell = Cell { who, phase, when };
                for instead in DECISIONS.into_iter().filter(|&instead| instead != as_written(cell)) {
                    let rules = Rules { instead: Some((cell, instead)), ..Rules::OURS };
                    mutants.push(Mutant { name: format!("{cell:?} answers {instead:?}"), rules });
                }
            }
        }
    }
    mutants
}

/// The table of docs/protocol.md, written down once more.
pub fn as_written(cell: Cell) -> Decision {
    let quiet = Decision::AccessOnly { confirm: false };
    match (cell.who, cell.phase, cell.when) {
        (Who::Current, _, When::Outside) => Decision::Rotate,
        (Who::Current, phase, _) => Decision::AccessOnly { confirm: phase == 1 },
        (Who::Predecessor, 0 | 1, When::Outside) | (Who::Predecessor, 1, When::Inside) => {
            Decision::Reissue { write: true }
        }
        (Who::Predecessor, 1, When::Young) => Decision::Reissue { write: false },
        (Who::Predecessor, 2, When::Outside) | (Who::Older, _, _) => Decision::Theft,
        (Who::Predecessor, _, _) => quiet,
        (Who::Later, _, _) => Decision::FastForward,
    }
}

/// The row as `decide` would see it if a boundary lay elsewhere.
fn aged(state: &State, from: i64, to: i64) -> State {
    State {
        age_micros: state.age_micros.map(|age| if age == from * 1_000_000 { to * 1_000_000 } else { age }),
        ..state.clone()
    }
}

pub fn boundaries() -> Vec<Mutant> {
    let decides: [(&str, Decide); 6] = [
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
    decides
        .into_iter()
        .map(|(name, decide)| Mutant { name: name.to_owned(), rules: Rules { decide, ..Rules::OURS } })
        .collect()
}

pub fn clauses() -> Vec<Mutant> {
    Clause::ALL
        .into_iter()
        .map(|clause| Mutant {
            name: format!("without {clause:?}"),
            rules: Rules { without: Some(clause), ..Rules::OURS },
        })
        .collect()
}
