//! The marks, and how to find them again in whatever form they were written.

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

/// Begins every mark of a secret; nothing else looks like it.
const SECRET: &str = "cAnArY7Gh2Lm";

/// Begins every mark of a name.
pub const NAME: &str = "nAmEmArK4Tz9";

/// Begins every mark of a user agent.
pub const AGENT: &str = "aGeNtMaRk5Px8";

/// A password, a token, anything that nobody may see; also a good password.
pub fn marked_secret(kind: &str) -> String {
    format!("{SECRET}-{kind}-horse-staple")
}

/// A name, as somebody types it.
pub fn marked_name(kind: &str) -> String {
    format!("{NAME}-{kind}")
}

/// What came back and is secret, and how to find that and all marks of secrets.
#[derive(Default)]
pub struct Marks {
    issued: BTreeSet<String>,
}

impl Marks {
    /// Notes a token or a secret that the service itself made.
    pub fn note_issued(&mut self, text: &str) {
        assert!(text.len() >= 24, "{text}");
        self.issued.insert(text.to_owned());
    }

    pub fn issued(&self) -> usize {
        self.issued.len()
    }

    /// The first secret that stands in these bytes.
    pub fn find_secret(&self, haystack: &[u8]) -> Option<String> {
        let lower = haystack.to_ascii_lowercase();
        let marked = forms(SECRET).into_iter().find(|form| contains(&lower, &form.to_ascii_lowercase()));
        marked.or_else(|| {
            // Neither a whole token nor its signature or random part alone.
            let ends = self.issued.iter().map(|text| text.get(text.len() - 24..).expect("ASCII").to_owned());
            ends.into_iter().find(|end| contains(haystack, end))
        })
    }
}

/// Whether a mark that begins so stands in these bytes.
pub fn is_marked(haystack: &[u8], mark: &str) -> bool {
    let lower = haystack.to_ascii_lowercase();
    forms(mark).iter().any(|form| contains(&lower, &form.to_ascii_lowercase()))
}

/// A text as a careless line would write it: plain, base64 wherever it begins, hex, a list of bytes.
fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.to_owned()];
    for before in 0..3 {
        let shifted = [vec![0; before], text.as_bytes().to_vec()].concat();
        for encoded in [BASE64_STANDARD.encode(&shifted), BASE64_URL_SAFE_NO_PAD.encode(&shifted)] {
            // Less what neighbouring bytes have a share in.
            forms.push(encoded.get(before + usize::from(before > 0)..text.len()).expect("ASCII").to_owned());
        }
    }
    forms.push(text.bytes().map(|byte| format!("{byte:02x}")).collect());
    forms.push(text.bytes().map(|byte| byte.to_string()).collect::<Vec<_>>().join(", "));
    forms
}

fn contains(haystack: &[u8], needle: &str) -> bool {
    let needle = needle.as_bytes();
    let Some(first) = needle.first() else { return false };
    haystack
        .iter()
        .enumerate()
        .filter(|(_, byte)| *byte == first)
        .any(|(position, _)| haystack.get(position..position + needle.len()) == Some(needle))
}

#[test]
fn a_mark_is_found_in_every_form() {
    let mut marks = Marks::default();
    let secret = marked_secret("x");
    let token = "eyJhbGciOiJIUzI1NiJ9.e30.0123456789abcdefghijklmnop";
    marks.note_issued(token);
    for leak in [
        format!("password={secret}"),
        secret.to_uppercase(),
        format!("Basic {}", BASE64_STANDARD.encode(format!("id:{secret}"))),
        format!("Basic {}", BASE64_STANDARD.encode(format!("i:{secret}"))),
        BASE64_URL_SAFE_NO_PAD.encode(&secret),
        format!("{:?}", secret.as_bytes()),
        secret.bytes().map(|byte| format!("{byte:02X}")).collect(),
        format!("got {}", &token[20..]),
    ] {
        assert!(marks.find_secret(format!("a line with {leak} in it").as_bytes()).is_some(), "{leak}");
    }
    assert_eq!(marks.find_secret(b"a line with cAnArY and eyJhbGciOiJIUzI1NiJ9"), None);
    assert!(is_marked(marked_name("y").to_lowercase().as_bytes(), NAME));
}
