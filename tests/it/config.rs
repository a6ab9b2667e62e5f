//! The configuration: what is refused, and that no secret is ever shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;

use crate::app::{Home, tacit_command};
use crate::forge::SECRET;

const REFRESH_SECRET: &str = "w5Tq8Lk2Zr7Nx4Vc9Bm1Hj6Gf3Ds0PaQeYuI";

/// What a production service is told at least; every key is good.
const PRODUCTION: [&str; 4] = [
    "server.listen=0.0.0.0:8080",
    "server.public_url=https://auth.example.com",
    "tokens.secret=Zk3vQ8sL1xT0pWm9eRy7Uc2Hb6Nf4Jd5aGiB",
    "sessions.secret=w5Tq8Lk2Zr7Nx4Vc9Bm1Hj6Gf3Ds0PaQeYuI",
];

pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        Self { code: output.status.code().expect("a code"), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// The keys that were complained about, one a line.
    pub fn problems(&self) -> BTreeSet<&str> {
        assert_eq!(self.code, 2, "{}", self.stderr);
        let lines = self.stderr.lines().filter_map(|line| line.strip_prefix("  "));
        lines.map(|line| line.split(": ").next().unwrap_or_default()).collect()
    }
}

fn check(home: &Home, settings: &[&str]) -> Outcome {
    let mut command = tacit_command(home, None);
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    Outcome::of(command.args(["config", "check"]).output().expect("the binary"))
}

/// Without any setting of the tests.
pub fn bare(home: &Home) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
    command.env_clear().current_dir(home.directory.path());
    command
}

pub fn show(mut command: Command) -> BTreeMap<String, (String, String)> {
    let output = Outcome::of(command.args(["config", "show", "--json"]).output().expect("the binary"));
    assert_eq!(output.code, 0, "{}", output.stderr);
    let shown: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let entry = |(key, of): (&String, &Value)| (key.clone(), (text(&of["value"]), text(&of["source"])));
    shown.as_object().expect("an object").iter().map(entry).collect()
}

pub fn home() -> Arc<Home> {
    Home::new()
}

#[test]
fn all_problems_are_reported_at_once_with_exit_code_2() {
    let home = home();
    let settings = [
        "server.listen=0.0.0.0:8080",
        "server.lisen=x",
        "tokens.access_ttl=15",
        "passwords.bcrypt_cost=many",
        "sessions.on_theft=nothing",
        "nothing.here=1",
        "oauth.password_grant=yes",
        "oauth.role_scopes=Admin=read,user=a\"b",
        "database.pool_size=0",
        "log.format=xml",
        "server.base_path=auth/",
    ];
    let expected = [
        "database.pool_size",
        "log.format",
        "nothing.here",
        "oauth.password_grant",
        "oauth.role_scopes",
        "passwords.bcrypt_cost",
        "server.base_path",
        "server.lisen",
        "server.public_url",
        "sessions.on_theft",
        "sessions.secret",
        "tokens.access_ttl",
        "tokens.secret",
    ];
    assert_eq!(check(&home, &settings).problems(), BTreeSet::from(expected));
    let mut serve = tacit_command(&home, None);
    serve.args(settings.iter().flat_map(|setting| ["--set", setting]));
    assert_eq!(Outcome::of(serve.arg("serve").output().unwrap()).problems(), BTreeSet::from(expected));
}

#[test]
fn what_is_unsafe_for_others_is_a_warning_on_loopback_and_refused_elsewhere() {
    let home = home();
    assert_eq!(check(&home, &PRODUCTION).code, 0, "{}", check(&home, &PRODUCTION).stderr);
    for (setting, key) in [
        ("passwords.bcrypt_cost=4", "passwords.bcrypt_cost"),
        ("passwords.min_length=4", "passwords.min_length"),
        ("throttle.enabled=false", "throttle.enabled"),
        ("throttle.account_failures=101", "throttle.account_failures"),
        ("throttle.address_failures=10001", "throttle.address_failures"),
        ("throttle.address_names=10001", "throttle.address_names"),
        ("throttle.window=59s", "throttle.window"),
        ("throttle.max_delay=59s", "throttle.max_delay"),
        ("tokens.access_ttl=60s", "sessions.grace"),
        ("sessions.grace=15m", "sessions.grace"),
        ("sessions.emit_deadline=60s", "sessions.emit_deadline"),
        ("sessions.idle_timeout=10m", "sessions.idle_timeout"),
    ] {
        let refused = check(&home, &[&PRODUCTION[..], &[setting]].concat());
        assert_eq!(refused.problems(), BTreeSet::from([key]), "{setting}");
        let warned = check(&home, &[setting]);
        assert_eq!(warned.code, 0, "{setting}: {}", warned.stderr);
        assert!(warned.stderr.contains("warn") && warned.stderr.contains(key), "{setting}: {}", warned.stderr);
    }
    let development = check(&home, &[&PRODUCTION[..], &["server.public_url=http://localhost:8080"]].concat());
    assert_eq!(development.code, 0, "as in a container");
    assert!(development.stderr.contains("server.public_url"), "{}", development.stderr);
}

