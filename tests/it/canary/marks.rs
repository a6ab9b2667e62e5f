//! The marks, and how to find them again in whatever form they were written.

use std::collections::HashSet;
use std::sync::LazyLock;

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
    issued: HashSet<Vec<u8>>,
}

/// What of a token is looked for: its signature or random part, with which alone the rest could be made up.
const END: usize = 24;

impl Marks {
    /// Notes a token or a secret that the service itself made.
    pub fn note_issued(&mut self, text: &str) {
        let end = text.len().checked_sub(END).expect("a long text");
        self.issued.insert(text.as_bytes()[end..].to_vec());
    }

    pub fn issued(&self) -> usize {
        self.issued.len()
    }

    /// The first secret that stands in these bytes.
    pub fn find_secret(&self, haystack: &[u8]) -> Option<String> {
        static FORMS: LazyLock<Vec<String>> = LazyLock::new(|| forms(SECRET));
        let marked = find(haystack, &FORMS).cloned();
        marked.or_else(|| {
            let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
            let runs = haystack.split(|byte| !is_letter(byte)).filter(|run| run.len() >= END);
            let end = runs.flat_map(|run| run.windows(END)).find(|window| self.issued.contains(*window));
            end.map(|end| String::from_utf8_lossy(end).into_owned())
        })
    }
}

/// Whether a mark that begins so stands in these bytes.
pub fn is_marked(haystack: &[u8], mark: &str) -> bool {
    static FORMS: LazyLock<[Vec<String>; 2]> = LazyLock::new(|| [NAME, AGENT].map(forms));
    let known = if mark == NAME { &FORMS[0] } else { &FORMS[1] };
    find(haystack, known).is_some()
}

fn find<'a>(haystack: &[u8], forms: &'a [String]) -> Option<&'a String> {
    let lower = haystack.to_ascii_lowercase();
    let text = String::from_utf8_lossy(&lower);
    forms.iter().find(|form| text.contains(form.as_str()))
}

/// A text as a careless line would write it, in lower case: plain, base64 wherever it begins, hex, a list of bytes.
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
    forms.iter().map(|form| form.to_ascii_lowercase()).collect()
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
