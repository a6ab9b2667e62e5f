use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

use super::username::{fold, is_invisible};

/// An e-mail address: shown as typed, compared without case and with its domain in ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    shown: String,
    canonical: String,
}

impl Email {
    /// RFC 5321, section 4.5.3.1, and RFC 3696, erratum 1690, in bytes.
    const MAX_BYTES: usize = 254;
    const MAX_LOCAL_CHARACTERS: usize = 64;

    /// As its owner typed it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Folded local part, `@`, domain in ASCII (IDNA 2008, UTS 46): what the unique index holds.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl FromStr for Email {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const NOT_AN_ADDRESS: &str = "This is not an e-mail address";
        if text.len() > Self::MAX_BYTES {
            return Err("An e-mail address has at most 254 bytes");
        }
        let (local, domain) = text.split_once('@').filter(|parts| are_plain(*parts)).ok_or(NOT_AN_ADDRESS)?;
        // IDNA maps letter by letter before it composes, so that one text in two encodings could become two domains.
        let domain: String = domain.nfc().collect();
        let domain = idna::domain_to_ascii_strict(&domain).map_err(|_| NOT_AN_ADDRESS)?;
        let local = fold(local);
        // What folding made of it is an address as well: a letter may have become a space, an @, or eighteen letters.
        if !are_plain((&local, &domain)) || local.len() + 1 + domain.len() > Self::MAX_BYTES {
            return Err(NOT_AN_ADDRESS);
        }
        Ok(Self { shown: text.to_owned(), canonical: format!("{local}@{domain}") })
    }
}

/// Whether nothing in the two parts is missing, too long or hidden. IDNA ignores invisible characters, people overlook them.
fn are_plain((local, domain): (&str, &str)) -> bool {
    let hidden = |part: &str| part.chars().any(|c| is_invisible(c) || c == ' ' || c == '@');
    (1..=Email::MAX_LOCAL_CHARACTERS).contains(&local.chars().count())
        && !domain.is_empty()
        && !hidden(local)
        && !hidden(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_compared_without_case_and_with_the_domain_in_ascii() {
        let canonical = |text: &str| text.parse::<Email>().unwrap().canonical().to_owned();
        assert_eq!(canonical("Ann@Example.COM"), "ann@example.com");
        assert_eq!(canonical("ann@bücher.example"), canonical("ann@xn--bcher-kva.example"));
        assert_eq!(canonical("用户@例子.广告"), canonical("用户@xn--fsqu00a.xn--4rr70v"));
        assert_eq!(canonical("ann@localhost"), "ann@localhost");
        assert_eq!(canonical("a@\u{1f88}\u{333}b"), canonical("a@\u{391}\u{333}\u{313}\u{345}b"));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b c", "a\0@b", "a@-b.example", "a@b..c", "a@b\u{202e}.c"]
        {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
        // IDNA would overlook the first three; folded, the others hold a space or are over 64 characters.
        for bad in ["a@b\u{ad}c.example", "a@b\u{200b}c.example", "a@b\u{fe0f}.example", "\u{a8}@b.example"] {
            assert!(bad.parse::<Email>().is_err(), "{bad:?}");
        }
        assert!(format!("{}@b.example", "\u{fdfa}".repeat(4)).parse::<Email>().is_err());
        assert!(format!("{}@b.example", "a".repeat(65)).parse::<Email>().is_err());
        assert!(format!("a@{}.example", "b".repeat(250)).parse::<Email>().is_err());
    }
}
