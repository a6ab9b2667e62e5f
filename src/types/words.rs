use std::fmt;
use std::str::FromStr;

/// Most words in one text: more are nobody's wish, and would be compared with each other.
const MAX_WORDS: usize = 100;

/// Most bytes of them all: they stand in each access token, which has to fit into a cookie.
const MAX_BYTES: usize = 1024;

/// Words that stand in one text, separated by spaces, each once: scopes, audiences.
///
/// A word is a scope-token of RFC 6749, section 3.3: visible ASCII without `"` and `\`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words(Vec<String>);

impl Words {
    /// The first of them, if there is any.
    pub fn first(&self) -> Option<&str> {
        self.0.first().map(String::as_str)
    }

    /// Each of them, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of them that are among `others`, in their own order.
    pub fn shared_with(&self, others: &Self) -> Self {
        Self(self.iter().filter(|word| others.contains(word)).map(str::to_owned).collect())
    }

    /// Whether this word is among them.
    pub fn contains(&self, word: &str) -> bool {
        self.iter().any(|known| known == word)
    }

    /// Whether each of them is among `others`.
    pub fn are_within(&self, others: &Self) -> bool {
        self.iter().all(|word| others.contains(word))
    }

    /// From single words, as options of the command line give them.
    pub fn of(words: &[String]) -> Result<Self, &'static str> {
        words.join(" ").parse()
    }
}

impl FromStr for Words {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut words: Vec<String> = Vec::new();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            if !word.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
                return Err("visible ASCII characters without quotes and backslashes");
            }
            if !words.iter().any(|known| known == word) {
                if words.len() == MAX_WORDS {
                    return Err("at most 100 of them");
                }
                words.push(word.to_owned());
            }
        }
        let words = Self(words);
        if words.to_string().len() > MAX_BYTES {
            return Err("at most 1024 bytes in all, since they stand in every access token");
        }
        Ok(words)
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_once_each_and_nothing_but_visible_ascii() {
        let words: Words = " read  write read ".parse().unwrap();
        assert_eq!(words.to_string(), "read write");
        assert!("write".parse::<Words>().unwrap().are_within(&words));
        assert!(!"write delete".parse::<Words>().unwrap().are_within(&words));
        assert_eq!(words.shared_with(&"delete write".parse().unwrap()).to_string(), "write");
        for bad in ["a\"b", "a\\b", "a\tb", "\u{e9}", "a\0"] {
            assert!(bad.parse::<Words>().is_err(), "{bad:?}");
        }
        let many =
            |count: usize| (0..count).map(|n| format!("w{n}")).chain(["w0".to_owned()]).collect::<Vec<_>>().join(" ");
        assert!(many(MAX_WORDS).parse::<Words>().is_ok());
        assert!(many(MAX_WORDS + 1).parse::<Words>().is_err());
        let long = |count: usize| "w".repeat(count).parse::<Words>();
        assert!(long(MAX_BYTES).is_ok() && long(MAX_BYTES + 1).is_err());
    }
}
