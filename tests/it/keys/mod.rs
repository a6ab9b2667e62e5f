//! Key pairs beside the secret: `tacit keys`, GET /.well-known/jwks.json, and replicas that follow.

mod attacks;
mod audiences;
mod commands;
mod jwks;
mod mounted;
mod openssl;
mod rotation;
mod silent;
mod trouble;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::app::{Home, Tacit, eventually};
use crate::command_line::{done, json as parsed};
use crate::shapes::{members, part};

/// Where a home's key pairs lie.
fn keys_dir(home: &Home) -> PathBuf {
    home.directory.path().join("data/keys")
}

fn index_path(home: &Home) -> PathBuf {
    keys_dir(home).join("index.json")
}

fn pem_path(home: &Home, kid: &str) -> PathBuf {
    keys_dir(home).join(format!("{kid}.pem"))
}

fn index(home: &Home) -> Value {
    parsed(&fs::read_to_string(index_path(home)).expect("an index"))
}

/// Makes a key pair; its id.
fn generate(home: &Home, alg: &str) -> String {
    let made = parsed(&done(home, &["keys", "generate", "--alg", alg, "--json"], ""));
    assert_eq!((members(&made), &made["alg"]), (vec!["alg", "created_at", "kid"], &json!(alg)));
    made["kid"].as_str().expect("an id").to_owned()
}

/// Lets the newest of an algorithm sign.
fn rotate(home: &Home, alg: &str) {
    done(home, &["keys", "rotate", "--alg", alg], "");
}

/// Makes a key pair that signs; its id.
fn new_signing(home: &Home, alg: &str) -> String {
    let kid = generate(home, alg);
    rotate(home, alg);
    kid
}

async fn access_token(tacit: &Tacit, username: &str) -> String {
    tacit.token(username).await["access_token"].as_str().expect("a token").to_owned()
}

/// A header's `alg` and `kid`.
fn signed_by(token: &str) -> (String, String) {
    let header = part(token, 0);
    let word = |member: &str| header[member].as_str().expect(member).to_owned();
    (word("alg"), word("kid"))
}

/// Waits until a replica signs by this algorithm.
async fn wait_signing(tacit: &Tacit, alg: &str) {
    let signs = format!("tacit_access_keys{{alg=\"{alg}\",does=\"signs\"}}");
    assert!(eventually(async || tacit.metric(&signs).await == 1.0).await, "never signs by {alg}: {}", tacit.log());
}

/// Waits until a replica signs by this algorithm; a token of it.
async fn token_by(tacit: &Tacit, username: &str, alg: &str) -> String {
    wait_signing(tacit, alg).await;
    let token = access_token(tacit, username).await;
    assert_eq!(signed_by(&token).0, alg);
    token
}

/// The published keys.
async fn published(tacit: &Tacit) -> Vec<Value> {
    let answer = tacit.get("/.well-known/jwks.json").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let set: Value = answer.json().await.expect("JSON");
    set["keys"].as_array().expect("keys").clone()
}

/// Waits until so many keys are published.
async fn wait_published(tacit: &Tacit, count: usize) {
    assert!(eventually(async || published(tacit).await.len() == count).await, "{}", tacit.log());
}
