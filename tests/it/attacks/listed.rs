//! The list of attacks in docs/attacks.md names tests that exist.

use std::path::Path;

use crate::sources::files;

#[test]
fn every_test_that_the_list_of_attacks_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = std::fs::read_to_string(root.join("docs/attacks.md")).unwrap();
    let directories = ["tests/it", "tests/browser", "tests/gateways", "src"];
    let tests: String =
        directories.iter().flat_map(|below| files(below, &["rs", "mjs"])).map(|(_, text)| text).collect();
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
