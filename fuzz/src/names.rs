//! Input: a name, as somebody types it to register or to sign in.

use tacit::types::{Email, Identifier, Username};
use unicode_normalization::UnicodeNormalization;

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(name) = text.parse::<Username>() {
        check_username(text, &name);
    }
    if let Ok(email) = text.parse::<Email>() {
        check_email(text, &email);
    }
}

fn check_username(text: &str, name: &Username) {
    assert_eq!(name.shown(), text);
    check_characters(text);
    check_characters(name.canonical());
    assert!(!text.contains(['@', '/']) && !name.canonical().contains(['@', '/']), "{text:?}");
    assert!((1..=64).contains(&text.chars().count()), "{text:?}");
    assert_eq!(Identifier::parse(text), Some(Identifier::Username(name.clone())));
    let canonical = |text: &str| text.parse::<Username>().map(|name| name.canonical().to_owned());
    assert_eq!(canonical(name.canonical()).as_deref(), Ok(name.canonical()), "{text:?}");
    for same in spellings(text) {
        // A spelling may be too long to be a name; one that is none belongs to nobody.
        assert!(canonical(&same).is_err() || canonical(&same).as_deref() == Ok(name.canonical()), "{text:?}, {same:?}");
    }
}

fn check_email(text: &str, email: &Email) {
    assert_eq!(email.shown(), text);
    check_characters(text);
    check_characters(email.canonical());
    assert!(!text.contains(' ') && !email.canonical().contains(' '), "{text:?}");
    assert!(text.len() <= 254);
    assert_eq!(Identifier::parse(text), Some(Identifier::Email(email.clone())));
    let (_, domain) = email.canonical().split_once('@').expect("one @");
    assert!(!domain.contains('@') && domain.is_ascii() && domain == domain.to_ascii_lowercase(), "{domain}");
    assert!(!domain.is_empty() && !domain.starts_with('.') && !domain.ends_with('.'), "{domain}");
    let canonical = |text: &str| text.parse::<Email>().map(|email| email.canonical().to_owned());
    assert_eq!(canonical(email.canonical()).as_deref(), Ok(email.canonical()), "{text:?}");
    for same in spellings(text) {
        assert!(
            canonical(&same).is_err() || canonical(&same).as_deref() == Ok(email.canonical()),
            "{text:?}, {same:?}"
        );
    }
}

/// The same text in every normal form, and in capitals where that is only a matter of ASCII.
fn spellings(text: &str) -> [String; 5] {
    [
        text.nfc().collect(),
        text.nfd().collect(),
        text.nfkc().collect(),
        text.nfkd().collect(),
        text.to_ascii_uppercase(),
    ]
}

/// Control, bidi and zero-width characters, by their own list here.
fn check_characters(text: &str) {
    for c in text.chars() {
        let hidden = matches!(c,
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        assert!(!hidden, "{c:?} in {text:?}");
    }
}
