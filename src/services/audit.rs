//! The audit trail, and the log lines that go with it.
//!
//! What changes something is written in the transaction that changes it ([`recorded`]): neither is there without the
//! other. What changes nothing is counted in memory and written in the background ([`note`], [`flush`]): no request waits
//! for that or fails by it, and a flood of it makes few rows.

use crate::app::App;
use crate::error::Error;
use crate::logging;
use crate::models::audit::{self, Counted};
use crate::models::{AnyConnection, transaction};
use crate::types::{Event, EventName};

/// Runs `work` in a transaction that also writes the events it adds; they are logged once that has committed.
pub fn recorded<T>(
    connection: &mut AnyConnection,
    work: impl FnOnce(&mut AnyConnection, &mut Vec<Event>) -> Result<T, Error>,
) -> Result<T, Error> {
    let context = logging::context();
    let (value, events) = transaction(connection, |connection| {
        let mut events = Vec::new();
        let value = work(connection, &mut events)?;
        for event in &events {
            audit::insert(connection, event, &context)?;
        }
        Ok::<_, Error>((value, events))
    })?;
    events.iter().for_each(logging::event);
    Ok(value)
}

/// Logs an event that changes nothing, and counts it for the trail.
pub fn note(app: &App, event: &Event) {
    logging::event(event);
    let dropped = app.audit.note(event, &logging::context(), app.clock.now());
    count_dropped(app, dropped);
}

fn count_dropped(app: &App, dropped: i64) {
    app.metrics.audit_dropped.inc_by(u64::try_from(dropped).unwrap_or(0));
}

/// Writes what was counted since the last time. What cannot be written is kept, within bounds, for the next.
pub fn flush(app: &App) -> Result<(), Error> {
    let rows = app.audit.take();
    if rows.is_empty() {
        return Ok(());
    }
    let written = write(app, &rows);
    if written.is_err() {
        count_dropped(app, app.audit.put_back(rows));
        return written;
    }
    for row in rows.into_iter().filter(|row| row.event.name == EventName::AuditDropped) {
        logging::event(&row.event.detail("count", row.times));
    }
    Ok(())
}

fn write(app: &App, rows: &[Counted]) -> Result<(), Error> {
    let mut connection = app.database.connection()?;
    transaction(&mut connection, |connection| {
        for row in rows {
            audit::count(connection, row)?;
        }
        Ok(())
    })
}

/// Notes which keys this replica signs and verifies access tokens with.
pub fn note_keys(app: &App) {
    for key in app.access_keys.all() {
        let reason = if app.access_keys.is_signing(&key) { "signs" } else { "verifies" };
        note(app, &Event::success(EventName::KeyUse).reason(reason).detail("kid", &key.kid));
    }
}

/// Records an operator's act on a key, which is done already: `act` is a word like "generated".
pub fn record_key_change(app: &App, act: &'static str, kid: &str) -> Result<(), Error> {
    recorded(&mut *app.database.connection()?, |_, events| {
        events.push(Event::success(EventName::KeyChanged).reason(act).detail("kid", kid));
        Ok(())
    })
}
