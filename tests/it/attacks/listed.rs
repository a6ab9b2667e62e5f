//! The list of attacks in docs/attacks.md names tests that exist.

use crate::security_case::{named_tests, read, rows};

#[test]
fn every_attack_of_the_list_has_a_test_and_each_is_named_with_its_file() {
    let list = read("docs/attacks.md");
    let rows = rows(&list);
    assert!(rows.len() > 60, "{}", rows.len());
    for row in rows {
        let [attack, tests] = row.as_slice() else { panic!("not an attack and its tests: {row:?}") };
        let named = named_tests(tests).len();
        assert!(named > 0 && named == tests.matches('`').count() / 2, "{attack}: {tests}");
    }
}
