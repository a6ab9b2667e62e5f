//! The throttle against guessing: counters in the database that everybody meets who is about to have a password checked.
//!
//! A unit of each is taken before the hash and given back after a right password, so that any number of guesses at once
//! cannot get through together. Whoever is refused is refused before any hash, whatever the password.

mod device;
mod keys;

use std::time::Duration;

use super::audit;
use crate::app::App;
use crate::error::Error;
use crate::models::throttle::{self, Throttle};
use crate::models::{AnyConnection, transaction};
use crate::types::{Event, EventName, Identifier, Timestamp};

pub use device::{Owner, device_cookie, known_device};
pub use keys::{Client, Subject, account_tag, account_tags, lines};
use keys::{Counters, Unit};

/// Units that were taken for one attempt, to be given back unless the password was wrong.
#[derive(Clone, Debug, Default)]
pub struct Reservation(Vec<Taken>);

/// A unit, and from when to when taking it moved the end of what its counter remembers.
#[derive(Clone, Debug)]
struct Taken {
    unit: Unit,
    before: Timestamp,
    moved: Timestamp,
}

impl Reservation {
    /// Whether there is nothing to give back.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A counter that lets nobody through now.
pub struct Blocked {
    unit: Unit,
    left: Duration,
    line: Option<String>,
}

impl Blocked {
    /// Where the attempts wait that meet this counter: those under way may still give units back.
    pub fn line(&self) -> &str {
        self.line.as_deref().unwrap_or_default()
    }

    /// Counts and notes the refusal.
    pub fn refuse(self, app: &App, subject: &Subject) -> Error {
        let key = self.unit.kind.label();
        app.metrics.throttled.with_label_values(&[key]).inc();
        // Whose password was guessed stands here as a keyed hash: people type passwords where names belong.
        let event = Event::refused(EventName::Throttled).subject(subject.user()).account(account_tag(app, subject));
        audit::note(app, &event.detail("key", key).detail("seconds", self.left.as_secs() + 1));
        Error::Throttled { retry_after: self.left }
    }
}

/// Takes a unit of every counter that an attempt meets, or none if one of them is blocked.
pub fn reserve(
    app: &App,
    connection: &mut AnyConnection,
    subject: &Subject,
    client: &Client,
) -> Result<Result<Reservation, Blocked>, Error> {
    if !app.config.throttle.enabled {
        return Ok(Ok(Reservation::default()));
    }
    let counters = keys::counters(app, subject, client);
    // A look first: who is blocked writes nothing, however often he asks.
    let seen = look(connection, &counters)?;
    if let Some(blocked) = find_blocked(&seen, &counters) {
        return Ok(Err(blocked));
    }
    match transaction(connection, |connection| take(connection, &counters, &seen)) {
        Err(error @ Error::Throttled { .. }) => {
            find_blocked(&look(connection, &counters)?, &counters).map(Err).ok_or(error)
        }
        taken => Ok(Ok(Reservation(taken?))),
    }
}

/// Gives the units back: the password was right, or was not checked at all.
pub fn refund(connection: &mut AnyConnection, reservation: &Reservation) -> Result<(), Error> {
    transaction(connection, |connection| {
        for Taken { unit, before, moved } in &reservation.0 {
            throttle::refund(connection, &unit.id, &unit.limit, *moved, *before)?;
        }
        Ok(())
    })
}

/// Always in this order, so that no two transactions wait for each other.
fn take(connection: &mut AnyConnection, counters: &Counters, seen: &Rows) -> Result<Vec<Taken>, Error> {
    let mut taken = Vec::new();
    let mut one = |connection: &mut AnyConnection, unit: &Unit| {
        let reserved = throttle::reserve(connection, &unit.id, unit.kind.as_str(), &unit.limit)?;
        let reserved = reserved.ok_or(Error::Throttled { retry_after: Duration::ZERO })?;
        let moved = reserved.resets_at;
        // Only a delay moves it. Whoever brings one is let in alone, so that what was seen is what it replaced.
        let before = row_of(seen, unit).filter(|_| reserved.delay > 0).map_or(moved, |(row, _)| row.resets_at);
        taken.push(Taken { unit: unit.clone(), before, moved });
        Ok::<_, Error>(reserved.failures)
    };
    for unit in &counters.attempts {
        one(connection, unit)?;
    }
    for (name, names) in &counters.names {
        // The first attempt with a name in a window makes it one name more.
        if one(connection, name)? == 1 {
            one(connection, names)?;
        }
    }
    Ok(taken)
}

/// Rows of counters, and the database's time.
type Rows = Vec<(Throttle, Timestamp)>;

fn look(connection: &mut AnyConnection, counters: &Counters) -> Result<Rows, Error> {
    let names = counters.names.iter().flat_map(|(name, names)| [name, names]);
    Ok(throttle::find(connection, counters.attempts.iter().chain(names).map(|unit| unit.id.clone()).collect())?)
}

fn row_of<'a>(rows: &'a Rows, unit: &Unit) -> Option<&'a (Throttle, Timestamp)> {
    rows.iter().find(|(row, _)| row.id == unit.id)
}

