//! What a page names: tests, pages and headings, and whether they are there.

use std::fs;
use std::path::{Path, PathBuf};

use super::root;

/// The texts between backticks that name a test, like `tests/it/me.rs::a_sentence`.
pub fn named_tests(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter(|name| name.starts_with("tests/") || name.starts_with("src/"))
        .filter_map(|name| name.split_once("::"))
        .collect()
}

/// The addresses of links, like `../operations.md#guessing`.
pub fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(address, _)| address)
}

/// Whether a file has a test of that name that is run: a function below an attribute, a method of Python, a title of
/// the browser's.
pub fn has_test(file: &str, name: &str) -> bool {
    let Ok(text) = fs::read_to_string(root().join(file)) else { return false };
    if let Some(module) = file.strip_suffix(".rs") {
        return is_compiled(module) && has_rust_test(&text, name);
    }
    let file = Path::new(file).file_name().and_then(|name| name.to_str()).unwrap_or_default();
    match file.split_once('.') {
        Some((stem, "py")) => {
            stem.starts_with("test_") && name.starts_with("test_") && text.contains(&format!("    def {name}(self"))
        }
        Some((_, "test.mjs")) => {
            [format!("test(\"{name}\","), format!("test(`{name}`,")].iter().any(|begin| text.contains(begin.as_str()))
        }
        _ => false,
    }
}

fn has_rust_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_function = |line: &str| {
        let line = line.trim_start_matches("pub ").trim_start_matches("async ");
        line.strip_prefix("fn ").and_then(|rest| rest.strip_prefix(name)).is_some_and(|rest| rest.starts_with('('))
    };
    let attributes = |at: usize| lines.iter().take(at).rev().take_while(|line| line.starts_with("#["));
    let is_run = |at: usize| {
        attributes(at).any(|line| line.ends_with("test]") || line.contains("::test("))
            && !attributes(at).any(|line| line.contains("ignore"))
    };
    lines.iter().enumerate().any(|(at, line)| is_function(line) && is_run(at))
}

/// Whether a module, like `tests/it/pages/forms`, is declared by the one above it, and so on up to the top.
fn is_compiled(module: &str) -> bool {
    let Some((directory, name)) = module.rsplit_once('/') else { return false };
    match name {
        "main" | "lib" => true,
        "mod" => is_compiled(directory),
        _ => {
            let declared = |parent: &str| {
                let text = fs::read_to_string(root().join(format!("{parent}.rs"))).unwrap_or_default();
                text.lines().any(|line| {
                    line.trim_start_matches("pub ").trim_start_matches("(crate) ") == format!("mod {name};")
                })
            };
            let tops = ["main", "lib"].map(|top| format!("{directory}/{top}"));
            tops.iter().any(|top| declared(top))
                || [format!("{directory}/mod"), directory.to_owned()]
                    .iter()
                    .any(|parent| declared(parent) && is_compiled(parent))
        }
    }
}

/// What a heading is called in an address.
fn anchor(heading: &str) -> String {
    let kept = heading
        .trim()
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c))
        .collect::<String>();
    kept.replace(' ', "-")
}

/// Whether a link of a page leads somewhere; other hosts are not asked.
pub fn leads_somewhere(page: &str, address: &str) -> bool {
    if address.contains("://") || address.starts_with("mailto:") {
        return true;
    }
    let (path, fragment) = address.split_once('#').unwrap_or((address, ""));
    let here = root().join(page);
    let target: PathBuf = if path.is_empty() { here } else { here.parent().expect("a directory").join(path) };
    if fragment.is_empty() {
        return target.exists();
    }
    let Ok(text) = fs::read_to_string(target) else { return false };
    text.lines().filter(|line| line.starts_with('#')).any(|line| anchor(line.trim_start_matches('#')) == fragment)
}

#[test]
fn tests_of_every_language_are_found_by_their_names() {
    for (file, name) in [
        ("tests/it/matrix.rs", "every_route_lets_in_whom_the_table_names_and_nobody_else"),
        ("src/types/username.rs", "names_that_deceive_are_refused"),
        ("tests/clients/test_pyjwt.py", "test_a_token_verifies_offline"),
        (
            "tests/browser/attacks.test.mjs",
            "scripts that get into a page are not run: neither inline nor from elsewhere",
        ),
    ] {
        assert!(has_test(file, name), "{file}::{name}");
        assert!(!has_test(file, &name[..name.len() - 1]), "{file}: a part of a name is none");
    }
    assert!(!has_test("tests/it/security_case/mod.rs", "read"), "a function is no test");
    let skipped = "#[tokio::test]\n#[ignore]\nasync fn a_test() {}";
    assert!(!has_rust_test(skipped, "a_test") && has_rust_test(&skipped.replace("#[ignore]\n", ""), "a_test"));
    assert!(is_compiled("tests/it/pages/forms") && is_compiled("src/routers/pages/texts/mod"));
    assert!(!is_compiled("tests/it/pages/form") && !is_compiled("examples/spa/pages"));
    assert_eq!(anchor(" Rotating secrets, and `kid`"), "rotating-secrets-and-kid");
}
