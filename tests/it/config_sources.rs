//! Where settings come from, which source wins, and what a first run writes.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::app::{Home, Setup, run};
use crate::config::{Outcome, bare, home, show};
use crate::forge::{self, OTHER_SECRET};

#[test]
fn later_sources_win_and_each_is_named() {
    let home = home();
    let toml = home.directory.path().join("tacit.toml");
    fs::write(
        &toml,
        "[tokens]\naudience = \"file\"\nissuer = \"file\"\naccess_ttl = \"5m\"\n[log]\nlevel = \"warn\"\n",
    )
    .unwrap();
    fs::write(home.directory.path().join(".env"), "TACIT_TOKENS__ISSUER=dotenv\nTACIT_TOKENS__ACCESS_TTL=6m\n")
        .unwrap();
    let mut command = bare(&home);
    command.env("TACIT_TOKENS__ACCESS_TTL", "7m").env("TACIT_PORT", "tcp://10.0.0.1:80").env("TACIT_", "x");
    command.arg("--config").arg(&toml).args(["--set", "log.level=error"]);
    let shown = show(command);
    let value = |key: &str| shown[key].0.as_str();
    assert_eq!(value("tokens.audience"), "file");
    assert_eq!(value("tokens.issuer"), "dotenv");
    assert_eq!(value("tokens.access_ttl"), "7m");
    assert_eq!(value("log.level"), "error");
    assert_eq!(value("sessions.grace"), "120s");
    assert!(shown["tokens.audience"].1.contains("tacit.toml"), "{:?}", shown["tokens.audience"]);
    assert!(shown["tokens.access_ttl"].1.contains("TACIT_TOKENS__ACCESS_TTL"));
    assert_eq!(shown["sessions.grace"].1, "default");
}

#[test]
fn an_unknown_name_is_an_error_in_every_source() {
    let home = home();
    let toml = home.directory.path().join("tacit.toml");
    fs::write(&toml, "top = 1\n[tokens]\nacces_ttl = \"5m\"\n[tokns]\nsecret = \"x\"\n").unwrap();
    let mut command = bare(&home);
    command.env("TACIT_SERVER__LISTN", "x").env("TACIT_A__B__C", "x").arg("--config").arg(&toml);
    let outcome = Outcome::of(command.args(["--set", "log.levl=x", "config", "check"]).output().unwrap());
    let expected = ["a.b__c", "log.levl", "server.listn", "tokens.acces_ttl", "tokns.secret", "top"];
    assert_eq!(outcome.problems(), BTreeSet::from(expected));
    let missing = Outcome::of(bare(&home).args(["--config", "nowhere.toml", "config", "check"]).output().unwrap());
    assert_eq!(missing.code, 2);
    let usage = Outcome::of(bare(&home).args(["--set", "nonsense", "config", "check"]).output().unwrap());
    assert_eq!(usage.code, 2);
}

#[test]
fn settings_before_and_behind_a_command_both_count() {
    // Of these clap alone would keep the last, and look into another database than it was told.
    let split = ["--set", "log.levl=x", "config", "--set=tokens.acces_ttl=5m", "check", "--set", "server.listn=x"];
    let outcome = Outcome::of(bare(&home()).args(split).output().unwrap());
    assert_eq!(outcome.problems(), BTreeSet::from(["log.levl", "server.listn", "tokens.acces_ttl"]));
}

#[test]
fn lists_are_arrays_in_toml_and_comma_separated_in_the_environment() {
    let home = home();
    let toml = home.directory.path().join("tacit.toml");
    fs::write(&toml, "[server]\ntrusted_proxies = [\"10.0.0.0/8\", \"192.0.2.1\"]\n").unwrap();
    let mut from_file = bare(&home);
    from_file.arg("--config").arg(&toml);
    assert_eq!(Outcome::of(from_file.args(["config", "check"]).output().unwrap()).code, 0);
    let mut from_environment = bare(&home);
    from_environment.env("TACIT_SERVER__TRUSTED_PROXIES", "10.0.0.0/8, 192.0.2.1");
    assert_eq!(Outcome::of(from_environment.args(["config", "check"]).output().unwrap()).code, 0);
    fs::write(&toml, "[server]\ntrusted_proxies = \"10.0.0.0/8\"\n").unwrap();
    let mut wrong = bare(&home);
    let outcome = Outcome::of(wrong.arg("--config").arg(&toml).args(["config", "check"]).output().unwrap());
    assert_eq!(outcome.problems(), BTreeSet::from(["server.trusted_proxies"]));
}

