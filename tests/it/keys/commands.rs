//! `tacit keys`: what each command does, prints and refuses.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::{
    access_token, generate, index, index_path, keys_dir, new_signing, pem_path, published, rotate, signed_by, token_by,
    wait_published,
};
use crate::access_tokens::{accepted, assert_invalid};
use crate::app::{Home, Setup, Tacit, eventually, tacit_command};
use crate::command_line::{done, fails, json as parsed};
use crate::shapes::{assert_time, members};

fn listed(home: &Home) -> Vec<Value> {
    parsed(&done(home, &["keys", "list", "--json"], "")).as_array().expect("a list").clone()
}

#[tokio::test]
async fn a_generated_key_verifies_and_does_not_sign_until_it_is_its_turn() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let first = access_token(&tacit, "ada").await;
    assert_eq!(signed_by(&first).0, "HS256");
    let kid = generate(&tacit.home, "EdDSA");
    wait_published(&tacit, 1).await;
    assert_eq!(signed_by(&access_token(&tacit, "ada").await).0, "HS256");
    rotate(&tacit.home, "EdDSA");
    let second = token_by(&tacit, "ada", "EdDSA").await;
    assert_eq!(signed_by(&second), ("EdDSA".to_owned(), kid.clone()));
    let other = generate(&tacit.home, "ES256");
    // The newest of all, whatever its algorithm.
    assert!(done(&tacit.home, &["keys", "rotate"], "").starts_with(&other));
    let third = token_by(&tacit, "ada", "ES256").await;
    rotate(&tacit.home, "hs256");
    let fourth = token_by(&tacit, "ada", "HS256").await;
    assert_eq!(signed_by(&fourth), signed_by(&first));
    for token in [&first, &second, &third, &fourth] {
        assert!(accepted(&tacit, token).await, "{:?}", signed_by(token));
    }
    let log = tacit.log();
    assert!(log.contains("event=signing_key_changed") && log.contains(&kid), "{log}");
    assert_eq!(published(&tacit).await.len(), 2);
}

#[tokio::test]
async fn of_two_keys_the_newer_one_of_the_algorithm_signs() {
    let home = Home::new();
    let (old, ec, new) = (generate(&home, "EdDSA"), generate(&home, "ES256"), generate(&home, "EdDSA"));
    rotate(&home, "EdDSA");
    assert_eq!(index(&home)["signing"], json!(new));
    rotate(&home, "ES256");
    assert_eq!(index(&home)["signing"], json!(ec));
    let keys: Vec<String> =
        index(&home)["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    assert_eq!(keys, [old, ec, new]);
    let complaint = fails(&Home::new(), &["keys", "rotate"], "", 1);
    assert!(complaint.contains("tacit keys generate"), "{complaint}");
    fails(&home, &["keys", "generate", "--alg", "RS256"], "", 2);
    fails(&home, &["keys", "generate", "--alg", "HS256"], "", 1);
    fails(&home, &["keys", "generate"], "", 2);
}

#[test]
fn private_keys_are_for_their_owner_alone_and_the_list_tells_nothing_of_them() {
    let home = Home::new();
    let kid = generate(&home, "ES256");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&keys_dir(&home)), 0o700);
    for file in std::fs::read_dir(keys_dir(&home)).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
    let keys = listed(&home);
    let expected = ["alg", "created_at", "kid", "retirable_at", "signed_until", "signs"];
    assert!(keys.iter().all(|key| members(key) == expected), "{keys:?}");
    assert_eq!(
        (&keys[0]["alg"], &keys[0]["signs"], &keys[0]["created_at"]),
        (&json!("HS256"), &json!(true), &Value::Null)
    );
    assert_eq!((&keys[1]["kid"], &keys[1]["signs"]), (&json!(kid), &json!(false)));
    assert_time(&keys[1]["created_at"]);
    rotate(&home, "ES256");
    let keys = listed(&home);
    assert_eq!(
        (&keys[0]["signs"], &keys[1]["signs"], &keys[1]["retirable_at"]),
        (&json!(false), &json!(true), &Value::Null)
    );
    rotate(&home, "HS256");
    assert_time(&listed(&home)[1]["signed_until"]);
    let shown = done(&home, &["keys", "list"], "");
    assert_eq!(shown.lines().count(), 2);
    assert!(!shown.contains("PRIVATE"), "{shown}");
}

/// Puts the moment when the only key stopped signing further back.
fn signed_earlier(home: &Home, seconds: i64) {
    let mut index = index(home);
    let moment = assert_time(&index["keys"][0]["signed_until"]) - chrono::TimeDelta::seconds(seconds);
    index["keys"][0]["signed_until"] = json!(moment.to_rfc3339());
    std::fs::write(index_path(home), index.to_string()).unwrap();
}

#[test]
fn a_longer_lifetime_that_is_configured_now_counts_too() {
    let home = Home::new();
    let kid = generate(&home, "EdDSA");
    done(&home, &["keys", "rotate", "--set", "tokens.access_ttl=1s"], "");
    done(&home, &["keys", "rotate", "--alg", "HS256", "--set", "tokens.access_ttl=1s"], "");
    signed_earlier(&home, 40);
    fails(&home, &["keys", "retire", &kid, "--set", "tokens.access_ttl=60s"], "", 1);
    done(&home, &["keys", "retire", &kid, "--set", "tokens.access_ttl=1s"], "");
}

