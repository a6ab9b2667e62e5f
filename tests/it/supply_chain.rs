//! Whom we trust by building on their code: deny.toml's rules, judged here from `cargo metadata` without a network, the bill
//! of materials, and the documentation of the C libraries inside.
//!
//! cargo-deny judges by the same file, and knows the advisories too: `scripts/test deny`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use semver::{Version, VersionReq};
use serde_json::Value;
use spdx::{Expression, LicenseReq, ParseMode};

#[path = "../../examples/sbom.rs"]
#[expect(dead_code, reason = "its main function is for the example")]
mod sbom;

static PACKAGES: LazyLock<sbom::Packages> =
    LazyLock::new(|| sbom::packages(&sbom::host().unwrap()).expect("cargo metadata"));

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect(name)
}

static RULES: LazyLock<toml::Table> = LazyLock::new(|| file("deny.toml").parse().expect("deny.toml"));

/// The texts of a list, or of one member of each of its tables.
fn rule(section: &str, key: &str) -> Vec<String> {
    let items = RULES[section][key].as_array().expect(key);
    let text = |item: &toml::Value| item.get("crate").unwrap_or(item).as_str().expect(key).to_owned();
    items.iter().map(text).collect()
}

fn text<'a>(package: &'a Value, name: &str) -> &'a str {
    package[name].as_str().unwrap_or_default()
}

#[test]
fn every_crate_comes_from_the_registry_with_a_checksum() {
    let allowed: Vec<String> = rule("sources", "allow-registry").iter().map(|url| format!("registry+{url}")).collect();
    let lock: toml::Table = file("Cargo.lock").parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        if name == "tacit" {
            continue;
        }
        let source = package.get("source").and_then(toml::Value::as_str).unwrap_or("a path");
        assert!(allowed.iter().any(|url| url == source), "{name} comes from {source}");
        assert_eq!(package["checksum"].as_str().map(str::len), Some(64), "{name}");
    }
}

#[test]
fn every_licence_is_one_that_we_accept() {
    let allowed = rule("licenses", "allow");
    let allowed: Vec<LicenseReq> = allowed
        .iter()
        .flat_map(|licence| {
            Expression::parse(licence).unwrap().requirements().map(|all| all.req.clone()).collect::<Vec<_>>()
        })
        .collect();
    for package in PACKAGES.all() {
        let licence = text(package, "license");
        let expression = Expression::parse_mode(licence, ParseMode::LAX);
        let expression = expression.unwrap_or_else(|error| panic!("{}: {error}", package["name"]));
        assert!(expression.evaluate(|wanted| allowed.contains(wanted)), "{}: {licence}", package["name"]);
    }
}

#[test]
fn no_crate_is_one_that_we_refuse() {
    let denied = rule("bans", "deny");
    assert!(denied.iter().any(|name| name == "rsa"));
    let lock: toml::Table = file("Cargo.lock").parse().unwrap();
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        assert!(!denied.iter().any(|denied| denied == name), "{name}");
    }
}