#[test]
fn the_usual_database_url_is_read_and_must_not_differ_from_ours() {
    let home = home();
    let mut usual = bare(&home);
    usual.env("DATABASE_URL", "sqlite://usual.db");
    assert_eq!(show(usual)["database.url"].0, "sqlite://usual.db");
    let mut same = bare(&home);
    same.env("DATABASE_URL", "sqlite://usual.db").env("TACIT_DATABASE__URL", "sqlite://usual.db");
    assert_eq!(show(same)["database.url"].0, "sqlite://usual.db");
    let mut differ = bare(&home);
    differ.env("DATABASE_URL", "sqlite://usual.db").env("TACIT_DATABASE__URL", "sqlite://ours.db");
    let outcome = Outcome::of(differ.args(["config", "check"]).output().unwrap());
    assert_eq!(outcome.problems(), BTreeSet::from(["database.url"]));
}

#[test]
fn a_mistyped_database_url_makes_no_file() {
    let home = home();
    for url in
        ["postgres:typo", "postgres:/typo", "typo", "typo.db", "sqlite:", "sqlite::memory:", "mysql://x/y", "file:x.db"]
    {
        for action in [&["config", "check"][..], &["migrate"], &["user", "list"], &["serve", "--listen", "127.0.0.1:0"]]
        {
            let mut command = bare(&home);
            let output = command.args(["--set", &format!("database.url={url}")]).args(action).output().unwrap();
            assert_eq!(Outcome::of(output).problems(), BTreeSet::from(["database.url"]), "{url}");
        }
    }
    assert_eq!(fs::read_dir(home.directory.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_first_run_on_loopback_makes_private_secrets_and_keeps_them() {
    let home = Home::new();
    let data = home.directory.path().join("data");
    let tacit = Setup::default().start_in(home.clone()).await;
    let jar = tacit.new_session("ada").await;
    let read = |name: &str| fs::read_to_string(data.join(name)).expect(name);
    let (access, refresh) = (read("jwt.key"), read("refresh.key"));
    assert_ne!(access, refresh);
    for (name, text) in [("jwt.key", &access), ("refresh.key", &refresh)] {
        assert_eq!(fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        assert_eq!(text.trim_end().len(), 43, "32 bytes as base64url text");
    }
    let header = crate::shapes::part(jar.get(crate::jar::ACCESS).unwrap(), 0);
    assert_eq!(header["kid"], forge::kid(access.trim_end()), "backends read the secret from the file");
    drop(tacit);
    let tacit = Setup::default().start_in(home.clone()).await;
    assert_eq!((read("jwt.key"), read("refresh.key")), (access, refresh));
    assert_eq!(tacit.get_with("/me", &jar.without_access()).await.status(), 200);
    assert!(!tacit.log().contains(read("jwt.key").trim_end()));
}

#[tokio::test]
async fn a_secret_file_is_read_less_one_newline_and_warned_of_when_others_can_read_it() {
    let home = Home::new();
    let file = home.directory.path().join("secret");
    fs::write(&file, format!("{OTHER_SECRET}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let setup = Setup::default().set("tokens.secret_file", file.to_str().unwrap());
    let tacit = setup.start_in(home.clone()).await;
    let jar = tacit.new_session("ada").await;
    let header = crate::shapes::part(jar.get(crate::jar::ACCESS).unwrap(), 0);
    assert_eq!(header["kid"], forge::kid(OTHER_SECRET));
    assert!(tacit.log().contains("tokens.secret_file"), "{}", tacit.log());
    drop(tacit);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let quiet = run(&home, &["--set", &format!("tokens.secret_file={}", file.display()), "config", "check"], "");
    assert!(!String::from_utf8_lossy(&quiet.stderr).contains("secret_file"));
}

#[test]
fn default_toml_shows_every_key_with_its_default() {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml")).expect("default.toml");
    let home = home();
    let known = show(bare(&home));
    let given: toml::Table = text.parse().expect("TOML");
    let mut shown = BTreeSet::new();
    for (section, keys) in &given {
        shown.extend(keys.as_table().expect("a section").keys().map(|key| format!("{section}.{key}")));
    }
    let mut section = "";
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name;
        } else if let Some((key, _)) = line.strip_prefix("# ").and_then(|line| line.split_once(" = "))
            && key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        {
            assert!(shown.insert(format!("{section}.{key}")), "{section}.{key} comes twice");
        }
    }
    assert_eq!(shown, known.keys().cloned().collect());
    let mut with_file = bare(&home);
    with_file.args(["--config", concat!(env!("CARGO_MANIFEST_DIR"), "/config/default.toml")]);
    for (key, (value, source)) in show(with_file) {
        assert_eq!(value, known[&key].0, "{key} of {source}");
    }
}
