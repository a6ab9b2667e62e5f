use clap::{Args, Subcommand};

use super::{Failure, build_app, print_json, print_line};
use crate::config::Overrides;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::client::{self, Client};
use crate::schemas::ClientResponse;
use crate::services::clients::{self, ClientSecret, Input};
use crate::types::{Grant, Words};

/// `tacit client ..`; NAME is a client's name or its id.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a client; its secret is printed this once.
    Create(Create),
    /// List all clients.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a client a new secret, printed this once; the old one is good no more.
    RotateSecret {
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Disable a client: it cannot authenticate any more.
    Disable { name: String },
    /// Enable a client again.
    Enable { name: String },
}

#[derive(Args)]
pub(super) struct Create {
    /// What you call it.
    name: String,
    /// What it may use at POST /token; may be repeated. Without any it can introspect and revoke.
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<Grant>,
    /// The most that its own tokens may say as their scope, and those of users who sign in through it; may be repeated.
    /// Without any they say none.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Whom its own tokens may be for, the usual one first; may be repeated.
    #[arg(long = "audience", value_name = "AUDIENCE")]
    audiences: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(overrides: &Overrides, command: Command) -> Result<(), Failure> {
    let app = build_app(overrides)?;
    let mut connection = app.database.connection()?;
    let connection = &mut *connection;
    match command {
        Command::Create(arguments) => create(connection, arguments),
        Command::List { json } => list(connection, json),
        Command::RotateSecret { name, json } => {
            let (client, secret) = clients::rotate_secret(connection, &name).map_err(explained)?;
            print_secret(&client, &secret, json)
        }
        Command::Disable { name } => {
            let client = clients::set_disabled(connection, &name, true).map_err(explained)?;
            print_line(format_args!("{} is disabled.", client.name))
        }
        Command::Enable { name } => {
            let client = clients::set_disabled(connection, &name, false).map_err(explained)?;
            print_line(format_args!("{} is enabled.", client.name))
        }
    }
}

fn explained(error: Error) -> Failure {
    match error {
        Error::NotFound => Failure::Failed("there is no such client".to_owned()),
        other => other.into(),
    }
}

fn create(connection: &mut AnyConnection, arguments: Create) -> Result<(), Failure> {
    let words = |option: &str, words: &[String]| {
        Words::of(words).map_err(|expected| Failure::Usage(format!("{option}: expected {expected}")))
    };
    let input = Input {
        scopes: words("--scope", &arguments.scopes)?,
        audiences: words("--audience", &arguments.audiences)?,
        name: arguments.name,
        grants: arguments.grants,
    };
    let (client, secret) = clients::create(connection, &input).map_err(explained)?;
    print_secret(&client, &secret, arguments.json)
}

fn print_secret(client: &Client, secret: &ClientSecret, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&ClientResponse::new(client, Some(secret.expose())));
    }
    print_line(format_args!("client_id      {}", client.id))?;
    print_line(format_args!("client_secret  {}", secret.expose()))?;
    print_line("Keep the secret now: it is not shown again.")
}

fn list(connection: &mut AnyConnection, json: bool) -> Result<(), Failure> {
    let all = client::list(connection).map_err(Error::from)?;
    if json {
        let clients: Vec<ClientResponse> = all.iter().map(|client| ClientResponse::new(client, None)).collect();
        return print_json(&clients);
    }
    for client in &all {
        let grants: Vec<&str> = client.grants().into_iter().map(Grant::as_str).collect();
        let state = if client.disabled { "disabled" } else { "active" };
        print_line(format_args!("{}  {state:<8}  {}  {}", client.id, client.name, grants.join(",")))?;
    }
    Ok(())
}
