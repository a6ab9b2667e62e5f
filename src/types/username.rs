use std::str::FromStr;

use unicode_normalization::UnicodeNormalization;

/// A name to sign in with: shown as typed, compared in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    shown: String,
    canonical: String,
}

impl Username {
    const MAX_CHARACTERS: usize = 64;

    /// As its owner typed it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// NFKC, full case folding, NFKC again: what the unique index holds.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

impl FromStr for Username {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check(text)?;
        let canonical = fold(text);
        check(&canonical)?;
        Ok(Self { shown: text.to_owned(), canonical })
    }
}

fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.chars().nth(Username::MAX_CHARACTERS).is_some() {
        return Err("A username has 1 to 64 characters");
    }
    if text.contains('@') {
        return Err("A username has no @; send an address as email");
    }
    if text.contains('/') {
        return Err("A username has no slash");
    }
    if text.starts_with(' ') || text.ends_with(' ') || text.contains("  ") {
        return Err("A username has no leading, trailing or double space");
    }
    if text.chars().any(is_invisible) {
        return Err("A username has no control, direction or zero-width characters");
    }
    Ok(())
}

/// Canonical caseless form (Unicode 3.13, D146, with NFKC): equal names are equal bytes, whatever the database.
pub(super) fn fold(text: &str) -> String {
    let normalized: String = text.nfkc().collect();
    caseless::default_case_fold_str(&normalized).nfkc().collect()
}

/// Control and format characters, line separators, private use, and what renders as nothing: none belongs into a name.
pub(super) fn is_invisible(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(u32::from(c),
            0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164
            | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFF | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A
            | 0xE000..=0xF8FF | 0xE0000..=0x0010_FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        text.parse::<Username>().unwrap().canonical().to_owned()
    }

    #[test]
    fn names_that_look_the_same_are_the_same() {
        assert_eq!(canonical("Alice"), canonical("ALICE"));
        assert_eq!(canonical("ｆｕｌｌ"), canonical("full"));
        assert_eq!(canonical("Straße"), canonical("STRASSE"));
        assert_eq!(canonical("e\u{301}"), canonical("É"));
    }

    #[test]
    fn a_name_is_shown_as_typed() {
        assert_eq!("Straße".parse::<Username>().unwrap().shown(), "Straße");
    }

    #[test]
    fn names_that_deceive_are_refused() {
        for bad in [
            "",
            " a",
            "a ",
            "a  b",
            "a@b",
            "a/b",
            "a\0b",
            "a\nb",
            "a\u{202e}b",
            "a\u{200b}b",
            "a\u{feff}b",
            "a\u{3000}b",
            "a\u{ad}b",
            "＠",
            "\u{2100}",
        ] {
            assert!(bad.parse::<Username>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(65).parse::<Username>().is_err());
        assert!("é".repeat(64).parse::<Username>().is_ok());
    }
}
