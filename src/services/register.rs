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
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let (username, email, password) = (given(input.username), given(input.email), given(input.password));
        let Some(password) = password.filter(|_| username.is_some() || email.is_some()) else {
            return Err(Error::bad_request("Username and password are required"));
        };
        let mut fields = Vec::new();
        let mut wrong = |field, message: &str| fields.push(FieldError { field, message: message.to_owned() });
        let username =
            username.map(|text| text.parse::<Username>().map_err(|message| wrong("username", message))).transpose();
        let email = email.map(|text| text.parse::<Email>().map_err(|message| wrong("email", message))).transpose();
        let password = Password::new(password).ok_or_else(|| wrong("password", "A password has at most 1024 bytes"));
        match (username, email, password) {
            (Ok(username), Ok(email), Ok(password)) => Ok(Self { username, email, password }),
            _ => {
                let detail = fields.first().map_or_else(String::new, |field| field.message.clone());
                Err(Error::BadRequest { detail, fields })
            }
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
