use clap::Subcommand;

use super::{Failure, build_app, print_line, read_line};
use crate::config::Overrides;
use crate::services::explain;

/// `tacit token ..`
#[derive(Subcommand)]
pub(super) enum Command {
    /// Say in plain words whether a token is good, and why not.
    Explain {
        /// The access or refresh token; without it, the first line of standard input.
        token: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) fn run(overrides: &Overrides, command: Command) -> Result<(), Failure> {
    let Command::Explain { token, json } = command;
    let token = match token {
        Some(token) => token,
        None => read_line()?,
    };
    let app = build_app(overrides)?;
    let explanation = explain::explain(&app, &mut *app.database.connection()?, token.trim())?;
    if json {
        print_line(serde_json::json!({ "good": explanation.good, "explanation": explanation.lines }))?;
    } else {
        for line in &explanation.lines {
            print_line(line)?;
        }
        print_line(if explanation.good { "It is good." } else { "It is refused." })?;
    }
    if explanation.good { Ok(()) } else { Err(Failure::Failed("the token is refused".to_owned())) }
}
