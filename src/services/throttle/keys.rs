//! Whom and what the throttle counts, each under a keyed hash: the table names nobody.

use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::device::{self, Owner};
use crate::app::{App, Line};
use crate::config::ThrottleConfig;
use crate::models::throttle::Limit;
use crate::types::{Identifier, UserId};

const PURPOSE: &[u8] = b"tacit throttle";

/// A /48 is a whole site, or many phones: it gets so many times what a single network gets.
const SITE_FACTOR: i64 = 10;

/// Whose password is checked: one budget for all names of a user, and one for each name that nobody has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Somebody's.
    User(UserId),
    /// A name that nobody has, in its canonical form.
    Name(String),
    /// What can be nobody's name: there is nothing to guess.
    Nobody,
}

impl Subject {
    /// A name without a user.
    pub fn of_name(identifier: Option<&Identifier>) -> Self {
        match identifier {
            Some(Identifier::Username(name)) => Self::Name(format!("username {}", name.canonical())),
            Some(Identifier::Email(email)) => Self::Name(format!("email {}", email.canonical())),
            None => Self::Nobody,
        }
    }

    /// The user, if it is one's.
    pub fn user(&self) -> Option<UserId> {
        match self {
            Self::User(id) => Some(*id),
            Self::Name(_) | Self::Nobody => None,
        }
    }
}

/// Who tries.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// `None` where the peer has none.
    pub address: Option<IpAddr>,
    /// What the device cookies hold.
    pub devices: Vec<String>,
    /// Which of them the account knows.
    pub(super) known: Option<String>,
}

impl Client {
    /// Who tries, before it is known with which account.
    pub fn new(address: Option<IpAddr>, devices: Vec<String>) -> Self {
        Self { address, devices, known: None }
    }

    /// The same, as the account knows it.
    #[must_use]
    pub fn known_to(self, app: &App, owner: Option<&Owner>) -> Self {
        let known = owner.and_then(|owner| device::known_device(&app.refresh_keys, owner, &self.devices));
        Self { known, ..self }
    }
}

/// What a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Account,
    Device,
    Address,
    Names,
    Name,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Device => "device",
            Self::Address => "address",
            Self::Names => "names",
            Self::Name => "name",
        }
    }

    /// In metrics and log lines: the limit on names is one of the address.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Names | Self::Name => "address",
            other => other.as_str(),
        }
    }
}

/// One counter that an attempt meets.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) id: String,
    pub(super) kind: Kind,
    pub(super) limit: Limit,
}

/// All counters that an attempt meets.
#[derive(Debug)]
pub(super) struct Counters {
    /// Each attempt takes one unit of each.
    pub(super) attempts: Vec<Unit>,
    /// A name that an address tries, and how many it tried.
    pub(super) names: Vec<(Unit, Unit)>,
}

/// Which counters an attempt meets: those of the account and of the address, or, from a device that signed in to this
/// account before, the device's own alone.
pub(super) fn counters(app: &App, subject: &Subject, client: &Client) -> Counters {
    let config = &app.config.throttle;
    let unit = |kind: Kind, of: &str, limit: Limit| Unit { id: id(app, kind, of), kind, limit };
    if let (Subject::User(user), Some(device)) = (subject, &client.known) {
        let of = format!("{device} {user}");
        return Counters { attempts: vec![unit(Kind::Device, &of, account_limit(config))], names: Vec::new() };
    }
    let mut attempts = Vec::new();
    if *subject != Subject::Nobody {
        attempts.push(Unit { id: account_id(app, subject), kind: Kind::Account, limit: account_limit(config) });
    }
    let mut names = Vec::new();
    for (net, factor) in networks(client.address) {
        attempts.push(unit(Kind::Address, &net, address_limit(config, config.address_failures, factor)));
        let tried = format!("{net} {}", text_of(subject));
        let endless = Limit { failures: i64::MAX, ..address_limit(config, config.address_names, 1) };
        let limit = address_limit(config, config.address_names, factor);
        names.push((unit(Kind::Name, &tried, endless), unit(Kind::Names, &net, limit)));
    }
    Counters { attempts, names }
}

/// Whose attempts wait for each other: those from the address, and those on the account or from the known device.
pub fn lines(app: &App, subject: &Subject, client: &Client) -> Vec<Line> {
    let config = &app.config.throttle;
    if !config.enabled {
        return Vec::new();
    }
    let counters = counters(app, subject, client);
    let of_address = counters.line(Kind::Address).map(|key| (key, config.address_failures.min(config.address_names)));
    let of_account = counters.line(Kind::Account).map(|key| (key, config.account_failures));
    let lines = of_address.into_iter().chain(of_account);
    lines.map(|(key, limit)| Line { key: key.to_owned(), width: at_once(app, limit) }).collect()
}