#[test]
fn two_versions_of_a_crate_have_a_reason_each() {
    assert_eq!(RULES["bans"]["multiple-versions"].as_str(), Some("deny"));
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in PACKAGES.all() {
        versions.entry(text(package, "name")).or_default().insert(text(package, "version"));
    }
    let skipped = rule("bans", "skip");
    let is_skipped = |name: &str, version: &str| {
        skipped.iter().any(|skip| {
            let (skipped, of) = skip.split_once('@').expect("a version");
            skipped == name && version.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    };
    let mut used = 0;
    for (name, versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let left: Vec<_> = versions.iter().filter(|version| !is_skipped(name, version)).collect();
        assert_eq!(left.len(), 1, "{name} {versions:?}: deny.toml gives no reason");
        used += versions.len() - 1;
    }
    assert_eq!(used, skipped.len(), "deny.toml excuses what is gone");
}

/// Whether an advisory of docs/security/advisories.toml concerns a version of its crate.
fn concerns(advisory: &toml::Value, version: &Version) -> bool {
    let ranges = |name: &str| advisory[name].as_array().expect(name).clone();
    let mut safe = ranges("patched").into_iter().chain(ranges("unaffected"));
    !safe.any(|range| VersionReq::parse(range.as_str().unwrap()).expect("a range").matches(version))
}

#[test]
fn no_crate_has_a_vulnerability_that_is_written_down_here() {
    let known: toml::Table = file("docs/security/advisories.toml").parse().unwrap();
    let known = known["advisories"].as_array().unwrap();
    let lock: toml::Table = file("Cargo.lock").parse().unwrap();
    let mut compared = 0;
    for package in lock["package"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let version = Version::parse(package["version"].as_str().unwrap()).unwrap();
        for advisory in known.iter().filter(|advisory| advisory["crate"].as_str() == Some(name)) {
            compared += 1;
            assert!(!concerns(advisory, &version), "{name} {version}: {}", advisory["id"]);
        }
    }
    assert!(compared > 100, "{compared}");
    let of_bcrypt = known.iter().find(|advisory| advisory["id"].as_str() == Some("RUSTSEC-2026-0199")).unwrap();
    assert!(concerns(of_bcrypt, &Version::new(0, 19, 1)) && !concerns(of_bcrypt, &Version::new(0, 19, 2)));
}

#[test]
fn unsafe_code_is_forbidden_in_every_target() {
    let manifest: toml::Table = file("Cargo.toml").parse().unwrap();
    // Of the whole package, and nothing inside can take it back.
    assert_eq!(manifest["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
}

#[test]
fn the_documentation_names_every_c_library_with_its_version() {
    let documented = file("docs/operations.md");
    for library in PACKAGES.bundled().unwrap() {
        let row = format!("| {} | {} | {} |", library.name, library.version, library.package);
        assert!(documented.contains(&row), "docs/operations.md lacks {row}");
    }
    // Another crate that brings a library along has to be added to the table.
    let linking: BTreeSet<&str> =
        PACKAGES.all().filter(|package| !package["links"].is_null()).map(|package| text(package, "name")).collect();
    assert_eq!(
        linking,
        BTreeSet::from(["aws-lc-sys", "aws-lc-rs", "libsqlite3-sys", "openssl-sys", "pq-src", "pq-sys"])
    );
}

#[test]
fn the_bill_of_materials_holds_every_crate_that_is_linked() {
    let document = PACKAGES.sbom().unwrap();
    assert_eq!((&document["bomFormat"], &document["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    assert!(text(&document, "serialNumber").starts_with("urn:uuid:"));
    assert_eq!(document, PACKAGES.sbom().unwrap(), "two texts for one release");
    let components = document["components"].as_array().unwrap();
    let mut refs = BTreeSet::new();
    for component in components {
        assert!(refs.insert(text(component, "bom-ref")), "{component} twice");
        let expression = component["licenses"][0]["expression"].as_str().expect("a licence");
        assert!(Expression::parse(expression).is_ok(), "{expression}");
        if text(component, "purl").starts_with("pkg:cargo/") {
            assert_eq!(component["hashes"][0]["alg"], "SHA-256");
            assert_eq!(component["hashes"][0]["content"].as_str().map(str::len), Some(64), "{component}");
        }
    }
    let root = text(&document["metadata"]["component"], "bom-ref");
    assert_eq!(root, concat!("pkg:cargo/tacit@", env!("CARGO_PKG_VERSION")));
    for dependency in document["dependencies"].as_array().unwrap() {
        let on = dependency["dependsOn"].as_array().unwrap().iter().map(|on| on.as_str().unwrap());
        for reference in on.chain([text(dependency, "ref")]) {
            assert!(refs.contains(reference) || reference == root, "{reference} is no component");
        }
    }
    let differing: BTreeSet<String> = &crates_of(components) ^ &linked_by_cargo();
    assert_eq!(differing, BTreeSet::new(), "these are only in one of the document and `cargo tree`");
    for library in ["AWS-LC", "OpenSSL", "PostgreSQL libpq", "SQLite"] {
        assert!(components.iter().any(|component| component["name"] == library), "{library}");
    }
}

/// Name and version of every crate that the document says is in the binary.
fn crates_of(components: &[Value]) -> BTreeSet<String> {
    let required = components.iter().filter(|component| component["scope"] == "required");
    let crates = required.filter(|component| text(component, "purl").starts_with("pkg:cargo/"));
    // `cargo tree` knows it as a dependency of a build script only.
    crates
        .filter(|component| text(component, "name") != "openssl-src")
        .map(|component| format!("{} v{}", text(component, "name"), text(component, "version")))
        .collect()
}

/// The same as `cargo tree` tells it.
fn linked_by_cargo() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--locked", "--edges", "normal,no-proc-macro", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    lines.filter(|line| !line.is_empty() && !line.starts_with("tacit ")).map(str::to_owned).collect()
}
