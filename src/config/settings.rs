//! The raw settings of all sources, and the reader that turns them into values and collects every problem.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::value::FromSetting;

/// One raw setting, as its source wrote it.
#[derive(Clone, Debug)]
pub enum Raw {
    /// From the environment or a flag: text, lists comma-separated.
    Text(String),
    /// From a TOML file.
    Toml(toml::Value),
}

/// What a configuration holds before it is understood: `section.key` to its raw value and where it came from.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    values: BTreeMap<String, (Raw, String)>,
    problems: Vec<Problem>,
}

/// One thing wrong with the configuration: the key, and a sentence that names the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `section.key`, or the name as it was found.
    pub key: String,
    /// One sentence; never the value of a secret.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.message)
    }
}

impl Settings {
    /// Later sources win.
    pub fn set(&mut self, key: &str, raw: Raw, source: &str) {
        self.values.insert(key.to_owned(), (raw, source.to_owned()));
    }

    /// Notes a problem met while the sources were read.
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), message: message.into() });
    }

    /// The text of a value, if a source gave one as text.
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key) {
            Some((Raw::Text(text) | Raw::Toml(toml::Value::String(text)), _)) => Some(text),
            _ => None,
        }
    }

    /// Takes in a TOML file of sections.
    pub fn add_toml(&mut self, text: &str, source: &str) {
        let table: toml::Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let line =
                    error.span().and_then(|span| text.get(..span.start)).map_or(0, |before| before.lines().count());
                self.problem(source, format!("line {}: {}", line.max(1), error.message()));
                return;
            }
        };
        for (section, value) in table {
            match value {
                toml::Value::Table(keys) => {
                    for (key, value) in keys {
                        self.set(&format!("{section}.{key}"), Raw::Toml(value), source);
                    }
                }
                _ => self.problem(&section, format!("{source} has it outside a section; write it below a [section]")),
            }
        }
    }

    /// Takes in the environment: `TACIT_SECTION__KEY` and the usual `DATABASE_URL`.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (String, String)>) {
        let mut database_url = None;
        let mut ours = BTreeMap::new();
        for (name, value) in variables {
            if name == "DATABASE_URL" && !value.is_empty() {
                database_url = Some(value);
            } else if let Some((section, key)) = name.strip_prefix("TACIT_").and_then(|rest| rest.split_once("__")) {
                ours.insert(format!("{}.{}", section.to_lowercase(), key.to_lowercase()), (name.clone(), value));
            }
        }
        if let Some(url) = database_url {
            match ours.get("database.url") {
                Some((name, own)) if *own != url => {
                    let message = format!("DATABASE_URL and {name} differ; set one of them");
                    self.problem("database.url", message);
                }
                _ => self.set("database.url", Raw::Text(url), "DATABASE_URL"),
            }
        }
        for (key, (name, value)) in ours {
            self.set(&key, Raw::Text(value), &name);
        }
    }

    /// A reader over these settings.
    pub fn reader(&self) -> Reader<'_> {
        Reader { settings: self, known: BTreeMap::new(), problems: self.problems.clone(), warnings: Vec::new() }
    }
}

