use clap::Subcommand;

use super::{Failure, load_configuration, print_line};
use crate::app::KeyDirectory;
use crate::config::Overrides;

/// `tacit config ..`
#[derive(Subcommand)]
pub(super) enum Command {
    /// Say everything that is wrong with the configuration.
    Check,
    /// Print every setting with its source; secrets are redacted.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(overrides: &Overrides, command: &Command) -> Result<(), Failure> {
    let loaded = load_configuration(overrides)?;
    match command {
        Command::Check => {
            let keys_dir = &loaded.config.tokens.keys_dir;
            for warning in KeyDirectory::new(keys_dir).read()?.warnings {
                log::warn!(event = "configuration_warning", key = "tokens.keys_dir"; "{warning}");
            }
            print_line("The configuration holds.")
        }
        Command::Show { json: true } => {
            let settings: serde_json::Map<_, _> = loaded
                .shown
                .iter()
                .map(|(key, value, source)| (key.clone(), serde_json::json!({ "value": value, "source": source })))
                .collect();
            print_line(serde_json::Value::from(settings))
        }
        Command::Show { json: false } => {
            for (key, value, source) in &loaded.shown {
                print_line(format_args!("{key} = {value:?}  # {source}"))?;
            }
            Ok(())
        }
    }
}