#[tokio::test]
async fn a_key_is_retired_when_its_tokens_are_gone_or_at_once_by_force() {
    let tacit = Setup::default().set("tokens.access_ttl", "60s").start().await;
    let home = &tacit.home;
    tacit.register("ada").await;
    let (long, short) = ("tokens.access_ttl=60s", "tokens.access_ttl=1s");
    let refused = |kid: &str| fails(home, &["keys", "retire", kid, "--set", short], "", 1);
    let old = generate(home, "EdDSA");
    done(home, &["keys", "rotate", "--set", long], "");
    let token = token_by(&tacit, "ada", "EdDSA").await;
    assert!(refused(&old).contains("rotate"));
    fails(home, &["keys", "retire", "--force", &old], "", 1);
    let unused = generate(home, "ES256");
    // Tokens of the minute before live on when those to come live a second.
    done(home, &["keys", "rotate", "--alg", "HS256", "--set", short], "");
    let complaint = refused(&old);
    let until = complaint.split_once("until ").and_then(|(_, rest)| rest.split_once(';')).expect("a time").0;
    let left = assert_time(&json!(until)).timestamp() - chrono::Utc::now().timestamp();
    assert!((60..=93).contains(&left), "{complaint}");
    // One that never signed has no tokens.
    done(home, &["keys", "retire", &unused], "");
    assert!(!pem_path(home, &unused).exists());
    assert!(accepted(&tacit, &token).await);
    // As if a while had passed; the clocks of two hosts may differ.
    signed_earlier(home, 62);
    assert!(refused(&old).contains("can be good until"));
    signed_earlier(home, 30);
    done(home, &["keys", "retire", &old, "--set", short], "");
    assert!(eventually(async || !accepted(&tacit, &token).await).await);
    assert_invalid(&tacit, &token, "a retired key").await;
    assert_eq!(index(home), json!({"signing": null, "keys": []}));
    let forced = new_signing(home, "EdDSA");
    rotate(home, "HS256");
    done(home, &["keys", "retire", &forced, "--force"], "");
    assert!(!pem_path(home, &forced).exists());
}

#[test]
fn an_id_that_begins_with_a_hyphen_is_an_id() {
    let home = Home::new();
    let kid = format!("-{}", "a".repeat(42));
    for arguments in [["keys", "retire", &kid, "--force"], ["keys", "retire", "--force", &kid]] {
        assert!(fails(&home, &arguments, "", 1).contains(&kid));
    }
}

#[test]
fn many_who_generate_at_once_lose_nothing() {
    let home = Home::new();
    let children: Vec<_> = (0..8)
        .map(|number| {
            let alg = ["EdDSA", "ES256"][number % 2];
            let mut command = tacit_command(&home, None);
            command.args(["keys", "generate", "--alg", alg]).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().expect("the binary")
        })
        .collect();
    let mut made: Vec<String> = children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().expect("an end");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).split_whitespace().next().expect("an id").to_owned()
        })
        .collect();
    let mut named: Vec<String> =
        index(&home)["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect();
    made.sort();
    named.sort();
    assert_eq!(made, named);
    assert_eq!(std::fs::read_dir(keys_dir(&home)).unwrap().count(), 8 + 2, "the keys, the index and its lock");
}

#[test]
fn a_command_that_is_killed_leaves_a_whole_index_and_the_next_one_tidies_up() {
    let home = Home::new();
    generate(&home, "EdDSA");
    for round in 0..30 {
        let mut command = tacit_command(&home, None);
        command.args(["keys", "generate", "--alg", "EdDSA"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary");
        // Somewhere between its start and its end.
        std::thread::sleep(Duration::from_micros(1000 * (round % 15) + 300));
        child.kill().expect("a child");
        child.wait().expect("an end");
        assert!(!listed(&home).is_empty(), "{round}");
    }
    let left = keys_dir(&home).join(".0123456789abcdef.new");
    std::fs::write(&left, "half a private key").unwrap();
    let kid = generate(&home, "ES256");
    assert!(!left.exists());
    rotate(&home, "ES256");
    assert_eq!(index(&home)["signing"], json!(kid));
}

#[test]
fn there_are_never_more_keys_than_a_replica_reads() {
    let home = Home::new();
    let settled = |count: usize| index(&home)["keys"].as_array().unwrap().len() == count;
    for count in 1..=64 {
        generate(&home, "EdDSA");
        assert!(settled(count));
    }
    let complaint = fails(&home, &["keys", "generate", "--alg", "EdDSA"], "", 1);
    assert!(complaint.contains("retire some") && settled(64), "{complaint}");
    done(&home, &["keys", "list"], "");
}

#[test]
fn keys_need_no_database() {
    let home = Home::new();
    let away = ["--set", "database.url=postgres://nobody@127.0.0.1:1/nothing"];
    for arguments in [&["keys", "generate", "--alg", "EdDSA"][..], &["keys", "rotate"], &["keys", "list"]] {
        done(&home, &[arguments, away.as_slice()].concat(), "");
    }
}