impl Counters {
    /// The line of the attempts that meet a counter of this kind.
    pub(super) fn line(&self, kind: Kind) -> Option<&str> {
        let is_of_account = |kind: Kind| matches!(kind, Kind::Account | Kind::Device);
        self.attempts.iter().find(|unit| is_of_account(unit.kind) == is_of_account(kind)).map(|unit| unit.id.as_str())
    }
}

/// Enough to keep the hashing threads busy, and less than half of what may fail, so that the attempts under way on two
/// replicas are not taken for guesses while nothing failed.
fn at_once(app: &App, limit: u32) -> u32 {
    let workers = u32::try_from(app.config.passwords.hash_workers).unwrap_or(u32::MAX);
    workers.saturating_mul(2).min(limit.saturating_sub(1) / 2).max(1)
}

/// The id of an account's counter.
pub(super) fn account_id(app: &App, subject: &Subject) -> String {
    id(app, Kind::Account, &text_of(subject))
}

/// What logs and the audit trail call an account whose password was tried, known or not: 96 bits of a keyed hash.
pub fn account_tag(app: &App, subject: &Subject) -> String {
    shortened(account_id(app, subject))
}

/// The same under every refresh key, so that what was noted under an older one is found.
pub fn account_tags(app: &App, subject: &Subject) -> Vec<String> {
    let message = format!("{} {}", Kind::Account.as_str(), text_of(subject));
    let tags = app.refresh_keys.tags(PURPOSE, message.as_bytes());
    tags.into_iter().map(|tag| shortened(BASE64_URL_SAFE_NO_PAD.encode(tag))).collect()
}

fn shortened(mut id: String) -> String {
    id.truncate(16);
    id
}

fn text_of(subject: &Subject) -> String {
    match subject {
        Subject::User(id) => format!("user {id}"),
        Subject::Name(name) => name.clone(),
        Subject::Nobody => "nobody".to_owned(),
    }
}

fn id(app: &App, kind: Kind, of: &str) -> String {
    let tag = app.refresh_keys.tag(PURPOSE, format!("{} {of}", kind.as_str()).as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(tag)
}

fn millis(span: Duration) -> i64 {
    i64::try_from(span.as_millis()).unwrap_or(i64::MAX)
}

fn account_limit(config: &ThrottleConfig) -> Limit {
    Limit {
        failures: i64::from(config.account_failures),
        window: millis(config.window),
        first_delay: millis(config.first_delay),
        max_delay: millis(config.max_delay),
        quiet: millis(config.window),
    }
}

/// Addresses are shared by offices and phone networks: one waits for a window, and begins anew.
fn address_limit(config: &ThrottleConfig, failures: u32, factor: i64) -> Limit {
    let window = millis(config.window);
    Limit { failures: i64::from(failures) * factor, window, first_delay: window, max_delay: window, quiet: 0 }
}

/// What an address belongs to: an IPv4 address is its own, an IPv6 address is of a /64 and of a /48, with the factor of
/// their limits.
fn networks(address: Option<IpAddr>) -> Vec<(String, i64)> {
    let v6 = |address, prefix| Ipv6Net::new(address, prefix).map(|net| IpNet::from(net).trunc().to_string());
    match address.map(|address| address.to_canonical()) {
        None => Vec::new(),
        Some(IpAddr::V4(address)) => vec![(IpNet::from(Ipv4Net::from(address)).to_string(), 1)],
        Some(IpAddr::V6(address)) => [(64, 1), (48, SITE_FACTOR)]
            .into_iter()
            .filter_map(|(prefix, factor)| Some((v6(address, prefix).ok()?, factor)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn networks_of(address: &str) -> Vec<String> {
        networks(Some(address.parse().unwrap())).into_iter().map(|(net, _)| net).collect()
    }

    #[test]
    fn an_ipv4_address_counts_alone_however_it_is_written() {
        assert_eq!(networks_of("203.0.113.9"), ["203.0.113.9/32"]);
        assert_eq!(networks_of("::ffff:203.0.113.9"), ["203.0.113.9/32"]);
        assert_ne!(networks_of("203.0.113.9"), networks_of("203.0.113.10"));
        assert!(networks(None).is_empty());
    }

    #[test]
    fn ipv6_addresses_count_by_their_64_and_their_48() {
        assert_eq!(networks_of("2001:db8:1:2::9"), ["2001:db8:1:2::/64", "2001:db8:1::/48"]);
        assert_eq!(networks_of("2001:db8:1:2:ffff::1"), networks_of("2001:db8:1:2::9"), "one host's many addresses");
        let (near, far) = (networks_of("2001:db8:1:3::9"), networks_of("2001:db8:2:2::9"));
        assert_eq!(near[1], "2001:db8:1::/48");
        assert_ne!(near[0], "2001:db8:1:2::/64");
        assert_ne!(far[1], "2001:db8:1::/48");
        let factors: Vec<i64> =
            networks(Some("2001:db8::1".parse().unwrap())).into_iter().map(|(_, factor)| factor).collect();
        assert_eq!(factors, [1, SITE_FACTOR]);
    }
}
