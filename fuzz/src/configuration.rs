//! Input: a TOML file, and behind a line of `---` the environment, NAME=value a line.

use tacit::config::{Config, Problem, Reader, Settings};

/// Stands in the corpus as every secret: nothing that is printed may hold it.
const CANARY: &str = "canaryQ8sL1xT0pWm9eRy7Uc2Hb6";

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (toml, environment) = text.split_once("\n---\n").unwrap_or((text, ""));
    let mut settings = Settings::default();
    settings.add_toml(toml, "a file");
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    settings.add_environment(variables.map(|(name, value)| (name.to_owned(), value.to_owned())));
    if names_a_file(&settings) {
        return;
    }
    let mut reader = settings.reader();
    let config = Config::read(&mut reader);
    let shown = reader.shown();
    let (problems, warnings) = reader.finish();
    let (again, _) = read_problems(&settings);
    assert_eq!(problems, again, "the same configuration is judged in two ways");
    for Problem { key, message } in problems.iter().chain(&warnings) {
        // Names are repeated, in any case; a name that is a secret is a mistake that nobody can hide.
        let named = key.to_lowercase().contains(&CANARY.to_lowercase()) || message.contains("://");
        assert!(named || !message.contains(CANARY), "{key}: {message}");
    }
    if problems.is_empty() {
        check_safety(&config);
        check_shown(&settings, &shown);
    }
}

/// What would be read from the disk is left out: the input would choose the file.
fn names_a_file(settings: &Settings) -> bool {
    let keys = ["tokens.secret_file", "sessions.secret_file", "database.password_file"];
    let lists = ["tokens.previous_secret_files", "sessions.previous_secret_files"];
    let reader = settings.reader();
    keys.iter().chain(&lists).any(|key| reader.is_set(key))
}

fn read_problems(settings: &Settings) -> (Vec<Problem>, Vec<Problem>) {
    let mut reader: Reader<'_> = settings.reader();
    Config::read(&mut reader);
    reader.finish()
}

/// What no configuration that is taken may allow.
fn check_safety(config: &Config) {
    let server = &config.server;
    assert!(server.public_url.is_https() || server.public_url.is_development(), "{}", server.public_url);
    assert!(config.cookies.secure || server.public_url.is_development());
    assert!(server.trusted_proxies.iter().all(|net| net.prefix_len() > 0));
    assert!(config.throttle.enabled || server.is_loopback());
    for ring in [&config.tokens.keys, &config.sessions.keys] {
        assert!(ring.secret.is_some() || server.is_loopback(), "strangers would meet a generated secret");
        assert!(ring.secret.iter().chain(&ring.previous).all(|secret| secret.expose().len() >= 32));
    }
    assert!(config.tokens.keys.secret.is_none() || config.tokens.keys.secret != config.sessions.keys.secret);
    assert!(config.sessions.emit_deadline < config.sessions.grace);
    assert!(config.sessions.idle_timeout <= config.sessions.absolute_timeout);
}

/// `tacit config show` prints what, written into the environment, is shown again; secrets never.
fn check_shown(settings: &Settings, shown: &[(String, String, String)]) {
    let secrets = ["tokens.secret", "sessions.secret", "tokens.previous_secrets", "sessions.previous_secrets"];
    let mut copy = Settings::default();
    let name = |key: &str| format!("TACIT_{}", key.to_uppercase().replace('.', "__"));
    let values = shown.iter().filter_map(|(key, value, source)| {
        if secrets.contains(&key.as_str()) {
            assert!(value.is_empty() || value == "(redacted)", "{key} is shown");
            return None;
        }
        let lossless = source != "default" && !value.contains('\0') && !value.contains("redacted");
        lossless.then(|| (name(key), value.clone()))
    });
    copy.add_environment(values.collect::<Vec<_>>().into_iter());
    for key in secrets {
        if let Some(secret) = settings.text(key) {
            copy.add_environment(std::iter::once((name(key), secret.to_owned())));
        }
    }
    let mut reader = copy.reader();
    Config::read(&mut reader);
    for ((key, value, _), (_, before, source)) in reader.shown().iter().zip(shown) {
        let left_out = before.contains("redacted") || before.contains('\0') || source == "default";
        assert!(left_out || value == before, "{key}: {before:?} came back as {value:?}");
    }
}