#[test]
fn what_is_unsafe_for_anybody_is_refused_everywhere() {
    let home = home();
    let same = format!("tokens.secret={REFRESH_SECRET}");
    let previous = format!("tokens.previous_secrets={REFRESH_SECRET}");
    let file = home.directory.path().join("secret");
    fs::write(&file, SECRET).unwrap();
    let from_file = format!("tokens.secret_file={}", file.display());
    for (settings, key) in [
        (vec!["server.public_url=http://auth.example.com"], "server.public_url"),
        (vec!["server.public_url=https://auth.example.com/path"], "server.public_url"),
        (vec!["server.trusted_proxies=0.0.0.0/0"], "server.trusted_proxies"),
        (vec!["server.trusted_proxies=10.0.0.1,::/0"], "server.trusted_proxies"),
        (vec!["cookies.same_site=none"], "cookies.same_site"),
        (vec!["tokens.secret=short"], "tokens.secret"),
        (vec!["tokens.secret=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"], "tokens.secret"),
        (vec!["sessions.secret=changeme-changeme-changeme-changeme-1234"], "sessions.secret"),
        (vec!["tokens.secret=09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7"], "tokens.secret"),
        (vec!["tokens.previous_secrets=short"], "tokens.previous_secrets"),
        (vec![same.as_str(), PRODUCTION[3]], "sessions.secret"),
        (vec![PRODUCTION[2], &from_file], "tokens.secret_file"),
        (vec!["tokens.secret_file=/nonexistent"], "tokens.secret_file"),
        (vec!["sessions.max_per_user=0"], "sessions.max_per_user"),
        (vec!["tokens.access_ttl=0s"], "tokens.access_ttl"),
        (vec!["cross_site.allowed_origins=*"], "cross_site.allowed_origins"),
        (vec!["cross_site.allowed_origins=null"], "cross_site.allowed_origins"),
        (vec!["cross_site.allowed_origins=https://a.example/x"], "cross_site.allowed_origins"),
        (vec!["passwords.bcrypt_cost=99"], "passwords.bcrypt_cost"),
        (vec!["server.workers=0"], "server.workers"),
        (vec!["throttle.account_failures=1"], "throttle.account_failures"),
        (vec!["throttle.window=0s"], "throttle.window"),
        (vec!["throttle.first_delay=16m"], "throttle.first_delay"),
        (vec!["database.url=mysql://x"], "database.url"),
        (vec!["database.acquire_timeout=0s"], "database.acquire_timeout"),
        (vec!["server.trusted_proxies=0.0.0.0/1,128.0.0.0/1"], "server.trusted_proxies"),
        (vec!["server.trusted_proxies=2000::/3"], "server.trusted_proxies"),
        (vec!["server.public_url=ftp://localhost"], "server.public_url"),
        (vec!["server.public_url=https://user@auth.example.com"], "server.public_url"),
        (vec!["server.base_path=/auth//x"], "server.base_path"),
        (vec!["cookies.secure=never"], "cookies.secure"),
        (vec!["tokens.access_ttl=25h"], "tokens.access_ttl"),
        (vec![&previous, PRODUCTION[3]], "sessions.secret"),
        (vec!["sessions.previous_secrets=short"], "sessions.previous_secrets"),
        (vec!["sessions.absolute_timeout=0s"], "sessions.idle_timeout"),
        (vec!["passwords.min_length=0"], "passwords.min_length"),
        (vec!["passwords.min_length=129"], "passwords.min_length"),
        (vec!["passwords.hash_workers=0"], "passwords.hash_workers"),
        (vec!["passwords.hash_queue=0"], "passwords.hash_workers"),
        (vec!["gateway.login_url=javascript:alert(1)"], "gateway.login_url"),
        (vec!["throttle.max_delay=2d"], "throttle.max_delay"),
        (vec!["throttle.address_failures=0"], "throttle.address_failures"),
        (vec!["throttle.address_names=1"], "throttle.address_names"),
        (vec!["audit.retention=0s"], "audit.retention"),
        (vec!["log.level=loud"], "log.level"),
        (vec!["log.level=info,tacit"], "log.level"),
    ] {
        let outcome = check(&home, &settings);
        assert!(outcome.problems().contains(key), "{settings:?}: {}", outcome.stderr);
    }
}

