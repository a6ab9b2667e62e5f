//! Password hashes in the formats we verify, and the rules for a new password.

#![expect(clippy::disallowed_methods, reason = "the one home of bcrypt")]

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bcrypt::{HashParts, Version};
use hmac::{Hmac, KeyInit, Mac};
use prometheus::IntCounter;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::app::App;
use crate::error::Error;
use crate::types::{Password, random_bytes};

/// passlib's name for bcrypt over a base64 HMAC-SHA256: no 72-byte limit, no NUL trap.
const PREFIX: &str = "$bcrypt-sha256$v=2,t=2b,r=";

/// Plain bcrypt reads no more bytes of a password than this.
const BCRYPT_MAX_BYTES: usize = 72;

/// bcrypt's own limits.
const COSTS: std::ops::RangeInclusive<u32> = 4..=31;

/// Longest new password, in characters.
const MAX_CHARACTERS: usize = 128;

/// Fewer guesses than this, by zxcvbn's estimate, and a new password is refused.
const MIN_GUESSES: u64 = 100_000;

/// Hashes and checks passwords.
pub struct Hashing<'a> {
    cost: u32,
    /// Raised by 2^cost for each hash: what sign-ins cost, the same for all that are refused.
    rounds: &'a IntCounter,
}

/// What checking a password found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether it is right.
    pub correct: bool,
    /// A hash to store instead, if the stored one is plain bcrypt or cheaper than is configured.
    pub rehash: Option<String>,
}

enum Stored<'a> {
    BcryptSha256 { cost: u32, salt: &'a str, raw_salt: [u8; 16], digest: &'a str },
    Bcrypt { cost: u32 },
    Unknown,
}

fn parse(stored: &str) -> Stored<'_> {
    if let Some(rest) = stored.strip_prefix(PREFIX) {
        let mut parts = rest.split('$');
        if let (Some(cost), Some(salt), Some(digest), None) = (parts.next(), parts.next(), parts.next(), parts.next())
            && let Ok(cost) = cost.parse()
            && COSTS.contains(&cost)
            && salt.len() == 22
            // bcrypt's own parser turns the salt's text into bytes.
            && let Ok(whole) = format!("$2b${cost:02}${salt}{digest}").parse::<HashParts>()
        {
            return Stored::BcryptSha256 { cost, salt, raw_salt: whole.get_salt_raw(), digest };
        }
    } else if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| stored.starts_with(prefix))
        && let Ok(parts) = stored.parse::<HashParts>()
    {
        return Stored::Bcrypt { cost: parts.get_cost() };
    }
    Stored::Unknown
}

impl<'a> Hashing<'a> {
    /// At the cost that is configured.
    pub fn of(app: &'a App) -> Self {
        Self { cost: app.config.passwords.bcrypt_cost, rounds: &app.metrics.hash_rounds }
    }

    /// Hashes a new password: `$bcrypt-sha256$v=2,t=2b,r=COST$<22 of salt>$<31 of digest>`.
    pub fn hash(&self, password: &Password) -> Result<String, Error> {
        let salt: [u8; 16] = random_bytes();
        // The 22 characters of the salt are the HMAC's key, so they are wanted before the hash is made.
        let salt_text = self.bcrypt("", 4, salt)?.get_salt();
        let digest = self.bcrypt(&prehash(password, &salt_text), self.cost, salt)?.format_for_version(Version::TwoB);
        let digest = digest.get(29..).unwrap_or_default();
        Ok(format!("{PREFIX}{}${salt_text}${digest}", self.cost))
    }

    /// A hash that no password has, at the configured cost: checking against it takes as long as against a real one.
    pub fn dummy(&self) -> String {
        format!("{PREFIX}{}$abcdefghijklmnopqrstuu${}", self.cost, "a".repeat(31))
    }

    /// Checks a password against a stored hash. A wrong one takes as long as at the configured cost, also where the
    /// stored hash is cheaper; an unreadable hash is checked like a dummy and never right.
    pub fn check(&self, password: &Password, stored: &str) -> Result<Checked, Error> {
        let (correct, stored_cost, upgrade) = match parse(stored) {
            Stored::BcryptSha256 { cost: stored_cost, salt, raw_salt, digest } => {
                let computed = self.bcrypt(&prehash(password, salt), stored_cost, raw_salt)?;
                let computed = computed.format_for_version(Version::TwoB);
                let computed = computed.get(29..).unwrap_or_default();
                (computed.as_bytes().ct_eq(digest.as_bytes()).into(), stored_cost, stored_cost < self.cost)
            }
            Stored::Bcrypt { cost: stored_cost } => {
                self.count_rounds(stored_cost);
                let correct = bcrypt::verify(password.expose(), stored).map_err(failed)?;
                // Of a longer password only the first 72 bytes were checked: the rest is not known to be right.
                (correct, stored_cost, password.expose().len() <= BCRYPT_MAX_BYTES)
            }
            Stored::Unknown => {
                self.check(password, &self.dummy())?;
                return Ok(Checked { correct: false, rehash: None });
            }
        };
        if !correct {
            // 2^c + 2^c + 2^(c+1) + .. + 2^(cost-1) = 2^cost rounds in all.
            for missing in stored_cost..self.cost {
                self.bcrypt("", missing, [0; 16])?;
            }
        }
        let rehash = if correct && upgrade { Some(self.hash(password)?) } else { None };
        Ok(Checked { correct, rehash })
    }

