//! The security case of docs/security: every requirement of the standards has one row with one verdict, and what a row
//! names as its proof exists.

mod names;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::config::{bare, home, show};
pub use names::named_tests;
use names::{has_test, leads_somewhere, links};

/// The page about a standard, and the standard's requirements: a line each, with the level if there are levels, and
/// `documentation` where it is documents that are asked for.
const STANDARDS: [(&str, &str); 4] = [
    ("docs/security/asvs.md", include_str!("asvs.txt")),
    ("docs/security/rfc9700.md", include_str!("rfc9700.txt")),
    ("docs/security/rfc8725.md", include_str!("rfc8725.txt")),
    ("docs/security/nist.md", include_str!("nist.txt")),
];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The cells of every row of a page's tables, without their heads.
pub fn rows(page: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    let is_rule = |line: &str| line.starts_with("|---");
    let is_head = |at: usize| lines.get(at + 1).is_some_and(|next| is_rule(next));
    let bodies = lines.iter().enumerate().filter(|(at, line)| !is_rule(line) && !is_head(*at));
    bodies.map(|(_, line)| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// All that is wrong with a page as the account of a standard.
fn faults(page: &str, text: &str, requirements: &str) -> Vec<String> {
    let asked: Vec<Vec<&str>> = requirements.lines().map(|line| line.split(' ').collect()).collect();
    let rows = rows(text);
    let mut faults = Vec::new();
    let mut counts: BTreeMap<&str, usize> = asked.iter().map(|requirement| (requirement[0], 0)).collect();
    for row in &rows {
        let id = row[0];
        let Some(count) = counts.get_mut(id) else {
            faults.push(format!("{id}: the standard has no such requirement"));
            continue;
        };
        *count += 1;
        let requirement = asked.iter().find(|requirement| requirement[0] == id).expect("counted");
        faults.extend(row_faults(page, row, requirement).into_iter().map(|fault| format!("{id}: {fault}")));
    }
    faults.extend(counts.iter().filter(|(_, count)| **count != 1).map(|(id, count)| format!("{id}: {count} rows")));
    faults
}

fn row_faults(page: &str, row: &[&str], requirement: &[&str]) -> Vec<String> {
    let level = requirement.get(1).copied();
    let (verdict, about) = match (level, row) {
        (Some(level), [_, told, asks, verdict, about]) if *told == level && !asks.is_empty() => (*verdict, *about),
        (None, [_, asks, verdict, about]) if !asks.is_empty() => (*verdict, *about),
        _ => return vec![format!("the row is not of the table's form, or its level is wrong: {row:?}")],
    };
    let mut faults = Vec::new();
    let tests = named_tests(about);
    for (file, name) in tests.iter().filter(|(file, name)| !has_test(file, name)) {
        faults.push(format!("there is no test {file}::{name}"));
    }
    for address in links(about).filter(|address| !leads_somewhere(page, address)) {
        faults.push(format!("nothing is at {address}"));
    }
    let documented = requirement.get(2) == Some(&"documentation") && links(about).next().is_some();
    let filled = about.chars().filter(|c| c.is_alphabetic()).count() > 10;
    match verdict {
        "met" if tests.is_empty() && !documented => faults.push("met, and no test proves it".to_owned()),
        "not applicable" if !tests.is_empty() || !filled => faults.push("not applicable, and not why".to_owned()),
        "open" if !about.contains("Operator: ") || !filled => {
            faults.push("open, and not what an operator can do".to_owned());
        }
        "met" | "not applicable" | "open" => {}
        other => faults.push(format!("{other:?} is no verdict")),
    }
    faults
}

#[test]
fn every_requirement_has_one_row_with_one_verdict_and_its_proof() {
    for (page, requirements) in STANDARDS {
        let faults = faults(page, &read(page), requirements);
        assert!(faults.is_empty(), "{page}:\n{}", faults.join("\n"));
    }
}

#[test]
fn the_lists_of_requirements_are_whole() {
    let counts = STANDARDS.map(|(_, requirements)| requirements.lines().count());
    let levels = |level: &str| STANDARDS[0].1.lines().filter(|line| line.split(' ').nth(1) == Some(level)).count();
    // ASVS 5.0.0 has 70, 183 and 92 requirements; V5 (files) and V17 (WebRTC) have 4, 12 and 9 of them.
    assert_eq!([levels("1"), levels("2"), levels("3")], [70 - 4, 183 - 12, 92 - 9]);
    assert_eq!(counts[0], 320);
    assert_eq!(counts[2], 12, "RFC 8725, 3.1 to 3.12");
    for (page, requirements) in STANDARDS {
        let mut ids: Vec<&str> = requirements.lines().filter_map(|line| line.split(' ').next()).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{page}: one comes twice");
    }
}

#[test]
fn every_test_and_page_that_the_documentation_names_exists() {
    let mut pages = vec!["README.md".to_owned(), "SECURITY.md".to_owned(), "CONTRIBUTING.md".to_owned()];
    for directory in ["docs", "docs/security"] {
        let entries = fs::read_dir(root().join(directory)).expect("docs").map(|entry| entry.expect("an entry").path());
        let markdown = entries.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
        pages
            .extend(markdown.map(|path| path.strip_prefix(root()).expect("below").to_str().expect("UTF-8").to_owned()));
    }
    assert!(pages.len() > 10, "{pages:?}");
    let mut faults = Vec::new();
    for page in &pages {
        let text = read(page);
        let missing = named_tests(&text).into_iter().filter(|(file, name)| !has_test(file, name));
        faults.extend(missing.map(|(file, name)| format!("{page}: there is no test {file}::{name}")));
        let broken = links(&text).filter(|address| !leads_somewhere(page, address));
        faults.extend(broken.map(|address| format!("{page}: nothing is at {address}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_limits_of_sessions_that_the_case_names_are_the_defaults() {
    let page = read("docs/security.md");
    let (_, section) = page.split_once("\n## Sessions\n").expect("a section");
    let rows = rows(section.split("\n## ").next().expect("a text"));
    let shown = show(bare(&home()));
    let keys = ["tokens.access_ttl", "sessions.idle_timeout", "sessions.absolute_timeout", "sessions.max_per_user"];
    assert_eq!(rows.len(), keys.len());
    for (row, key) in rows.iter().zip(keys) {
        // "15 minutes" as "15m".
        let mut words = row[1].split(' ');
        let number = words.next().expect("a number");
        let unit = words.next().and_then(|unit| unit.get(..1)).unwrap_or_default();
        assert_eq!(format!("{number}{unit}"), shown[key].0, "{}: {key}", row[0]);
    }
}

#[test]
fn a_page_with_a_fault_is_found_out() {
    let page = "docs/security/asvs.md";
    let requirements = "V1.1.1 2\nV1.1.2 1\nV2.1.1 1 documentation";
    let proof = "`tests/it/security_case/mod.rs::a_page_with_a_fault_is_found_out`";
    let good = format!(
        "| requirement | level | asks | verdict | why |\n|---|---|---|---|---|\n\
         | V1.1.1 | 2 | decode once | met | {proof} |\n\
         | V1.1.2 | 1 | encode late | open | No time yet. Operator: waits. |\n\
         | V2.1.1 | 1 | rules are written | met | [Guessing](../operations.md#guessing) |\n"
    );
    assert_eq!(faults(page, &good, requirements), Vec::<String>::new());
    let told = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        faults(page, &good.replace(from, to), requirements).join("; ")
    };
    let row = "| V1.1.2 | 1 | encode late | open | No time yet. Operator: waits. |\n";
    for (from, to, expected) in [
        (row, "", "V1.1.2: 0 rows"),
        (row, &row.repeat(2), "V1.1.2: 2 rows"),
        (row, &format!("{row}| V9.9.9 | 1 | x | met | {proof} |\n"), "V9.9.9: the standard has no such"),
        ("| 2 | decode", "| 1 | decode", "its level is wrong"),
        ("decode once", "", "its level is wrong"),
        ("| met | `", "| `", "not of the table's form"),
        ("| met | `", "| mostly | `", "is no verdict"),
        ("| met | `", "| not applicable | `", "not applicable, and not why"),
        (proof, "surely", "no test proves it"),
        ("found_out`", "found_in`", "there is no test"),
        ("security_case/mod.rs::", "no_such_file.rs::", "there is no test"),
        (
            "tests/it/security_case/mod.rs::a_page_with_a_fault_is_found_out",
            "tests/it/security_case/mod.rs::faults",
            "there is no test",
        ),
        ("Operator: waits", "Somebody waits", "open, and not what"),
        ("operations.md#guessing", "operations.md#guessed", "nothing is at"),
        ("operations.md#guessing", "nowhere.md", "nothing is at"),
        ("[Guessing](../operations.md#guessing)", "see the code", "no test proves it"),
    ] {
        let found = told(from, to);
        assert!(found.contains(expected), "{to:?}: {found}");
    }
}
