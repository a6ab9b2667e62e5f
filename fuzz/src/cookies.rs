//! Input: `Cookie` headers, one a line.

use tacit::config::{CookiesConfig, SameSite};
use tacit::routers::parsers::{devices, presented};
use tacit::services::throttle::{Owner, device_cookie, known_device};
use tacit::types::UserId;

use super::service::{TRUSTED, app, lines, request};

/// As documented; a browser refuses these names from anything but their own host.
const SECURE: [&str; 3] = ["__Host-Http-tacit-access", "__Host-Http-tacit-refresh", "__Host-Http-tacit-device"];
const DEVELOPMENT: [&str; 3] = ["tacit-access", "tacit-refresh", "tacit-device"];

pub fn check(data: &[u8]) {
    let headers: Vec<(&'static str, &[u8])> = lines(data).into_iter().map(|line| ("cookie", line)).collect();
    let Some(request) = request(TRUSTED, &headers) else { return };
    for (secure, [access, refresh, device]) in [(true, SECURE), (false, DEVELOPMENT)] {
        let config = CookiesConfig { same_site: SameSite::Lax, secure };
        let found = presented(&request, &config);
        let texts = devices(&request, &config);
        let found_devices = texts.iter().map(String::as_str).collect();
        for (name, values) in [(access, &found.access), (refresh, &found.refresh), (device, &found_devices)] {
            assert!(values.len() <= 4, "{} of {name} are looked at", values.len());
            for value in values {
                assert!(!value.is_empty() && !value.contains(';') && value.trim() == *value, "{value:?}");
            }
            assert_eq!(values.is_empty(), first_values(data, name).is_empty(), "{name}");
            assert_eq!(**values, first_values(data, name), "{name}");
        }
        print_and_read(&config, access, &found.access);
        device_is_known_to_its_account_alone(&texts);
    }
}

/// No stranger's text is a device cookie, nor does one beside it, before it or behind it make or spoil one.
fn device_is_known_to_its_account_alone(texts: &[String]) {
    let keys = &app().refresh_keys;
    let id = UserId::from_bytes([7; 16]);
    let owner = Owner::new(id, "the hash of a password");
    assert_eq!(known_device(keys, &owner, texts), None, "{texts:?}");
    let cookie = device_cookie(app(), &owner, texts).expect("the throttle is on");
    let (device, tag) = cookie.split_once('.').expect("a device and its tag");
    let beside = [texts, std::slice::from_ref(&cookie)].concat();
    assert_eq!(known_device(keys, &owner, &beside).as_deref(), Some(device));
    assert_eq!(device_cookie(app(), &owner, &beside).as_deref(), Some(cookie.as_str()), "it stays the same");
    for other in [Owner::new(id, "another hash"), Owner::new(UserId::from_bytes([8; 16]), "the hash of a password")] {
        assert_eq!(known_device(keys, &other, &beside), None);
    }
    let altered = |text: &String| [format!("{text}{cookie}"), format!("{cookie}{text}"), format!("{text}.{tag}")];
    for altered in texts.iter().flat_map(altered) {
        assert_eq!(known_device(keys, &owner, std::slice::from_ref(&altered)), None, "{altered}");
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
