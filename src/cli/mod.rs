//! The command line: one file a command.

mod audit;
mod client;
mod config;
mod doctor;
mod healthcheck;
mod keys;
mod migrate;
mod openapi;
mod purge;
mod serve;
mod throttle;
mod token;
mod user;

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::app::App;
use crate::config::{Loaded, Overrides, Problem, load};
use crate::error::Error;
use crate::logging;
use crate::types::{Clock, Password, random_bytes};

/// An authentication microservice that renews its tokens silently.
#[derive(Parser)]
#[command(name = "tacit", version, about, subcommand_required = false)]
struct CommandLine {
    #[command(flatten)]
    configuration: Configuration,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Where settings come from, besides the environment and `.env`.
#[derive(Args)]
struct Configuration {
    /// A TOML file; config/default.toml shows every key.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, like `--set server.listen=127.0.0.1:9000`; wins over every other source.
    #[arg(long = "set", global = true, value_name = "SECTION.KEY=VALUE", value_parser = parse_setting)]
    set: Vec<(String, String)>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (the default).
    Serve(serve::Arguments),
    /// Bring the database's schema up to date.
    Migrate,
    /// Create and administer users.
    #[command(subcommand)]
    User(user::Command),
    /// Create and administer clients: programs with a secret of their own.
    #[command(subcommand)]
    Client(client::Command),
    /// Check or show the configuration.
    #[command(subcommand)]
    Config(config::Command),
    /// Make the key pairs that sign access tokens, and say which of them does.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Explain tokens.
    #[command(subcommand)]
    Token(token::Command),
    /// See and clear what the throttle against guessing has counted.
    #[command(subcommand)]
    Throttle(throttle::Command),
    /// Show the audit trail: what happened to accounts, sessions and clients, and what was refused.
    Audit(audit::Arguments),
    /// Delete sessions that ended more than a day ago, and events older than `audit.retention`.
    Purge,
    /// Print the OpenAPI document.
    Openapi,
    /// Look at a live gateway as a client, and say what is wrong with it.
    Doctor(doctor::Arguments),
    /// Ask the running service whether it is alive; for containers.
    Healthcheck,
}

/// Why a command did not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// The configuration does not hold.
    Configuration(Vec<Problem>),
    /// The command was used wrongly.
    Usage(String),
    /// It was tried, and failed.
    Failed(String),
}

impl Failure {
    /// 1: it failed. 2: wrong usage or configuration.
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Failed(_) => ExitCode::from(1),
            Self::Configuration(_) | Self::Usage(_) => ExitCode::from(2),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(problems) => {
                writeln!(f, "tacit: the configuration does not hold:")?;
                for (position, problem) in problems.iter().enumerate() {
                    let end = if position + 1 == problems.len() { "" } else { "\n" };
                    write!(f, "  {problem}{end}")?;
                }
                Ok(())
            }
            Self::Usage(message) | Self::Failed(message) => write!(f, "tacit: {message}"),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Failed(match error {
            Error::Keys(message) => {
                return Self::Configuration(vec![Problem { key: "tokens.keys_dir".to_owned(), message }]);
            }
            Error::BadRequest { detail, .. } | Error::WeakPassword { detail, .. } => detail,
            other => other.to_string(),
        })
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Parses the command line and runs the command.
pub fn run() -> Result<(), Failure> {
    let CommandLine { configuration, command } = CommandLine::parse();
    let overrides = Overrides { file: configuration.config, set: all_settings()? };
    match command.unwrap_or(Command::Serve(serve::Arguments::default())) {
        serve @ Command::Serve(_) => serve.run(overrides),
        // Everything else is somebody's single act.
        command => logging::within(context(), || command.run(overrides)),
    }
}

/// Every `--set`, before a command and behind it, in that order. Of both, clap keeps those behind alone.
fn all_settings() -> Result<Vec<(String, String)>, Failure> {
    let arguments = std::env::args_os().map(|argument| argument.to_string_lossy().into_owned());
    let mut arguments = arguments.take_while(|argument| argument != "--");
    let mut settings = Vec::new();
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--set") {
            Some("") => arguments.next(),
            Some(rest) => rest.strip_prefix('=').map(str::to_owned),
            None => None,
        };
        if let Some(value) = value {
            settings.push(parse_setting(&value).map_err(Failure::Usage)?);
        }
    }
    Ok(settings)
}

