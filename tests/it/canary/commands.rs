//! Every command of the command line, with marks as names and passwords.

use std::collections::BTreeSet;

use serde_json::Value;

use super::marks::{AGENT, Marks, NAME, is_marked, marked_name, marked_secret};
use super::settings;
use crate::app::{PASSWORD, Tacit, run};

/// What a command may show on its standard output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// Nothing that is marked.
    Nothing,
    /// Names, which it was asked for.
    Names,
    /// A client's new secret, this once.
    Secret,
}

/// Runs every command with trace on; tells of every leak.
pub async fn run_all(tacit: &Tacit, marks: &mut Marks, more: &[(&str, &str)]) {
    use Shows::{Names, Nothing, Secret};
    let (user, client, new) = (marked_name("operated"), marked_name("client"), marked_name("new"));
    let (password, weak) = (marked_secret("operators-password"), "cAnArY7Gh2Lm".to_owned());
    let token = token(tacit, marks).await;
    let forged = format!("rt1_{}", marked_secret("forged"));
    let acts: Vec<(Vec<&str>, &str, Shows)> = vec![
        (vec!["migrate"], "", Nothing),
        (vec!["user", "create", &user], &password, Names),
        (vec!["user", "create", &new, "--json"], &password, Names),
        (vec!["user", "create", &user], &password, Nothing),
        (vec!["user", "create", "weak", "--set", "passwords.min_length=20"], &weak, Nothing),
        (vec!["user", "list"], "", Names),
        (vec!["user", "list", "--json"], "", Names),
        (vec!["user", "show", &user], "", Names),
        (vec!["user", "set-role", &user, "auditor"], "", Names),
        (vec!["user", "set-password", &user], &password, Names),
        (vec!["user", "disable", &user], "", Names),
        (vec!["user", "enable", &user], "", Names),
        (vec!["user", "disable", "nAmEmArK4Tz9-nobody"], "", Nothing),
        (vec!["user", "delete", &user], "", Names),
        (vec!["client", "create", &client, "--grant", "client_credentials", "--json"], "", Secret),
        (vec!["client", "rotate-secret", &client, "--json"], "", Secret),
        (vec!["client", "list"], "", Names),
        (vec!["client", "list", "--json"], "", Names),
        (vec!["client", "disable", &client], "", Names),
        (vec!["client", "enable", &client], "", Names),
        (vec!["client", "create", &client], "", Nothing),
        (vec!["config", "check"], "", Nothing),
        (vec!["config", "show"], "", Nothing),
        (vec!["config", "show", "--json"], "", Nothing),
        (vec!["keys", "generate", "--alg", "EdDSA"], "", Nothing),
        (vec!["keys", "rotate"], "", Nothing),
        (vec!["keys", "rotate", "--alg", "HS256"], "", Nothing),
        (vec!["keys", "list"], "", Nothing),
        (vec!["keys", "list", "--json"], "", Nothing),
        (vec!["keys", "retire", "no-such-key"], "", Nothing),
        (vec!["keys", "import", "no-such-file"], "", Nothing),
        (vec!["keys", "show", "--audience", "orders", "--json"], "", Secret),
        (vec!["token", "explain"], &token, Nothing),
        (vec!["token", "explain", &token], "", Nothing),
        (vec!["token", "explain"], &forged, Nothing),
        (vec!["token", "explain", &forged, "--json"], "", Nothing),
        (vec!["throttle", "list"], "", Nothing),
        (vec!["throttle", "list", "--json"], "", Nothing),
        (vec!["throttle", "clear", &user], "", Nothing),
        (vec!["audit", "--limit", "100000"], "", Nothing),
        (vec!["audit", "--json", "--limit", "100000"], "", Nothing),
        (vec!["audit", "--user", &user], "", Nothing),
        (vec!["purge"], "", Nothing),
        (vec!["openapi"], "", Nothing),
        (vec!["healthcheck"], "", Nothing),
        (vec!["doctor", "http://127.0.0.1:1", "--user", &user], &password, Nothing),
        (vec!["serve", "--listen", "256.0.0.1:1"], "", Nothing),
    ];
    let mut known: BTreeSet<&str> = acts.iter().map(|(arguments, ..)| arguments[0]).collect();
    known.insert("help");
    assert_eq!(known, commands(&help(tacit)).iter().map(String::as_str).collect(), "a command without a canary");
    for (arguments, input, shows) in acts {
        let mut all: Vec<String> = Vec::new();
        let more = more.iter().map(|(key, value)| (*key, (*value).to_owned()));
        for (key, value) in settings(&tacit.home).into_iter().chain(more) {
            all.extend(["--set".to_owned(), format!("{key}={value}")]);
        }
        all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        let output = run(&tacit.home, &all.iter().map(String::as_str).collect::<Vec<_>>(), input);
        check(marks, &arguments, "standard error", &output.stderr, false);
        if shows == Shows::Secret {
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            let body: Value = serde_json::from_slice(&output.stdout).expect("JSON");
            super::flows::note_body(marks, &body);
        } else {
            check(marks, &arguments, "standard output", &output.stdout, shows == Shows::Names);
        }
    }
}

fn check(marks: &Marks, arguments: &[&str], stream: &str, bytes: &[u8], names: bool) {
    let text = String::from_utf8_lossy(bytes);
    assert_eq!(marks.find_secret(bytes), None, "{arguments:?}, {stream}: {text}");
    assert!(names || !is_marked(bytes, NAME), "a name in the {stream} of {arguments:?}: {text}");
    assert!(!is_marked(bytes, AGENT), "{arguments:?}, {stream}: {text}");
}

/// An access token of a new user.
async fn token(tacit: &Tacit, marks: &mut Marks) -> String {
    run(&tacit.home, &["user", "create", "explained"], PASSWORD);
    let answer = tacit.token("explained").await;
    super::flows::note_body(marks, &answer);
    answer["access_token"].as_str().expect("a token").to_owned()
}

fn help(tacit: &Tacit) -> String {
    String::from_utf8(run(&tacit.home, &["--help"], "").stdout).expect("UTF-8")
}

/// The names below "Commands:".
fn commands(help: &str) -> BTreeSet<String> {
    let section = help.split("Commands:\n").nth(1).expect("a section").split("\n\n").next().unwrap();
    let names = section.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' '));
    names.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