/// The counter that blocks an attempt the longest.
fn find_blocked(rows: &Rows, counters: &Counters) -> Option<Blocked> {
    let left = |unit: &Unit| {
        let left = row_of(rows, unit).map_or(Duration::ZERO, |(row, now)| row.blocked_until.left_at(*now));
        let line = counters.line(unit.kind).map(str::to_owned);
        (!left.is_zero()).then(|| Blocked { unit: unit.clone(), left, line })
    };
    let is_known = |name: &Unit| row_of(rows, name).is_some_and(|(row, now)| row.failures > 0 && row.resets_at > *now);
    let of_attempts = counters.attempts.iter().filter_map(left);
    let of_names = counters.names.iter().filter(|(name, _)| !is_known(name)).filter_map(|(_, names)| left(names));
    of_attempts.chain(of_names).max_by_key(|blocked| blocked.left)
}

/// Counters for an operator, the longest block first, with the database's time.
pub fn list(connection: &mut AnyConnection, limit: i64) -> Result<Vec<(Throttle, Timestamp)>, Error> {
    Ok(throttle::list(connection, limit)?)
}

/// Forgets the failures on one account, known or not; tells how many counters that were. Those of its devices stay:
/// nobody keeps which devices an account has.
pub fn clear_account(app: &App, connection: &mut AnyConnection, name: &str) -> Result<usize, Error> {
    let identifier = Identifier::parse(name);
    let as_typed = Subject::of_name(identifier.as_ref());
    let user = match super::users::find(connection, name) {
        Ok(user) => Some(Subject::User(user.id)),
        Err(Error::NotFound) => None,
        Err(error) => return Err(error),
    };
    let ids = user.iter().chain([&as_typed]).map(|subject| keys::account_id(app, subject)).collect();
    let whom = user.as_ref().unwrap_or(&as_typed);
    let event = cleared("account").subject(whom.user()).account(account_tag(app, whom));
    audit::recorded(connection, |connection, events| {
        events.push(event);
        Ok(throttle::clear(connection, ids)?)
    })
}

fn cleared(what: &'static str) -> Event {
    Event::success(EventName::ThrottleCleared).reason(what)
}

/// Forgets the failures from one address.
pub fn clear_address(app: &App, connection: &mut AnyConnection, address: std::net::IpAddr) -> Result<usize, Error> {
    let client = Client::new(Some(address), Vec::new());
    let counters = keys::counters(app, &Subject::Nobody, &client);
    let names = counters.names.into_iter().map(|(_, names)| names);
    let ids = counters.attempts.into_iter().chain(names).map(|unit| unit.id).collect();
    audit::recorded(connection, |connection, events| {
        events.push(cleared("address").detail("cleared", address));
        Ok(throttle::clear(connection, ids)?)
    })
}

/// Forgets everything.
pub fn clear_all(connection: &mut AnyConnection) -> Result<usize, Error> {
    audit::recorded(connection, |connection, events| {
        events.push(cleared("all"));
        Ok(throttle::clear_all(connection)?)
    })
}