/// What the events of a command carry: an id in the place of a request's, and which user of this machine runs it.
fn context() -> logging::Context {
    let request_id = format!("command-{:08x}", u32::from_ne_bytes(random_bytes()));
    let actor = format!("operator:{}", rustix::process::getuid().as_raw());
    logging::Context { request_id, address: String::new(), actor: Some(actor) }
}

impl Command {
    fn run(self, overrides: Overrides) -> Result<(), Failure> {
        let given = &overrides;
        match self {
            Self::Serve(arguments) => serve::run(overrides, &arguments),
            Self::Migrate => migrate::run(given),
            Self::User(command) => user::run(given, command),
            Self::Client(command) => client::run(given, command),
            Self::Config(command) => config::run(given, &command),
            Self::Keys(command) => keys::run(given, command),
            Self::Token(command) => token::run(given, command),
            Self::Throttle(command) => throttle::run(given, command),
            Self::Audit(arguments) => audit::run(given, arguments),
            Self::Purge => purge::run(given),
            Self::Openapi => openapi::run(given),
            Self::Doctor(arguments) => doctor::run(&arguments),
            Self::Healthcheck => healthcheck::run(given),
        }
    }
}

fn parse_setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected SECTION.KEY=VALUE")?;
    if key.contains('.') {
        Ok((key.to_owned(), value.to_owned()))
    } else {
        Err("expected SECTION.KEY=VALUE".to_owned())
    }
}

/// Loads the configuration, starts logging and tells what an operator should know.
fn load_configuration(overrides: &Overrides) -> Result<Loaded, Failure> {
    let loaded = load(overrides).map_err(Failure::Configuration)?;
    logging::start(&loaded.config.log, Clock::default());
    for warning in &loaded.warnings {
        log::warn!(event = "configuration_warning", key = warning.key.as_str(); "{}", warning.message);
    }
    Ok(loaded)
}

/// The application, for commands that work on the database.
fn build_app(overrides: &Overrides) -> Result<App, Failure> {
    let loaded = load_configuration(overrides)?;
    Ok(App::build(loaded.config, Clock::default())?)
}

/// Reads a password: at a terminal twice and unseen, else the first line of standard input.
fn read_password() -> Result<Password, Failure> {
    let text = if io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ")?;
        if rpassword::prompt_password("Again: ")? != first {
            return Err(Failure::Failed("the two passwords differ".to_owned()));
        }
        first
    } else {
        read_line()?
    };
    parse_password(text)
}

/// Reads a password that exists already: at a terminal once and unseen, else the first line of standard input.
fn read_password_once() -> Result<Password, Failure> {
    let text = if io::stdin().is_terminal() { rpassword::prompt_password("Password: ")? } else { read_line()? };
    parse_password(text)
}

fn parse_password(text: String) -> Result<Password, Failure> {
    if text.is_empty() {
        return Err(Failure::Usage(
            "no password given; type it at the prompt or pipe it into standard input".to_owned(),
        ));
    }
    Password::new(text).map_err(|message| Failure::Failed(message.to_owned()))
}

/// The first line of standard input, without its end.
fn read_line() -> Result<String, Failure> {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.strip_suffix('\n').map_or(line.as_str(), |line| line.strip_suffix('\r').unwrap_or(line)).to_owned())
}

/// Prints a value as JSON on a line of its own.
fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    print_line(serde_json::to_string(value).map_err(|error| Failure::Failed(error.to_string()))?)
}

/// Prints a line to standard output; a reader that has had enough (`| head`) is no failure.
fn print_line(line: impl fmt::Display) -> Result<(), Failure> {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => Ok(outcome?),
    }
}
