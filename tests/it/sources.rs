//! What the sources hold nowhere: whole kinds of attack have nothing to get hold of.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The files of these endings below a directory, with their texts.
pub fn files(below: &str, endings: &[&str]) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(below)];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| endings.iter().any(|ending| extension == *ending)) {
                let text = fs::read_to_string(&path).expect("a text");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "nothing in {below}");
    found
}

/// Fails for every file that holds one of these words, but for the files named and those in the directories named.
fn nowhere(below: &str, ending: &str, words: &[&str], homes: &[&str]) {
    for (path, text) in files(below, &[ending]) {
        let at_home = homes.iter().any(|home| path.starts_with(root().join(below).join(home)));
        for word in words {
            assert!(at_home || !text.contains(word), "{} has {word:?}", path.display());
        }
    }
}

fn manifest() -> toml::Table {
    fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml").parse().expect("TOML")
}

#[test]
fn our_code_is_memory_safe_and_its_sums_do_not_wrap() {
    let manifest = manifest();
    for lint in ["as_conversions", "indexing_slicing", "unwrap_used", "panic"] {
        assert_eq!(manifest["lints"]["clippy"][lint].as_str(), Some("warn"), "{lint}");
    }
    assert_eq!(manifest["profile"]["release"]["package"]["tacit"]["overflow-checks"].as_bool(), Some(true));
    assert!(manifest["profile"]["release"].get("panic").is_none(), "a panic must not end the process");
    nowhere("src", "rs", &["unsafe {", "unsafe fn", "wrapping_add", "wrapping_sub", "from_utf8_unchecked"], &[]);
}

#[test]
fn nothing_runs_another_program_or_calls_another_service() {
    nowhere("src", "rs", &["process::Command", "Command::new", "std::process::Command"], &[]);
    // Two commands ask: `tacit healthcheck` the service's own listener, `tacit doctor` the gateway that an operator names.
    nowhere("src", "rs", &["ureq"], &["cli/healthcheck.rs", "cli/doctor"]);
    nowhere("src", "rs", &["TcpStream", "UdpSocket", "ToSocketAddrs", "lookup_host"], &[]);
    let manifest = manifest();
    let dependencies = manifest["dependencies"].as_table().expect("dependencies");
    for client in ["reqwest", "hyper", "awc", "isahc", "curl", "redis", "ldap3", "regex", "minijinja", "tera"] {
        assert!(!dependencies.contains_key(client), "{client}");
    }
}

#[test]
fn scripts_of_the_pages_make_no_markup_of_texts_and_store_nothing() {
    let words = [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "new Function",
        "localStorage",
        "sessionStorage",
        "indexedDB",
        "document.cookie",
        "postMessage",
        "window.",
        "\"message\"",
    ];
    nowhere("src/routers/pages/assets", "js", &words, &[]);
    for (path, text) in files("src/routers/pages/assets", &["js"]) {
        assert!(text.contains("\"use strict\";\n(() => {"), "{} leaves names in the page", path.display());
        assert!(!text.contains("http://") && !text.contains("https://"), "{} names another host", path.display());
    }
    // What maud does not escape is marked with this.
    nowhere("src", "rs", &["PreEscaped"], &[]);
}

#[test]
fn queries_are_built_from_no_text() {
    // Statements of ours are constants; what a request brings is bound to them.
    nowhere(
        "src",
        "rs",
        &["sql_query(format", "sql_query(&", "batch_execute(&format", "dsl::sql"],
        &["models/connection.rs"],
    );
    nowhere("src/models", "rs", &["push_str", ".concat("], &[]);
}
