//! What the Dockerfile copies is enough for cargo: judged without Docker, which no test needs.

use std::fs;
use std::path::Path;
use std::process::Command;

/// A target that does not exist: cargo reads the manifest as for any build, and builds nothing.
const NO_TARGET: &str = "nothing-to-build";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).expect(name)
}

/// The lines of the Dockerfile's first stage, which builds.
fn stage() -> Vec<String> {
    let text = file("Dockerfile");
    let mut lines = text.lines().skip_while(|line| !line.starts_with("FROM "));
    let first = lines.next().expect("a stage");
    assert!(first.ends_with(" AS build"), "{first}");
    lines.take_while(|line| !line.starts_with("FROM ")).map(str::to_owned).collect()
}

/// What that stage copies from here.
fn copied() -> Vec<String> {
    let mut names = Vec::new();
    for line in stage() {
        if let Some(words) = line.strip_prefix("COPY ") {
            let words: Vec<&str> = words.split_whitespace().collect();
            names.extend(words[..words.len() - 1].iter().map(|word| (*word).to_owned()));
        }
    }
    assert!(names.len() > 2, "{names:?}");
    names
}

#[test]
fn cargo_accepts_the_manifest_among_nothing_but_what_the_dockerfile_copies() {
    let context = file(".dockerignore");
    assert!(context.lines().any(|line| line == "*"), "everything is kept out that is not let in");
    let folder = tempfile::tempdir().expect("a folder");
    for name in copied() {
        assert!(context.lines().any(|line| line.strip_prefix('!') == Some(&name)), ".dockerignore keeps {name} out");
        let status = Command::new("cp").arg("-r").arg(root().join(&name)).arg(folder.path()).status().expect("cp");
        assert!(status.success(), "{name}");
    }
    let stage = stage();
    let build = stage.iter().find_map(|line| line.strip_prefix("RUN cargo ")).expect("a build");
    let output = Command::new(env!("CARGO"))
        .args(build.split_whitespace())
        .args(["--offline", "--bin", NO_TARGET])
        .env("CARGO_TARGET_DIR", folder.path().join("target"))
        .current_dir(folder.path())
        .output()
        .expect("cargo");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains(&format!("no bin target named `{NO_TARGET}`")), "{said}");
}
