//! The rules of the house that a compiler does not know: which layer imports which, and what stands in one place only.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::sources::files;

/// A layer and all that it may import from.
const LAYERS: [(&str, &[&str]); 13] = [
    ("main", &["cli"]),
    ("cli", &["server", "routers", "services", "app", "models", "types", "schemas", "error", "config", "logging"]),
    ("server", &["service", "routers", "services", "app", "models", "types", "error", "config", "logging"]),
    ("routers", &["services", "app", "models", "types", "schemas", "error", "config", "logging"]),
    ("services", &["app", "models", "types", "error", "config", "logging"]),
    ("schemas", &["models", "types"]),
    ("app", &["models", "types", "error", "config", "logging"]),
    ("models", &["types", "error", "config", "logging"]),
    ("logging", &["config", "types"]),
    ("config", &["types"]),
    ("types", &[]),
    ("error", &[]),
    ("lib", &[]),
];

struct Source {
    /// Below src, like `routers/me.rs`.
    name: String,
    layer: String,
    /// Without comments and unit tests.
    code: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<Source> {
    let found: Vec<Source> = files("src", &["rs"]).iter().map(|(path, text)| read(path, text)).collect();
    assert!(found.len() > 50, "the sources moved");
    found
}

fn read(path: &Path, text: &str) -> Source {
    let name = path.strip_prefix(root()).expect("below src").to_str().expect("UTF-8").to_owned();
    let layer = name.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
    let text = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    Source { name, layer, code: code.join("\n") }
}

/// What a source names behind `crate::`, groups in braces included.
fn imports(code: &str) -> BTreeSet<String> {
    let word = |text: &str| -> String {
        text.trim_start().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
    };
    let mut names = BTreeSet::new();
    for (position, _) in code.match_indices("crate::") {
        let rest = &code[position + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(word(rest));
            continue;
        };
        let mut depth = 0;
        let mut begins = true;
        for (offset, c) in group.char_indices() {
            if begins && depth == 0 {
                names.insert(word(&group[offset..]));
                begins = false;
            }
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' => begins = true,
                _ => {}
            }
        }
    }
    names.remove("");
    names
}

#[test]
fn no_layer_imports_from_one_above_it() {
    for source in sources() {
        let allowed = LAYERS.iter().find(|(layer, _)| *layer == source.layer);
        let (_, allowed) = allowed.unwrap_or_else(|| panic!("{}: a layer that no rule knows", source.name));
        for import in imports(&source.code) {
            let fine = import == source.layer || allowed.contains(&import.as_str());
            assert!(fine, "{} imports crate::{import}", source.name);
        }
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let code = "use crate::error::Error;\nuse crate::{app::{App, Hasher}, models};\nlet x = crate::types::Role;";
    let found: Vec<String> = imports(code).into_iter().collect();
    assert_eq!(found, ["app", "error", "models", "types"]);
}

/// Fails for every source that holds a text and is not among those that may.
fn only_in(texts: &[&str], homes: &[&str]) {
    for source in sources() {
        let at_home = homes.iter().any(|home| source.name == *home || source.name.starts_with(&format!("{home}/")));
        for text in texts {
            assert!(at_home || !source.code.contains(text), "{} has {text:?}", source.name);
        }
    }
}

#[test]
fn http_is_known_above_the_services_only() {
    only_in(&["actix"], &["routers", "server.rs"]);
}

#[test]
fn diesel_is_known_by_models_and_types_only() {
    only_in(&["diesel::", "diesel_migrations"], &["models", "types"]);
}

#[test]
fn one_file_decides_which_status_an_error_has() {
    only_in(&["impl ResponseError", "From<&Error>", "status_code("], &["routers/respond.rs"]);
    let statuses = [
        "InternalServerError()",
        "ServiceUnavailable()",
        "NotFound()",
        "Conflict()",
        "PayloadTooLarge()",
        "UnsupportedMediaType()",
        "StatusCode::NOT_FOUND",
        "StatusCode::SERVICE_UNAVAILABLE",
        "StatusCode::INTERNAL_SERVER_ERROR",
        "StatusCode::FORBIDDEN",
        "StatusCode::CONFLICT",
    ];
    only_in(&statuses, &["routers/respond.rs"]);
    // The dialects of the token endpoint have statuses of their own for a refused sign-in.
    only_in(
        &["BadRequest()", "Unauthorized()", "Forbidden()", "UnprocessableEntity()"],
        &["routers/respond.rs", "routers/token.rs"],
    );
}

#[test]
fn one_file_knows_the_cookies_names() {
    only_in(&["tacit-access", "tacit-refresh", "tacit-device"], &["routers/cookies.rs"]);
}

#[test]
fn passwords_and_signatures_have_one_home_each() {
    only_in(&["bcrypt::"], &["services/passwords.rs"]);
    only_in(&["jsonwebtoken::"], &["services/tokens", "app/keys"]);
    only_in(&["std::env::var"], &["config/load.rs"]);
}

#[test]
fn every_error_is_made_by_somebody() {
    let sources = sources();
    let errors = sources.iter().find(|source| source.name == "error.rs").expect("error.rs");
    let mut checked = 0;
    for (kind, begin) in [("Refusal", "pub enum Refusal {"), ("Error", "pub enum Error {")] {
        let body = errors.code.split(begin).nth(1).expect(begin).split("\n}").next().unwrap_or_default();
        let variants = body
            .lines()
            .filter_map(|line| line.strip_prefix("    "))
            .filter(|line| line.starts_with(char::is_uppercase));
        for variant in variants {
            let variant: String = variant.chars().take_while(char::is_ascii_alphanumeric).collect();
            let name = format!("{kind}::{variant}");
            let made = sources.iter().any(|source| source.name != "routers/respond.rs" && source.code.contains(&name));
            assert!(made || errors.code.contains(&format!("Self::{variant}")), "nobody makes {name}");
            checked += 1;
        }
    }
    assert!(checked > 25, "the errors moved");
}
