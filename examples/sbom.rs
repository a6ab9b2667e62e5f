//! Prints what the released binary is made of: CycloneDX 1.5, as JSON. `scripts/sbom` runs it.
//!
//! Everything in it follows from Cargo.lock and the sources it names, so that the same release has the same text.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// A C library that a crate builds from its source and links in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundled {
    /// What its authors call it.
    pub name: &'static str,
    /// Theirs, not the crate's.
    pub version: String,
    /// The crate that has its source.
    pub package: &'static str,
    /// SPDX.
    pub licence: &'static str,
}

/// The packages of this build, by id, and what depends on what.
pub struct Packages {
    by_id: BTreeMap<String, Value>,
    /// Those that are not for tests only.
    built: BTreeSet<String>,
    nodes: BTreeMap<String, Value>,
    root: String,
    checksums: BTreeMap<(String, String), String>,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}

/// What cargo answers.
fn cargo(arguments: &[&str]) -> Result<Vec<u8>, Box<dyn Error>> {
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output()?;
    if output.status.success() { Ok(output.stdout) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

/// Asks cargo. `platform` is a target triple.
pub fn packages(platform: &str) -> Result<Packages, Box<dyn Error>> {
    let metadata = cargo(&["metadata", "--locked", "--format-version=1", "--filter-platform", platform])?;
    let metadata: Value = serde_json::from_slice(&metadata)?;
    // The metadata also has what no feature switches on; the tree does not.
    let (used, built) = (tree(platform, "normal,build,dev")?, tree(platform, "normal,build")?);
    let is_in = |tree: &BTreeSet<String>, package: &Value| {
        tree.contains(&format!("{} v{}", text(package, "name"), text(package, "version")))
    };

    let resolve = metadata.get("resolve").ok_or("no resolved dependencies")?;
    let by_id = |values: &[Value]| values.iter().map(|value| (text(value, "id").to_owned(), value.clone())).collect();
    let mut packages: BTreeMap<String, Value> = by_id(list(&metadata, "packages"));
    packages.retain(|_, package| is_in(&used, package));
    let mut nodes: BTreeMap<String, Value> = by_id(list(resolve, "nodes"));
    nodes.retain(|id, _| packages.contains_key(id));
    let built = packages.iter().filter(|(_, package)| is_in(&built, package)).map(|(id, _)| id.clone()).collect();
    Ok(Packages { by_id: packages, built, nodes, root: text(resolve, "root").to_owned(), checksums: checksums()? })
}

/// Name and version of what these kinds of dependencies lead to.
fn tree(platform: &str, edges: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let tree = cargo(&["tree", "--locked", "--edges", edges, "--prefix=none", "--format={p}", "--target", platform])?;
    Ok(String::from_utf8(tree)?.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect())
}

/// The SHA-256 of every package that Cargo.lock knows, by name and version.
fn checksums() -> Result<BTreeMap<(String, String), String>, Box<dyn Error>> {
    let lock: toml::Table = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock"))?.parse()?;
    let locked = lock.get("package").and_then(toml::Value::as_array).ok_or("no packages in Cargo.lock")?;
    let word =
        |package: &toml::Value, name| package.get(name).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    Ok(locked
        .iter()
        .map(|package| ((word(package, "name"), word(package, "version")), word(package, "checksum")))
        .collect())
}

impl Packages {
    /// Every package of the graph.
    pub fn all(&self) -> impl Iterator<Item = &Value> {
        self.nodes.keys().filter_map(|id| self.by_id.get(id))
    }

    /// The ids that one depends on, in ways that the condition accepts ("normal", "build", "dev").
    fn dependencies(&self, id: &str, accepts: impl Fn(&str) -> bool) -> BTreeSet<String> {
        let kind = |kind: &Value| kind.get("kind").and_then(Value::as_str).unwrap_or("normal").to_owned();
        let accepted = |dependency: &&Value| list(dependency, "dep_kinds").iter().any(|how| accepts(&kind(how)));
        let dependencies = self.nodes.get(id).map(|node| list(node, "deps")).unwrap_or_default();
        let ids = dependencies.iter().filter(accepted).map(|dependency| text(dependency, "pkg").to_owned());
        ids.filter(|id| self.nodes.contains_key(id)).collect()
    }

    fn reachable(&self, follow: impl Fn(&str) -> BTreeSet<String>) -> BTreeSet<String> {
        let mut found = BTreeSet::from([self.root.clone()]);
        let mut open = vec![self.root.clone()];
        while let Some(id) = open.pop() {
            let next = follow(&id).into_iter().filter(|id| self.built.contains(id));
            open.extend(next.filter(|id| found.insert(id.clone())));
        }
        found
    }

    fn is_macro(&self, id: &str) -> bool {
        let targets = self.by_id.get(id).map(|package| list(package, "targets")).unwrap_or_default();
        targets.iter().any(|target| list(target, "kind").contains(&json!("proc-macro")))
    }

    /// What is in the binary: ordinary dependencies and the C sources, without what runs in the compiler only.
    fn linked(&self) -> BTreeSet<String> {
        let is_source = |id: &str| self.by_id.get(id).is_some_and(|package| text(package, "name").ends_with("-src"));
        let follow = |id: &str| {
            if is_source(id) {
                return BTreeSet::new();
            }
            let mut next = self.dependencies(id, |kind| kind == "normal");
            next.extend(self.dependencies(id, |kind| kind == "build").into_iter().filter(|id| is_source(id)));
            next.retain(|id| !self.is_macro(id));
            next
        };
        self.reachable(follow)
    }

    /// The C libraries, with the versions that their sources tell.
    pub fn bundled(&self) -> Result<Vec<Bundled>, Box<dyn Error>> {
        let find = |name: &str| self.all().find(|package| text(package, "name") == name).ok_or(format!("no {name}"));
        let behind = |name: &str, mark: &str| -> Result<String, Box<dyn Error>> {
            let version = text(find(name)?, "version");
            Ok(version.split_once(mark).ok_or(format!("{name} {version} names no library"))?.1.to_owned())
        };
        let defined = |name: &str, header: &str, macro_name: &str| -> Result<String, Box<dyn Error>> {
            let header = text(find(name)?, "manifest_path").replace("Cargo.toml", header);
            let source = fs::read_to_string(header)?;
            let mut lines = source.lines().filter_map(|line| line.strip_prefix("#define ")?.strip_prefix(macro_name));
            let version = lines.find_map(|rest| rest.split('"').nth(1));
            Ok(version.ok_or(format!("{macro_name} is not defined"))?.to_owned())
        };
        let bundled = |name, version, package, licence| Bundled { name, version, package, licence };
        let aws_lc = defined("aws-lc-sys", "aws-lc/include/openssl/base.h", "AWSLC_VERSION_NUMBER_STRING ")?;
        let sqlite = defined("libsqlite3-sys", "sqlite3/sqlite3.h", "SQLITE_VERSION ")?;
        Ok(vec![
            bundled("AWS-LC", aws_lc, "aws-lc-sys", "ISC AND (Apache-2.0 OR ISC) AND OpenSSL"),
            bundled("OpenSSL", behind("openssl-src", "+")?, "openssl-src", "Apache-2.0"),
            bundled("PostgreSQL libpq", behind("pq-src", "+libpq-")?, "pq-src", "PostgreSQL"),
            bundled("SQLite", sqlite, "libsqlite3-sys", "blessing"),
        ])
    }

    fn purl(&self, id: &str) -> String {
        let package = self.by_id.get(id).unwrap_or(&Value::Null);
        format!("pkg:cargo/{}@{}", text(package, "name"), text(package, "version").replace('+', "%2B"))
    }

    fn component(&self, id: &str, linked: bool) -> Value {
        let package = self.by_id.get(id).unwrap_or(&Value::Null);
        let (name, version) = (text(package, "name"), text(package, "version"));
        let mut component = json!({
            "type": "library",
            "bom-ref": self.purl(id),
            "name": name,
            "version": version,
            // What compiles the binary and is not in it.
            "scope": if linked { "required" } else { "excluded" },
            // Before SPDX had expressions, a slash meant a choice.
            "licenses": [{"expression": text(package, "license").replace(" / ", "/").replace('/', " OR ")}],
            "purl": self.purl(id),
        });
        if let Some(checksum) = self.checksums.get(&(name.to_owned(), version.to_owned())).filter(|sum| !sum.is_empty())
        {
            set(&mut component, "hashes", json!([{"alg": "SHA-256", "content": checksum}]));
        }
        component
    }

    /// The document.
    pub fn sbom(&self) -> Result<Value, Box<dyn Error>> {
        let linked = self.linked();
        let all = self.reachable(|id| self.dependencies(id, |kind| kind != "dev"));
        let libraries = self.bundled()?;
        let library_ref = |library: &Bundled| {
            format!("pkg:generic/{}@{}", library.name.to_lowercase().replace(' ', "-"), library.version)
        };
        let mut components: Vec<Value> =
            all.iter().filter(|id| **id != self.root).map(|id| self.component(id, linked.contains(id))).collect();
        components.extend(libraries.iter().map(|library| {
            json!({
                "type": "library", "bom-ref": library_ref(library), "name": library.name, "version": library.version,
                "scope": "required", "licenses": [{"expression": library.licence}], "purl": library_ref(library),
            })
        }));
        let mut dependencies: Vec<Value> = Vec::new();
        for id in &all {
            let mut on: Vec<String> =
                self.dependencies(id, |kind| kind != "dev").intersection(&all).map(|id| self.purl(id)).collect();
            let name = self.by_id.get(id).map(|package| text(package, "name")).unwrap_or_default();
            on.extend(libraries.iter().filter(|library| library.package == name).map(library_ref));
            dependencies.push(json!({"ref": self.purl(id), "dependsOn": on}));
        }
        let mut application = self.component(&self.root, true);
        set(&mut application, "type", json!("application"));
        let mut document = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": {"component": application},
            "components": components,
            "dependencies": dependencies,
        });
        let digest = Sha256::digest(document.to_string());
        let bytes = digest.first_chunk::<16>().ok_or("a short digest")?;
        set(
            &mut document,
            "serialNumber",
            json!(uuid::Builder::from_random_bytes(*bytes).into_uuid().urn().to_string()),
        );
        Ok(document)
    }
}

/// What `rustc -vV` calls this machine.
pub fn host() -> Result<String, Box<dyn Error>> {
    let output = Command::new("rustc").arg("-vV").output()?;
    let text = String::from_utf8(output.stdout)?;
    Ok(text.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?.to_owned())
}

/// Prints the document, for this machine or for the target triple that is given.
pub fn main() -> Result<(), Box<dyn Error>> {
    let platform = std::env::args().nth(1).map_or_else(host, Ok)?;
    println!("{:#}", packages(&platform)?.sbom()?);
    Ok(())
}
