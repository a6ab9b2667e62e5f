//! Registering: shape first, then whether the names are free, then the password.

use super::audit;
use super::passwords::{self, Hashing};
use crate::app::App;
use crate::config::Registration;
use crate::error::{Error, FieldError};
use crate::models::AnyConnection;
use crate::models::user::{self, NewUser, User};
use crate::types::{Email, Event, EventName, Identifier, Password, Role, Username};

/// What a person sent, not yet looked at.
#[derive(Debug, Default)]
pub struct Input {
    /// An empty one counts as absent.
    pub username: Option<String>,
    /// An empty one counts as absent.
    pub email: Option<String>,
    /// An empty one counts as absent.
    pub password: Option<String>,
}

/// What stands in a field; an empty one counts as absent.
pub(super) fn given(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

/// The fields of a request whose shape is wrong.
#[derive(Default)]
pub(super) struct WrongFields(Vec<FieldError>);

impl WrongFields {
    /// Passes a field's value on, and remembers what is wrong with it.
    pub(super) fn unless<T>(&mut self, field: &'static str, parsed: Result<T, &'static str>) -> Result<T, ()> {
        parsed.map_err(|message| self.0.push(FieldError { field, message: message.to_owned() }))
    }

    /// Tells of all of them; its one sentence is about the first.
    pub(super) fn refusal(self) -> Error {
        let detail = self.0.first().map_or_else(String::new, |field| field.message.clone());
        Error::BadRequest { detail, fields: self.0 }
    }
}

/// A registration of the right shape.
#[derive(Clone, Debug)]
pub struct Registering {
    username: Option<Username>,
    email: Option<Email>,
    password: Password,
}

impl Registering {
    /// Checks the shape, and tells of every field that is wrong.
    pub fn parse(input: Input) -> Result<Self, Error> {
        let (username, email, password) = (given(input.username), given(input.email), given(input.password));
        let Some(password) = password.filter(|_| username.is_some() || email.is_some()) else {
            return Err(Error::bad_request("Username and password are required"));
        };
        let mut wrong = WrongFields::default();
        let username = username.map(|text| wrong.unless("username", text.parse())).transpose();
        let email = email.map(|text| wrong.unless("email", text.parse())).transpose();
        let password = wrong.unless("password", Password::new(password));
        match (username, email, password) {
            (Ok(username), Ok(email), Ok(password)) => Ok(Self { username, email, password }),
            _ => Err(wrong.refusal()),
        }
    }

    /// The names whose reuse in the password makes it easy to guess.
    fn names(&self) -> Vec<&str> {
        let email = self.email.as_ref().map(Email::shown);
        let local = email.and_then(|email| email.split('@').next());
        self.username.as_ref().map(Username::shown).into_iter().chain(email).chain(local).collect()
    }

    /// Whether the names are free: [`Error::UsernameTaken`] or [`Error::EmailTaken`] when somebody has one.
    pub fn check_free(&self, connection: &mut AnyConnection) -> Result<(), Error> {
        check_free(connection, self.username.as_ref(), self.email.as_ref())
    }

    /// Whether the password will do: estimating that takes milliseconds, so not while a database connection is held.
    pub fn check_password(&self, app: &App) -> Result<(), Error> {
        passwords::check_new(app, "password", &self.password, &self.names())
    }

    /// Hashes the password; never on a thread that serves requests.
    pub fn hash(&self, app: &App) -> Result<String, Error> {
        Hashing::of(app).hash(&self.password)
    }
}

/// Whether anybody may register.
pub fn check_open(app: &App) -> Result<(), Error> {
    match app.config.accounts.registration {
        Registration::Open => Ok(()),
        Registration::Closed => Err(Error::RegistrationClosed),
    }
}

/// [`Error::UsernameTaken`] or [`Error::EmailTaken`] when somebody has a name already.
pub fn check_free(
    connection: &mut AnyConnection,
    username: Option<&Username>,
    email: Option<&Email>,
) -> Result<(), Error> {
    if let Some(username) = username
        && user::find_by_identifier(connection, &Identifier::Username(username.clone()))?.is_some()
    {
        return Err(Error::UsernameTaken);
    }
    if let Some(email) = email
        && user::find_by_identifier(connection, &Identifier::Email(email.clone()))?.is_some()
    {
        return Err(Error::EmailTaken);
    }
    Ok(())
}

/// After the hash: adds the user; [`Error::UsernameTaken`] or [`Error::EmailTaken`] when somebody took a name meanwhile.
pub fn finish(
    app: &App,
    connection: &mut AnyConnection,
    registering: &Registering,
    password_hash: &str,
    role: &Role,
) -> Result<User, Error> {
    let new =
        NewUser { username: registering.username.as_ref(), email: registering.email.as_ref(), password_hash, role };
    let added = audit::recorded(connection, |connection, events| {
        let user = user::insert(connection, &new)?.ok_or(Error::Conflict)?;
        events.push(Event::success(EventName::UserRegistered).subject(user.id).detail("role", role));
        Ok(user)
    });
    if let Err(Error::Conflict) = added {
        registering.check_free(connection)?;
    }
    app.metrics.registrations.inc_by(u64::from(added.is_ok()));
    added
}
