use clap::{Args, Subcommand};

use super::{Failure, build_app, print_json, print_line, read_password};
use crate::app::App;
use crate::config::Overrides;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::user::{self, User};
use crate::schemas::UserResponse;
use crate::services::passwords::Hashing;
use crate::services::register::{self, Input, Registering};
use crate::services::{account, users};
use crate::types::{Password, Role, Timestamp, UserId};

/// Users that one query of `list` reads.
const PAGE: i64 = 500;

/// `tacit user ..`; NAME is a username, an e-mail address or an id.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Create a user; the password comes from the prompt or standard input.
    Create(Create),
    /// List all users.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one user.
    Show {
        name: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Disable a user; all sessions end.
    Disable { name: String },
    /// Enable a user again.
    Enable { name: String },
    /// Give a user another role.
    SetRole { name: String, role: Role },
    /// Set a user's password, from the prompt or standard input; all sessions end.
    SetPassword {
        name: String,
        /// Take a password that is short or easy to guess.
        #[arg(long)]
        allow_weak_password: bool,
    },
    /// Delete a user; all sessions end.
    Delete { name: String },
}

#[derive(Args)]
pub(super) struct Create {
    /// A username, or an e-mail address.
    name: String,
    /// An e-mail address to sign in with as well.
    #[arg(long)]
    email: Option<String>,
    /// What the user may do.
    #[arg(long, default_value = "user")]
    role: Role,
    /// Take a password that is short or easy to guess.
    #[arg(long)]
    allow_weak_password: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(overrides: &Overrides, command: Command) -> Result<(), Failure> {
    let app = build_app(overrides)?;
    let mut connection = app.database.connection()?;
    let connection = &mut *connection;
    match command {
        Command::Create(arguments) => create(&app, connection, arguments),
        Command::List { json } => list(connection, json),
        Command::Show { name, json } => print_user(&users::find(connection, &name).map_err(explained)?, json),
        Command::Disable { name } => {
            let user = users::set_disabled(&app, connection, &name, true).map_err(explained)?;
            print_line(format_args!("{} is disabled; all sessions have ended.", user.display_name()))
        }
        Command::Enable { name } => {
            let user = users::set_disabled(&app, connection, &name, false).map_err(explained)?;
            print_line(format_args!("{} is enabled.", user.display_name()))
        }
        Command::SetRole { name, role } => {
            let user = users::set_role(&app, connection, &name, &role).map_err(explained)?;
            print_line(format_args!("{} has the role {role}.", user.display_name()))
        }
        Command::SetPassword { name, allow_weak_password } => {
            set_password(&app, connection, &name, allow_weak_password)
        }
        Command::Delete { name } => {
            let user = users::delete(&app, connection, &name).map_err(explained)?;
            print_line(format_args!("{} is deleted; all sessions have ended.", user.display_name()))
        }
    }
}

fn create(app: &App, connection: &mut AnyConnection, arguments: Create) -> Result<(), Failure> {
    let password = read_password()?;
    let (username, email) = match (arguments.name, arguments.email) {
        (name, None) if name.contains('@') => (None, Some(name)),
        (name, email) => (Some(name), email),
    };
    let input = Input { username, email, password: Some(password.expose().to_owned()) };
    let registering = Registering::parse(input)?;
    registering.check_free(connection).map_err(explained)?;
    if !arguments.allow_weak_password {
        registering.check_password(app).map_err(explained)?;
    }
    let hash = registering.hash(app)?;
    let user = register::finish(app, connection, &registering, &hash, &arguments.role)?;
    if arguments.json {
        return print_user(&user, true);
    }
    print_line(format_args!("Created {} with the role {}.", user.display_name(), user.role()))
}

fn explained(error: Error) -> Failure {
    match error {
        Error::NotFound => Failure::Failed("there is no such user".to_owned()),
        Error::WeakPassword { detail, .. } => {
            Failure::Failed(format!("{detail}; --allow-weak-password takes it all the same"))
        }
        Error::UsernameTaken => Failure::Failed("Username already exists".to_owned()),
        Error::EmailTaken => Failure::Failed("E-mail address already exists".to_owned()),
        other => other.into(),
    }
}

fn set_password(app: &App, connection: &mut AnyConnection, name: &str, allow_weak: bool) -> Result<(), Failure> {
    let user = users::find(connection, name).map_err(explained)?;
    let password: Password = read_password()?;
    if !allow_weak {
        account::check_new_password(app, &user, &password).map_err(explained)?;
    }
    let hash = Hashing::of(app).hash(&password)?;
    let user = users::set_password(app, connection, &user.id.to_string(), &hash).map_err(explained)?;
    print_line(format_args!("{} has a new password; all sessions have ended.", user.display_name()))
}

fn list(connection: &mut AnyConnection, json: bool) -> Result<(), Failure> {
    let mut all: Vec<User> = Vec::new();
    let mut after: Option<UserId> = None;
    loop {
        let page = user::list(connection, after, PAGE).map_err(Error::from)?;
        after = page.last().map(|user| user.id);
        all.extend(page);
        if after.is_none() {
            break;
        }
    }
    if json {
        let users: Vec<UserResponse> = all.iter().map(UserResponse::from).collect();
        return print_json(&users);
    }
    for user in &all {
        print_line(format_args!(
            "{}  {:<8}  {:<8}  {}  {}",
            user.id,
            user.role().as_str(),
            if user.disabled { "disabled" } else { "active" },
            user.username.as_deref().unwrap_or("-"),
            user.email.as_deref().unwrap_or("-"),
        ))?;
    }
    Ok(())
}

fn print_user(user: &User, json: bool) -> Result<(), Failure> {
    if json {
        return print_json(&UserResponse::from(user));
    }
    print_line(format_args!("id          {}", user.id))?;
    print_line(format_args!("username    {}", user.username.as_deref().unwrap_or("-")))?;
    print_line(format_args!("email       {}", user.email.as_deref().unwrap_or("-")))?;
    print_line(format_args!("role        {}", user.role()))?;
    print_line(format_args!("state       {}", if user.disabled { "disabled" } else { "active" }))?;
    print_line(format_args!("created     {}", user.created_at.to_iso8601()))?;
    let last = user.last_signed_in_at.map_or_else(|| "never".to_owned(), Timestamp::to_iso8601);
    print_line(format_args!("signed in   {last}"))
}