/// Hands out values and remembers which keys exist, which were wrong and what is unsafe.
pub struct Reader<'a> {
    settings: &'a Settings,
    known: BTreeMap<String, String>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Reader<'_> {
    /// The value of `section.key`, or its default, which is written as in the environment.
    pub fn get<T: FromSetting + Default>(&mut self, key: &str, default: &str) -> T {
        self.optional(key, default).unwrap_or_default()
    }

    /// The same, where no value is a value of its own; an empty text counts as none.
    pub fn optional<T: FromSetting>(&mut self, key: &str, default: &str) -> Option<T> {
        self.known.insert(key.to_owned(), default.to_owned());
        let raw = match self.settings.values.get(key) {
            None => Raw::Text(default.to_owned()),
            Some((raw, _)) => raw.clone(),
        };
        if matches!(&raw, Raw::Text(text) | Raw::Toml(toml::Value::String(text)) if text.is_empty())
            && !T::EMPTY_IS_A_VALUE
        {
            return None;
        }
        match T::from_setting(&raw) {
            Ok(value) => Some(value),
            Err(message) => {
                let source = self.settings.values.get(key).map_or("the default", |(_, source)| source.as_str());
                let message = format!("{message} (set by {source})");
                self.problem(key, message);
                T::from_setting(&Raw::Text(default.to_owned())).ok()
            }
        }
    }

    /// Whether a source gave this key a value.
    pub fn is_set(&self, key: &str) -> bool {
        self.settings.values.contains_key(key)
    }

    /// Notes what makes the configuration unusable.
    pub fn problem(&mut self, key: &str, message: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), message: message.into() });
    }

    /// Notes what is unsafe: a problem, unless `tolerated`, then a warning.
    pub fn unsafe_unless(&mut self, tolerated: bool, key: &str, message: impl Into<String>) {
        let problem = Problem { key: key.to_owned(), message: message.into() };
        if tolerated { self.warnings.push(problem) } else { self.problems.push(problem) }
    }

    /// Notes what an operator should know, though the service runs with it.
    pub fn warning(&mut self, key: &str, message: impl Into<String>) {
        self.warnings.push(Problem { key: key.to_owned(), message: message.into() });
    }

    /// Tells the default of a key whose default follows from other keys, for `tacit config show`.
    pub fn computed(&mut self, key: &str, value: &impl fmt::Display) {
        self.known.insert(key.to_owned(), value.to_string());
    }

    /// The value of every key, redacted where it is secret, with the source it comes from.
    pub fn shown(&self) -> Vec<(String, String, String)> {
        let show = |(key, default): (&String, &String)| {
            let (value, source) = match self.settings.values.get(key) {
                None => (default.clone(), "default"),
                Some((Raw::Text(text) | Raw::Toml(toml::Value::String(text)), source)) => {
                    (text.clone(), source.as_str())
                }
                Some((Raw::Toml(toml::Value::Array(items)), source)) => {
                    let texts: Vec<String> = items.iter().map(item_text).collect();
                    (texts.join(","), source.as_str())
                }
                Some((Raw::Toml(toml::Value::Table(entries)), source)) => {
                    let texts: Vec<String> = entries.iter().map(entry_text).collect();
                    (texts.join(","), source.as_str())
                }
                Some((Raw::Toml(other), source)) => (other.to_string(), source.as_str()),
            };
            (key.clone(), redact(key, value), source.to_owned())
        };
        self.known.iter().map(show).collect()
    }

    /// Every key that exists, with its default.
    pub fn known(&self) -> &BTreeMap<String, String> {
        &self.known
    }

    /// All problems, unknown keys among them, and all warnings.
    pub fn finish(mut self) -> (Vec<Problem>, Vec<Problem>) {
        let sections: BTreeSet<&str> = self.known.keys().filter_map(|key| key.split('.').next()).collect();
        for (key, (_, source)) in &self.settings.values {
            if !self.known.contains_key(key) {
                let section = key.split('.').next().unwrap_or_default();
                let message = if sections.contains(section) {
                    format!("there is no such key (set by {source}); config/default.toml lists all keys")
                } else {
                    format!("there is no such section (set by {source}); config/default.toml lists all keys")
                };
                self.problems.push(Problem { key: key.clone(), message });
            }
        }
        (self.problems, self.warnings)
    }
}

/// An item of a TOML list as it stands in the environment.
fn item_text(item: &toml::Value) -> String {
    item.as_str().map_or_else(|| item.to_string(), str::to_owned)
}

/// An entry of a TOML table as it stands in the environment.
fn entry_text((name, value): (&String, &toml::Value)) -> String {
    match value {
        toml::Value::Array(items) => format!("{name}={}", items.iter().map(item_text).collect::<Vec<_>>().join(" ")),
        other => format!("{name}={}", item_text(other)),
    }
}

fn redact(key: &str, value: String) -> String {
    const REDACTED: &str = "(redacted)";
    if value.is_empty() {
        return value;
    }
    match key.rsplit('.').next() {
        Some("secret" | "previous_secrets") => REDACTED.to_owned(),
        Some("url") if value.starts_with("postgres") => match url::Url::parse(&value) {
            Ok(mut url) => {
                if url.password().is_some() && url.set_password(Some("redacted")).is_err() {
                    return REDACTED.to_owned();
                }
                if url.query().is_some_and(|query| query.contains("password")) {
                    url.set_query(Some("redacted"));
                }
                url.into()
            }
            Err(_) => REDACTED.to_owned(),
        },
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        settings.add_environment(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        settings
    }

    #[test]
    fn only_names_with_two_underscores_are_ours() {
        let settings = environment(&[("TACIT_PORT", "tcp://10.0.0.1:80"), ("TACIT_SERVER__LISTEN", "x")]);
        assert_eq!(settings.text("server.listen"), Some("x"));
        assert_eq!(settings.values.len(), 1);
    }

    #[test]
    fn an_unknown_name_of_ours_is_an_error() {
        let settings = environment(&[("TACIT_SERVER__LISTN", "x")]);
        let mut reader = settings.reader();
        let _: String = reader.get("server.listen", "y");
        let (problems, _) = reader.finish();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].key, "server.listn");
    }

    #[test]
    fn a_list_is_shown_alike_from_every_source() {
        let shown = |settings: &Settings| {
            let mut reader = settings.reader();
            let _: Vec<String> = reader.get("server.trusted_proxies", "");
            reader.shown().swap_remove(0).1
        };
        let mut toml = Settings::default();
        toml.add_toml("[server]\ntrusted_proxies = [\"10.0.0.1\", \"10.0.0.2\"]", "a file");
        assert_eq!(shown(&toml), "10.0.0.1,10.0.0.2");
        toml.add_toml("[server]\ntrusted_proxies = []", "a file");
        assert_eq!(shown(&toml), shown(&Settings::default()));
    }

    #[test]
    fn two_database_urls_that_differ_are_refused() {
        let same = environment(&[("DATABASE_URL", "sqlite:a"), ("TACIT_DATABASE__URL", "sqlite:a")]);
        assert!(same.problems.is_empty());
        let differ = environment(&[("DATABASE_URL", "sqlite:a"), ("TACIT_DATABASE__URL", "sqlite:b")]);
        assert_eq!(differ.problems.len(), 1);
    }
}
