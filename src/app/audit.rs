use std::collections::HashMap;
use std::mem;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use crate::logging::Context;
use crate::models::audit::{Counted, WINDOW};
use crate::types::{Event, EventName, Timestamp};

/// Rows that one replica makes of what it counts in a window: the trail grows by no more, whoever floods it.
const ROWS: usize = 500;

/// Rows of those that one address can cause, or one /64: a flood from there leaves room for others.
const ROWS_OF_ADDRESS: usize = 32;

/// Refusals, and other events that change nothing, on their way into the audit trail.
///
/// They are counted here, those of one kind, one account and one address within a quarter of an hour together, and
/// written in the background: no request waits for that, and none fails by it.
#[derive(Default)]
pub struct AuditQueue(Mutex<Counting>);

#[derive(Default)]
struct Counting {
    window: i64,
    /// Of this window, also those that have been written.
    rows: HashMap<String, Counted>,
    /// How many of them each address caused.
    of_address: HashMap<String, usize>,
    /// Of earlier windows, those still to be written.
    left: Vec<Counted>,
}

impl AuditQueue {
    /// Takes an event in, and tells how many events now go without a row of their own: they are counted as dropped.
    pub fn note(&self, event: &Event, context: &Context, now: Timestamp) -> i64 {
        self.lock().note(event, context, now)
    }

    /// What is to be written, in an order that is the same on every replica, so that no two wait for each other.
    pub fn take(&self) -> Vec<Counted> {
        let mut counting = self.lock();
        let mut taken = mem::take(&mut counting.left);
        for row in counting.rows.values_mut().filter(|row| row.times > 0) {
            taken.push(row.clone());
            row.times = 0;
        }
        taken.sort_unstable_by(|a, b| a.merge_key.cmp(&b.merge_key));
        taken
    }

    /// Takes back what could not be written, and tells how many events there was no room for.
    pub fn put_back(&self, rows: Vec<Counted>) -> i64 {
        let mut counting = self.lock();
        let mut older = Vec::new();
        for row in rows {
            match counting.rows.get_mut(&row.merge_key) {
                Some(known) => {
                    known.first_at = known.first_at.min(row.first_at);
                    known.times += row.times;
                }
                None => older.push(row),
            }
        }
        counting.keep(older)
    }

    fn lock(&self) -> MutexGuard<'_, Counting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counting {
    fn note(&mut self, event: &Event, context: &Context, now: Timestamp) -> i64 {
        let window = now.unix_seconds().div_euclid(i64::try_from(WINDOW.as_secs()).unwrap_or(i64::MAX));
        let mut dropped = 0;
        if window != self.window {
            self.window = window;
            self.of_address.clear();
            let ended = mem::take(&mut self.rows).into_values().filter(|row| row.times > 0).collect();
            dropped = self.keep(ended);
        }
        let from = network(&context.address);
        let caused = self.of_address.get(&from).copied().unwrap_or_default();
        if caused < ROWS_OF_ADDRESS {
            match self.add(event, context, now, 1) {
                Added::New => {
                    self.of_address.insert(from, caused + 1);
                    return dropped;
                }
                Added::Known => return dropped,
                Added::NoRoom => {}
            }
        } else if self.rows.contains_key(&self.key(event, context)) {
            self.add(event, context, now, 1);
            return dropped;
        }
        // Who tries many names from one address is counted as that.
        let network = Context { address: from, ..context.clone() };
        let anybody = Event { subject: None, session: None, client: None, account: None, ..event.clone() };
        let anybody = anybody.detail("accounts", "many");
        if network.address.is_empty() || self.add(&anybody, &network, now, 1) == Added::NoRoom {
            self.drop_events(event.name, now, 1);
            dropped += 1;
        }
        dropped
    }

    /// Keeps rows of an earlier window until they are written, as many as one window makes.
    fn keep(&mut self, rows: Vec<Counted>) -> i64 {
        let mut dropped = 0;
        for row in rows {
            if self.left.len() < ROWS {
                self.left.push(row);
            } else {
                dropped += row.times;
                self.drop_events(row.event.name, row.last_at, row.times);
            }
        }
        dropped
    }

    /// There is room for this always: one row for each name of an event.
    fn drop_events(&mut self, name: EventName, now: Timestamp, times: i64) {
        let event = Event::refused(EventName::AuditDropped).reason(name.as_str());
        self.add(&event, &Context::default(), now, times);
    }