#[test]
fn every_unsafe_setting_is_named_at_once_with_its_remedy() {
    let home = home();
    let settings = [
        "server.listen=0.0.0.0:8080",
        "server.public_url=http://auth.example.com",
        "server.trusted_proxies=0.0.0.0/0",
        "tokens.secret=short",
        "tokens.access_ttl=60s",
        "sessions.secret=changeme-changeme-changeme-changeme-1234",
        "sessions.grace=10m",
        "sessions.emit_deadline=9m",
        "sessions.idle_timeout=5m",
        "sessions.max_per_user=0",
        "cookies.secure=never",
        "cross_site.allowed_origins=*",
        "passwords.bcrypt_cost=4",
        "passwords.min_length=4",
        "throttle.enabled=false",
        "audit.retention=1s",
        "log.level=loud",
    ];
    let unsafe_keys: BTreeSet<&str> = settings[1..]
        .iter()
        .map(|setting| setting.split('=').next().expect("a key"))
        // Short for the window that is named as too long.
        .filter(|key| *key != "tokens.access_ttl")
        .collect();
    let outcome = check(&home, &settings);
    assert_eq!(outcome.problems(), unsafe_keys);
    for line in outcome.stderr.lines().filter_map(|line| line.strip_prefix("  ")) {
        let sentence = line.split_once(": ").expect("a key and a sentence").1;
        assert!(sentence.split(' ').count() >= 4, "what is to be done? {line}");
    }
    assert!(!outcome.stderr.contains("changeme-changeme"), "{}", outcome.stderr);
    let written = fs::read_dir(home.directory.path()).unwrap().count();
    assert_eq!(written, 0, "a refused configuration wrote something");
}

#[test]
fn what_leads_nowhere_is_a_warning() {
    let home = home();
    for (key, value, warned) in [
        ("cross_site.allowed_origins", "https://app.example.com", false),
        ("cross_site.allowed_origins", "https://app.example.org", true),
        ("gateway.return_hosts", "app.example.com,[::1]", false),
        ("gateway.return_hosts", "*", true),
        ("gateway.return_hosts", "https://app.example.com", true),
    ] {
        let outcome = check(&home, &[&PRODUCTION[..], &[&format!("{key}={value}")]].concat());
        assert_eq!((outcome.code, outcome.stderr.contains(key)), (0, warned), "{key}={value}");
    }
}

#[test]
fn off_loopback_secrets_and_a_public_url_must_be_given() {
    let home = home();
    for listen in ["0.0.0.0:8080", "[::]:8080", "192.0.2.1:8080"] {
        let problems = check(&home, &[&format!("server.listen={listen}")]);
        assert_eq!(problems.problems(), BTreeSet::from(["server.public_url", "sessions.secret", "tokens.secret"]));
    }
    let written = fs::read_dir(home.directory.path()).unwrap().count();
    assert_eq!(written, 0, "a refused configuration wrote something");
}

#[test]
fn no_secret_is_ever_printed() {
    let home = home();
    let directory = home.directory.path();
    let canary = "canary-7Gh2Lm9Qx4Wz";
    let long = format!("{canary}-Zk3vQ8sL1xT0pWm9eRy7");
    let toml = directory.join("tacit.toml");
    fs::write(&toml, format!("[tokens]\nsecret = \"{long}\nprevious = 1\n")).unwrap();
    let number = directory.join("number.toml");
    fs::write(&number, "[tokens]\nsecret = 4711471147114711\n[sessions]\nprevious_secrets = \"4711471147114711\"\n")
        .unwrap();
    let file = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let set = |setting: String| vec!["--set".to_owned(), setting];
    let url = format!("database.url=postgres://user:{canary}@localhost/tacit");
    let broken_url = format!("database.url=postgres://user:{canary}@:x:y/tacit");
    let query = format!("database.url=postgresql://localhost/tacit?user=x&password={canary}");
    for arguments in [
        set(format!("tokens.secret={canary}")),
        set(format!("tokens.secret={long}")),
        set(format!("tokens.secrets={long}")),
        set(format!("tokens.previous_secrets={long},{canary}")),
        set(format!("sessions.previous_secrets={long}")),
        set(url),
        set(query),
        set(broken_url),
        vec!["--config".to_owned(), file(&toml)],
        vec!["--config".to_owned(), file(&number)],
    ] {
        for action in [&["config", "show"][..], &["config", "show", "--json"], &["config", "check"]] {
            let output = Outcome::of(bare(&home).args(&arguments).args(action).output().unwrap());
            let printed = output.stdout + &output.stderr;
            assert!(!printed.contains(canary) && !printed.contains("4711471147114711"), "{arguments:?}: {printed}");
        }
    }
    fs::write(directory.join(".env"), format!("TACIT_TOKENS__SECRET={canary} and more\n")).unwrap();
    let output = Outcome::of(bare(&home).args(["config", "check"]).output().unwrap());
    assert_eq!(output.code, 2);
    assert!(!output.stderr.contains(canary), "{}", output.stderr);
}
