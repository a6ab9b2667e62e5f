//! The list of attacks in docs/attacks.md names tests that exist.

use std::path::{Path, PathBuf};

fn sources(directory: &Path, into: &mut String) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|kind| kind == "rs" || kind == "mjs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_test_that_the_list_of_attacks_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("docs/attacks.md")).unwrap();
    let mut tests = String::new();
    for directory in ["tests/it", "tests/browser", "tests/gateways", "src"] {
        sources(&root.join(directory), &mut tests);
    }
    let rows: Vec<&str> = list.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| attack")).collect();
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let names: Vec<&str> = row.rsplit('|').nth(1).unwrap().split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "no test: {row}");
        for name in names {
            let exists = tests.contains(&format!("fn {name}()"))
                || tests.contains(&format!("test(\"{name}"))
                || tests.contains(&format!("test(`{name}"));
            assert!(exists, "docs/attacks.md names {name}, which no test is called");
        }
    }
}