    fn add(&mut self, event: &Event, context: &Context, now: Timestamp, times: i64) -> Added {
        let merge_key = self.key(event, context);
        if let Some(row) = self.rows.get_mut(&merge_key) {
            if row.times == 0 {
                row.first_at = now;
            }
            row.last_at = now;
            row.times += times;
            return Added::Known;
        }
        if self.rows.len() >= ROWS && event.name != EventName::AuditDropped {
            return Added::NoRoom;
        }
        let (event, context) = (event.clone(), context.clone());
        let row = Counted { merge_key: merge_key.clone(), event, context, first_at: now, last_at: now, times };
        self.rows.insert(merge_key, row);
        Added::New
    }

    /// Names what is counted together: all that is alike but the moment and the request, in this window.
    fn key(&self, event: &Event, context: &Context) -> String {
        let Event { name, outcome, reason, subject, session, client, account, details } = event;
        // How long there is to wait changes with every try.
        let details: Vec<_> = details.iter().filter(|(name, _)| *name != "seconds").collect();
        let whole = (self.window, name, outcome, reason, subject, session, client, account, details, &context.address);
        let digest = Sha256::digest(format!("{whole:?}"));
        digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }
}

/// What became of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Added {
    New,
    Known,
    NoRoom,
}

/// What one sender can have of addresses: IPv4 one, IPv6 a /64.
fn network(address: &str) -> String {
    match address.parse() {
        Ok(IpAddr::V6(v6)) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::UserId;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds)
    }

    fn from(address: &str) -> Context {
        Context { address: address.to_owned(), ..Context::default() }
    }

    fn guess(account: &str) -> Event {
        Event::failure(EventName::SignIn, "invalid_credentials").account(account.to_owned())
    }

    fn total(rows: &[Counted]) -> i64 {
        rows.iter().map(|row| row.times).sum()
    }

    #[test]
    fn what_is_alike_is_one_row_until_the_window_ends() {
        let queue = AuditQueue::default();
        for second in 0..900 {
            assert_eq!(queue.note(&guess("a").detail("seconds", second), &from("192.0.2.1"), at(second)), 0);
        }
        let rows = queue.take();
        assert_eq!((rows.len(), total(&rows)), (1, 900));
        assert_eq!((rows[0].first_at, rows[0].last_at), (at(0), at(899)));
        assert!(queue.take().is_empty(), "nothing is written twice");
        queue.note(&guess("a"), &from("192.0.2.1"), at(899));
        queue.note(&guess("a"), &from("192.0.2.1"), at(900));
        let next = queue.take();
        assert_eq!(next.len(), 2);
        assert_eq!(next.iter().filter(|row| row.merge_key == rows[0].merge_key).count(), 1);
    }

    #[test]
    fn an_address_that_tries_many_names_makes_few_rows_and_every_try_counts() {
        let queue = AuditQueue::default();
        for number in 0..10_000_u16 {
            // One host may have all addresses of a /64.
            let address = format!("2001:db8::{number:x}");
            assert_eq!(queue.note(&guess(&number.to_string()), &from(&address), at(1)), 0);
        }
        assert_eq!(queue.note(&guess("other"), &from("192.0.2.1"), at(1)), 0);
        let rows = queue.take();
        assert_eq!((rows.len(), total(&rows)), (ROWS_OF_ADDRESS + 2, 10_001));
        let many = rows.iter().find(|row| row.context.address == "2001:db8::/64").unwrap();
        assert_eq!((&many.event.account, many.times), (&None, 10_000 - i64::try_from(ROWS_OF_ADDRESS).unwrap()));
        assert!(rows.iter().any(|row| row.context.address == "192.0.2.1"), "others are still seen");
    }

    #[test]
    fn a_flood_from_everywhere_is_bounded_and_what_is_dropped_is_counted() {
        let queue = AuditQueue::default();
        let mut dropped = 0;
        for number in 0..20_000_u16 {
            let [high, low] = number.to_be_bytes();
            dropped += queue.note(&guess("a"), &from(&format!("198.51.{high}.{low}")), at(1));
        }
        let rows = queue.take();
        assert_eq!((rows.len(), total(&rows)), (ROWS + 1, 20_000));
        let told = rows.iter().find(|row| row.event.name == EventName::AuditDropped).unwrap();
        assert_eq!((told.times, told.event.reason), (dropped, Some("sign_in")));
    }

    #[test]
    fn while_nothing_can_be_written_memory_is_bounded_and_nothing_is_forgotten_silently() {
        let queue = AuditQueue::default();
        let mut noted = 0;
        for window in 0..5 {
            for _ in 0..300 {
                let event = Event::refused(EventName::AccessRefused).subject(UserId::random());
                queue.note(&event, &Context::default(), at(window * 900));
                noted += 1;
            }
            let rows = queue.take();
            queue.put_back(rows);
        }
        let rows = queue.take();
        assert!(rows.len() <= 2 * ROWS + 10, "{}", rows.len());
        assert_eq!(total(&rows), noted);
    }
}
