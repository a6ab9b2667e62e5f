//! Reading the audit trail, as an operator asks for it.

use super::throttle::{self, Subject};
use super::users;
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::audit::{self, AuditRow, Filter, Whom};
use crate::types::{EventName, Identifier, Timestamp, UserId};

/// Which events an operator asks for.
pub struct Query {
    /// A username, an e-mail address or an id, also one that nobody has any more.
    pub user: Option<String>,
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Of this name.
    pub event: Option<EventName>,
    /// The newest so many.
    pub limit: u32,
}

/// The events that were asked for, newest last.
pub fn list(app: &App, connection: &mut AnyConnection, query: &Query) -> Result<Vec<AuditRow>, Error> {
    let filter = Filter {
        whom: query.user.as_deref().map(|name| find_whom(app, connection, name)).transpose()?,
        since: query.since,
        event: query.event.map(EventName::as_str),
        limit: i64::from(query.limit),
    };
    Ok(audit::list(connection, &filter)?)
}

/// What the trail may call an account: a user's id, and keyed hashes of that and of the name as it was typed.
fn find_whom(app: &App, connection: &mut AnyConnection, name: &str) -> Result<Whom, Error> {
    let user = match users::find(connection, name) {
        Ok(user) => Some(user.id),
        // A deleted user's id is still in the trail.
        Err(Error::NotFound) => name.parse::<UserId>().ok(),
        Err(error) => return Err(error),
    };
    let typed = Subject::of_name(Identifier::parse(name).as_ref());
    let subjects = user.map(Subject::User).into_iter().chain(Some(typed).filter(|typed| *typed != Subject::Nobody));
    let accounts = subjects.flat_map(|subject| throttle::account_tags(app, &subject)).collect();
    Ok(Whom { subject: user.map(|id| id.to_string()), accounts })
}
