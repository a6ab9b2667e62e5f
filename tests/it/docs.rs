//! Lists that could rot: what the documentation names is compared with what the code knows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The string literals of a source, without its comments.
fn literals(source: &str) -> BTreeSet<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Every code of a problem document and of OAuth's errors.
fn error_codes() -> BTreeSet<String> {
    // Fields of requests, and a part of a media type.
    const OTHERS: [&str; 4] = ["email", "json", "password", "username"];
    let mut codes = literals(&read("src/routers/respond.rs"));
    codes.retain(|literal| is_word(literal) && !OTHERS.contains(&literal.as_str()));
    let oauth = ["token", "client", "about_token", "introspect", "revoke"]
        .map(|name| literals(&read(&format!("src/routers/{name}.rs"))));
    codes.extend(oauth.into_iter().flatten().filter(|literal| {
        ["invalid_", "unsupported_", "unauthorized_"].iter().any(|begin| literal.starts_with(begin)) && is_word(literal)
    }));
    codes
}

/// Every metric with its labels: in the source these are the words that follow its name.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let source = read("src/app/metrics.rs");
    let made = source.split("pub fn render").next().unwrap_or_default();
    let mut metrics: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut name = "";
    for word in made.split('"').skip(1).step_by(2).filter(|literal| is_word(literal)) {
        if word.starts_with("tacit_") {
            name = word;
            metrics.entry(name.to_owned()).or_default();
        } else {
            metrics.get_mut(name).expect("a metric").insert(word.to_owned());
        }
    }
    metrics
}

/// The words in backticks.
fn words(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn missing(names: &BTreeSet<String>, page: &str) -> Vec<String> {
    names.iter().filter(|name| !page.contains(&format!("`{name}`"))).cloned().collect()
}

#[test]
fn the_codes_are_found_in_the_source() {
    let codes = error_codes();
    for code in [
        "not_authenticated",
        "invalid_credentials",
        "invalid_token",
        "token_expired",
        "session_expired",
        "session_unknown",
        "user_disabled",
        "token_reuse",
        "session_revoked",
        "session_superseded",
        "session_limit",
        "username_taken",
        "email_taken",
        "weak_password",
        "cross_site",
        "overloaded",
        "database_unavailable",
        "invalid_client",
        "unauthorized_client",
        "invalid_grant",
        "unsupported_grant_type",
        "method_not_allowed",
        "temporarily_unavailable",
        "internal_error",
        "conflict",
    ] {
        assert!(codes.contains(code), "{code}");
    }
    let page = "`conflict` stands here";
    assert!(!missing(&codes, page).contains(&"conflict".to_owned()));
    assert!(missing(&codes, page).contains(&"overloaded".to_owned()));
}

#[test]
fn every_error_code_is_documented() {
    assert_eq!(missing(&error_codes(), &read("docs/api-design.md")), Vec::<String>::new(), "docs/api-design.md");
}

#[test]
fn the_metrics_and_their_labels_are_those_of_the_documentation() {
    let page = read("docs/operations.md");
    let rows = page.lines().filter(|line| line.starts_with("| `tacit_"));
    let documented: BTreeMap<String, BTreeSet<String>> = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').collect();
            (words(cells[1]).pop_first().expect("a name"), words(cells[3]))
        })
        .collect();
    assert_eq!(metrics(), documented);
    assert_eq!(documented["tacit_http_request_seconds"].len(), 2);
}
