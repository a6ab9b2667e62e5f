//! Input: `Cookie` headers, one a line.

use tacit::config::{CookiesConfig, SameSite};
use tacit::routers::parsers::presented;

use super::service::{TRUSTED, lines, request};

/// As documented; a browser refuses these names from anything but their own host.
const SECURE: (&str, &str) = ("__Host-Http-tacit-access", "__Host-Http-tacit-refresh");
const DEVELOPMENT: (&str, &str) = ("tacit-access", "tacit-refresh");

pub fn check(data: &[u8]) {
    let headers: Vec<(&'static str, &[u8])> = lines(data).into_iter().map(|line| ("cookie", line)).collect();
    let Some(request) = request(TRUSTED, &headers) else { return };
    for (secure, (access, refresh)) in [(true, SECURE), (false, DEVELOPMENT)] {
        let config = CookiesConfig { same_site: SameSite::Lax, secure };
        let found = presented(&request, &config);
        for (name, values) in [(access, &found.access), (refresh, &found.refresh)] {
            assert!(values.len() <= 4, "{} of {name} are looked at", values.len());
            for value in values {
                assert!(!value.is_empty() && !value.contains(';') && value.trim() == *value, "{value:?}");
            }
            assert_eq!(values.is_empty(), first_values(data, name).is_empty(), "{name}");
            assert_eq!(**values, first_values(data, name), "{name}");
        }
        print_and_read(&config, access, &found.access);
    }
}

/// The values of the first four cookies of this very name that have one, read another way than the service does.
fn first_values<'a>(data: &'a [u8], name: &str) -> Vec<&'a str> {
    let pairs = data.split(|byte| *byte == b'\n').take(8).flat_map(|line| line.split(|byte| *byte == b';'));
    let texts = pairs.filter_map(|pair| std::str::from_utf8(pair).ok());
    let ours = texts.filter_map(|pair| pair.trim_start().strip_prefix(name)?.trim_start().strip_prefix('='));
    ours.map(str::trim).filter(|value| !value.is_empty()).take(4).collect()
}

/// What was read is read again from one well-formed header, in the same order.
fn print_and_read(config: &CookiesConfig, name: &str, values: &[&str]) {
    let header = values.iter().map(|value| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
    let again = request(TRUSTED, &[("cookie", header.as_bytes())]).expect("what came in a header fits into one");
    assert_eq!(presented(&again, config).access, values);
}