    fn bcrypt(&self, password: &str, cost: u32, salt: [u8; 16]) -> Result<HashParts, Error> {
        self.count_rounds(cost);
        bcrypt::hash_with_salt(password, cost, salt).map_err(failed)
    }

    fn count_rounds(&self, cost: u32) {
        self.rounds.inc_by(1 << cost);
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Internal(format!("bcrypt failed: {error}"))
}

#[expect(clippy::expect_used, reason = "RFC 2104 takes keys of any length, and so does this library")]
fn prehash(password: &Password, salt: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(password.expose().as_bytes());
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// The rules for a new password; `about` are its owner's own names, `field` is the member of the request that holds it.
pub fn check_new(app: &App, field: &'static str, password: &Password, about: &[&str]) -> Result<(), Error> {
    let host = app.config.server.public_url.host();
    let words: Vec<&str> = about.iter().copied().chain(context(&host)).collect();
    judge(field, password, &words, app.config.passwords.min_length)
}

/// What everybody who guesses here tries besides a person's names: this service's name, and the words of its host.
fn context(host: &str) -> impl Iterator<Item = &str> {
    ["tacit", host].into_iter().chain(host.split(['.', '-']).filter(|word| word.len() > 3))
}

fn judge(field: &'static str, password: &Password, about: &[&str], min_length: usize) -> Result<(), Error> {
    let weak = |detail: String| Err(Error::WeakPassword { field, detail });
    let length = password.expose().chars().count();
    if length < min_length {
        return weak(format!("The password needs at least {min_length} characters"));
    }
    if length > MAX_CHARACTERS {
        return weak(format!("The password has more than {MAX_CHARACTERS} characters"));
    }
    if zxcvbn::zxcvbn(&without_emoji_order(password.expose()), about).guesses() < MIN_GUESSES {
        return weak("The password is too easy to guess".to_owned());
    }
    Ok(())
}

/// zxcvbn takes neighbours by code point for a sequence like "abcdef". Nobody knows emoji in that order, so characters
/// beyond the basic plane are spread over a plane: the same stay the same, and neighbours are none.
fn without_emoji_order(password: &str) -> String {
    const PLANE: u32 = 0x2_0000;
    // Odd, hence one to one; far from any small distance.
    const FACTOR: u32 = 40_503;
    let spread = |c: char| char::from_u32(PLANE | (u32::from(c).wrapping_mul(FACTOR) & 0xFFFF)).unwrap_or(c);
    password.chars().map(|c| if u32::from(c) > 0xFFFF { spread(c) } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(text.to_owned()).unwrap()
    }

    fn hash(password: &Password, cost: u32) -> Result<String, Error> {
        Hashing { cost, rounds: &IntCounter::new("rounds", "rounds").unwrap() }.hash(password)
    }

    fn check(password: &Password, stored: &str, cost: u32) -> Result<Checked, Error> {
        Hashing { cost, rounds: &IntCounter::new("rounds", "rounds").unwrap() }.check(password, stored)
    }

    #[test]
    fn a_hash_has_passlibs_format_and_verifies() {
        let stored = hash(&password("correct horse"), 4).unwrap();
        let rest = stored.strip_prefix("$bcrypt-sha256$v=2,t=2b,r=4$").unwrap();
        let (salt, digest) = rest.split_once('$').unwrap();
        assert_eq!((salt.len(), digest.len()), (22, 31));
        assert!(".Oeu".contains(salt.chars().last().unwrap()));
        assert_eq!(check(&password("correct horse"), &stored, 4).unwrap(), Checked { correct: true, rehash: None });
        assert!(!check(&password("correct horsf"), &stored, 4).unwrap().correct);
    }

    #[test]
    fn a_hash_that_passlib_made_verifies() {
        // From passlib's documentation of bcrypt_sha256.
        let stored = "$bcrypt-sha256$v=2,t=2b,r=12$n79VH.0Q2TMWmt3Oqt9uku$Kq4Noyk3094Y2QlB8NdRT8SvGiI4ft2";
        assert!(check(&password("password"), stored, 12).unwrap().correct);
    }

    #[test]
    fn plain_bcrypt_verifies_and_is_rehashed_unless_the_password_was_cut() {
        let plain = bcrypt::hash_with_salt("secret word", 4, [7; 16]).unwrap();
        for version in [Version::TwoA, Version::TwoB, Version::TwoY] {
            let checked = check(&password("secret word"), &plain.format_for_version(version), 4).unwrap();
            assert!(checked.correct && checked.rehash.unwrap().starts_with(PREFIX));
        }
        let long = "x".repeat(80);
        let plain = bcrypt::hash_with_salt(&long, 4, [7; 16]).unwrap().format_for_version(Version::TwoB);
        assert_eq!(check(&password(&long), &plain, 4).unwrap(), Checked { correct: true, rehash: None });
    }

    #[test]
    fn a_cheaper_hash_is_rehashed_and_a_dearer_one_kept() {
        let stored = hash(&password("secret word"), 4).unwrap();
        assert!(check(&password("secret word"), &stored, 5).unwrap().rehash.unwrap().contains("r=5$"));
        let stored = hash(&password("secret word"), 5).unwrap();
        assert_eq!(check(&password("secret word"), &stored, 4).unwrap().rehash, None);
    }

    #[test]
    fn what_is_no_hash_is_never_right() {
        for stored in [
            "",
            "!",
            "x",
            "$2b$",
            "$bcrypt-sha256$v=2,t=2b,r=4$a$b",
            "$bcrypt-sha256$v=2,t=2b,r=99$abcdefghijklmnopqrstuu$aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert!(!check(&password("password"), stored, 4).unwrap().correct, "{stored}");
        }
        let dummy = Hashing { cost: 4, rounds: &IntCounter::new("rounds", "rounds").unwrap() }.dummy();
        assert!(!check(&password(""), &dummy, 4).unwrap().correct);
    }

    #[test]
    fn bytes_beyond_bcrypts_limit_and_nul_count() {
        let long = "x".repeat(100);
        let stored = hash(&password(&long), 4).unwrap();
        assert!(!check(&password(&"x".repeat(101)), &stored, 4).unwrap().correct);
        let stored = hash(&password("a\0b"), 4).unwrap();
        assert!(!check(&password("a\0c"), &stored, 4).unwrap().correct);
    }

    #[test]
    fn guessable_passwords_fall_and_odd_ones_pass() {
        for weak in ["password1", "qwerty456", "letmein123", "aaaaaaaaaaaa", "short", &"x".repeat(129)] {
            assert!(judge("password", &password(weak), &[], 8).is_err(), "{weak}");
        }
        let emoji: String = (0..64).filter_map(|n| char::from_u32(0x1F600 + n)).collect();
        for good in ["testpass123", "correct horse battery staple", &emoji] {
            assert!(judge("password", &password(good), &[], 8).is_ok(), "{good}");
        }
        assert!(judge("password", &password("xavierquint"), &["xavierquint"], 8).is_err());
    }
    #[test]
    fn the_words_of_the_place_are_guessable_too() {
        let words: Vec<&str> = context("login.quintagon-bakery.example").collect();
        assert_eq!(words, ["tacit", "login.quintagon-bakery.example", "login", "quintagon", "bakery", "example"]);
        for weak in ["quintagon", "Quintagon1", "tacittacit", "nogatniuq"] {
            assert!(judge("password", &password(weak), &words, 8).is_err(), "{weak}");
        }
        assert!(judge("password", &password("quintagon"), &[], 8).is_ok(), "elsewhere it is a word like any other");
    }
    #[test]
    fn common_passwords_fall() {
        // From the heads of the usual lists, those that are long enough to be taken otherwise.
        for weak in [
            "123456789",
            "password",
            "12345678",
            "1234567890",
            "baseball",
            "football",
            "jennifer",
            "superman",
            "trustno1",
            "michelle",
            "sunshine",
            "starwars",
            "computer",
            "corvette",
            "princess",
            "iloveyou",
            "qwertyuiop",
            "11111111",
            "internet",
            "1q2w3e4r",
            "mercedes",
            "samantha",
            "whatever",
            "steelers",
            "chocolate",
            "butterfly",
            "liverpool",
            "password123",
            "Password1!",
            "P@ssw0rd",
            "welcome1",
            "admin123",
            "qwerty123",
            "abcd1234",
            "asdfghjkl",
        ] {
            assert!(judge("password", &password(weak), &[], 8).is_err(), "{weak}");
        }
    }
}
