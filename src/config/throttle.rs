use std::time::Duration;

use super::ServerConfig;
use super::settings::Reader;

/// Section `throttle`: what guessing passwords meets.
#[derive(Clone, Debug)]
pub struct ThrottleConfig {
    /// `throttle.enabled`.
    pub enabled: bool,
    /// `throttle.window`: what failures are counted over.
    pub window: Duration,
    /// `throttle.account_failures`: failures on one account before they are delayed.
    pub account_failures: u32,
    /// `throttle.first_delay`: the first delay, doubled by each failure after it.
    pub first_delay: Duration,
    /// `throttle.max_delay`: what it grows to at most.
    pub max_delay: Duration,
    /// `throttle.address_failures`: failures from one address before it has to wait for a whole window.
    pub address_failures: u32,
    /// `throttle.address_names`: different names that one address may fail with.
    pub address_names: u32,
}

impl ThrottleConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig) -> Self {
        const DAY: Duration = Duration::from_secs(86_400);
        const SECOND: Duration = Duration::from_secs(1);
        let config = Self {
            enabled: r.get("throttle.enabled", "true"),
            window: r.get("throttle.window", "15m"),
            account_failures: r.get("throttle.account_failures", "10"),
            first_delay: r.get("throttle.first_delay", "30s"),
            max_delay: r.get("throttle.max_delay", "15m"),
            address_failures: r.get("throttle.address_failures", "100"),
            address_names: r.get("throttle.address_names", "30"),
        };
        if !config.enabled {
            let message = "without it passwords can be guessed as fast as they are hashed; leave it on";
            r.unsafe_unless(server.is_loopback(), "throttle.enabled", message);
        }
        config.check_strength(r, server);
        for (key, span) in
            [("window", config.window), ("first_delay", config.first_delay), ("max_delay", config.max_delay)]
        {
            if !(SECOND..=DAY).contains(&span) {
                r.problem(&format!("throttle.{key}"), "expected 1s to 1d");
            }
        }
        if config.first_delay > config.max_delay {
            r.problem("throttle.first_delay", "longer than throttle.max_delay");
        }
        for (key, count) in [
            ("account_failures", config.account_failures),
            ("address_failures", config.address_failures),
            ("address_names", config.address_names),
        ] {
            if !(2..=1_000_000).contains(&count) {
                r.problem(&format!("throttle.{key}"), "expected 2 to 1000000");
            }
        }
        config
    }

    /// A limit that nobody reaches is none: 100 failures on an account are what NIST SP 800-63B-4 allows.
    fn check_strength(&self, r: &mut Reader<'_>, server: &ServerConfig) {
        const MINUTE: Duration = Duration::from_secs(60);
        for (key, count, most) in [
            ("account_failures", self.account_failures, 100),
            ("address_failures", self.address_failures, 10_000),
            ("address_names", self.address_names, 10_000),
        ] {
            if count > most {
                let message = format!("above {most} it stops nobody who guesses; lower it");
                r.unsafe_unless(server.is_loopback(), &format!("throttle.{key}"), message);
            }
        }
        for (key, span) in [("window", self.window), ("max_delay", self.max_delay)] {
            if span < MINUTE {
                let message = "below 1m it stops nobody who guesses; raise it";
                r.unsafe_unless(server.is_loopback(), &format!("throttle.{key}"), message);
            }
        }
    }
}
