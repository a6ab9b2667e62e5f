use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Config;
use super::settings::{Problem, Raw, Settings};

/// What the command line says of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--set section.key=value`, in order.
    pub set: Vec<(String, String)>,
}

/// A configuration that holds, with what an operator should know of it.
#[derive(Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// What is unsafe, but tolerated here.
    pub warnings: Vec<Problem>,
    /// Key, value (secrets redacted) and source of every setting.
    pub shown: Vec<(String, String, String)>,
}

/// Reads every source; all problems at once if there are any.
pub fn load(overrides: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let mut settings = Settings::default();
    if let Some(path) = &overrides.file {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => settings.add_toml(&text, &shown),
            Err(error) => settings.problem(&shown, format!("cannot be read: {error}")),
        }
    }
    let environment = environment(&mut settings);
    settings.add_environment(environment.into_iter());
    for (key, value) in &overrides.set {
        settings.set(key, Raw::Text(value.clone()), "the command line");
    }

    let mut reader = settings.reader();
    let config = Config::read(&mut reader);
    let shown = reader.shown();
    let (problems, warnings) = reader.finish();
    if problems.is_empty() { Ok(Loaded { config, warnings, shown }) } else { Err(problems) }
}

/// `.env` of the working directory or above it, and over it the real environment.
#[expect(clippy::disallowed_methods, reason = "the one home of the environment")]
fn environment(settings: &mut Settings) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    match dotenvy::dotenv_iter() {
        Ok(lines) => {
            for line in lines {
                match line {
                    Ok((name, value)) => {
                        variables.insert(name, value);
                    }
                    // The error repeats the line, which may hold a secret.
                    Err(_) => settings.problem(".env", "a line is not NAME=value; quote values that hold spaces or #"),
                }
            }
        }
        Err(error) if error.not_found() => {}
        Err(_) => settings.problem(".env", "cannot be read"),
    }
    for (name, value) in std::env::vars_os() {
        if let (Ok(name), Ok(value)) = (name.into_string(), value.into_string()) {
            variables.insert(name, value);
        }
    }
    variables
}
