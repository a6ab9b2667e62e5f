use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::types::{PublicKey, SigningAlgorithm, Timestamp};

/// What the index file says: which key pair signs, and which verify.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// The id of the pair that signs; `null`: `tokens.secret` signs, by HS256.
    pub signing: Option<String>,
    /// Every pair that verifies, in the order in which they were added.
    pub keys: Vec<Entry>,
}

/// One key pair of the index; it lies in `<kid>.pem`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// RFC 7638.
    pub kid: String,
    /// "EdDSA" or "ES256".
    #[serde(with = "algorithm")]
    pub alg: SigningAlgorithm,
    /// When it was added: ISO 8601.
    #[serde(with = "moment")]
    pub created_at: Timestamp,
    /// When it last stopped signing: ISO 8601; absent if it never signed, or signs now.
    #[serde(with = "optional_moment", default, skip_serializing_if = "Option::is_none")]
    pub signed_until: Option<Timestamp>,
    /// The longest `tokens.access_ttl` that was configured when it began or ceased to sign, in seconds; absent if it
    /// never signed. What is configured when its tokens are to be gone may be shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_ttl: Option<u64>,
}

impl Index {
    /// More keys than this are a mistake.
    pub const MAX_KEYS: usize = 64;

    /// Reads a file's text; the error ends the sentence "the file ..".
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let index: Self = serde_json::from_slice(text).map_err(|error| format!("is no index of keys ({error})"))?;
        if index.keys.len() > Self::MAX_KEYS {
            return Err(format!("names more than {} keys", Self::MAX_KEYS));
        }
        for (position, entry) in index.keys.iter().enumerate() {
            if !PublicKey::is_thumbprint(&entry.kid) {
                return Err("names a key whose kid is no RFC 7638 thumbprint".to_owned());
            }
            if index.keys.iter().take(position).any(|earlier| earlier.kid == entry.kid) {
                return Err(format!("names {} twice", entry.kid));
            }
        }
        match &index.signing {
            Some(kid) if index.find(kid).is_none() => Err("lets a key sign that it does not list".to_owned()),
            _ => Ok(index),
        }
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        // Texts and times only: this cannot fail.
        let text = serde_json::to_string_pretty(self).unwrap_or_default();
        format!("{text}\n")
    }

    /// The pair of this id.
    pub fn find(&self, kid: &str) -> Option<&Entry> {
        self.keys.iter().find(|entry| entry.kid == kid)
    }

    /// Lets another key sign from `now` on; `None`: `tokens.secret`. `access_ttl`: how long tokens live.
    pub fn sign_with(&mut self, kid: Option<String>, access_ttl: Duration, now: Timestamp) {
        for entry in &mut self.keys {
            if Some(&entry.kid) == kid.as_ref() {
                entry.signed_until = None;
            } else if Some(&entry.kid) == self.signing.as_ref() {
                entry.signed_until = Some(now);
            } else {
                continue;
            }
            entry.access_ttl = entry.access_ttl.max(Some(access_ttl.as_secs()));
        }
        self.signing = kid;
    }
}

mod algorithm {
    use super::{Deserialize, Deserializer, Serializer, SigningAlgorithm};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(algorithm: &SigningAlgorithm, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(algorithm.as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SigningAlgorithm, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = SigningAlgorithm::ALL.into_iter().find(|algorithm| algorithm.as_str() == text);
        known
            .filter(|algorithm| *algorithm != SigningAlgorithm::Hs256)
            .ok_or_else(|| serde::de::Error::custom("alg is EdDSA or ES256"))
    }
}

mod moment {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub fn serialize<S: Serializer>(moment: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&moment.to_iso8601())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        let text = String::deserialize(deserializer)?;
        Timestamp::parse_iso8601(&text).ok_or_else(|| serde::de::Error::custom("a time is ISO 8601, with its offset"))
    }
}

mod optional_moment {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp, moment};

    #[derive(Deserialize)]
    struct Moment(#[serde(with = "moment")] Timestamp);

    #[expect(clippy::ref_option, reason = "serde's signature")]
    pub fn serialize<S: Serializer>(moment: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        moment.map(Timestamp::to_iso8601).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Ok(Option::<Moment>::deserialize(deserializer)?.map(|Moment(moment)| moment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(letter: &str) -> Entry {
        let created_at = Timestamp::from_unix_seconds(1_700_000_000);
        Entry { kid: letter.repeat(43), alg: SigningAlgorithm::EdDsa, created_at, signed_until: None, access_ttl: None }
    }

    #[test]
    fn what_was_written_is_read_back() {
        let mut index = Index { signing: None, keys: vec![entry("a"), entry("b")] };
        assert_eq!(Index::parse(index.to_text().as_bytes()), Ok(index.clone()));
        let moment = Timestamp::from_unix_seconds(1_700_000_100);
        index.sign_with(Some("a".repeat(43)), Duration::from_secs(60), moment);
        assert!(index.keys.iter().all(|entry| entry.signed_until.is_none()));
        assert_eq!(index.find(&"a".repeat(43)).unwrap().access_ttl, Some(60));
        index.sign_with(Some("b".repeat(43)), Duration::from_secs(5), moment);
        assert_eq!(index.find(&"a".repeat(43)).unwrap().signed_until, Some(moment));
        assert_eq!(Index::parse(index.to_text().as_bytes()), Ok(index.clone()));
        index.sign_with(Some("a".repeat(43)), Duration::from_secs(5), moment);
        let first = index.find(&"a".repeat(43)).unwrap();
        assert_eq!((first.signed_until, first.access_ttl), (None, Some(60)));
        index.sign_with(None, Duration::from_secs(5), moment);
        assert_eq!((index.signing, index.keys.iter().filter(|key| key.signed_until.is_some()).count()), (None, 2));
    }

    #[test]
    fn an_index_that_is_not_whole_is_refused() {
        let good = Index { signing: Some("a".repeat(43)), keys: vec![entry("a")] }.to_text();
        assert!(Index::parse(good.as_bytes()).is_ok());
        for cut in 0..good.trim_end().len() {
            assert!(Index::parse(&good.as_bytes()[..cut]).is_err(), "{cut}");
        }
        for (from, to) in [
            ("EdDSA", "HS256"),
            ("EdDSA", "RS256"),
            ("EdDSA", "eddsa"),
            ("\"keys\"", "\"kees\""),
            (&"a".repeat(43), "../secret"),
            ("2023-", "yesterday"),
            ("\"signing\": \"a", "\"signing\": \"b"),
        ] {
            assert!(Index::parse(good.replace(from, to).as_bytes()).is_err(), "{from} as {to}");
        }
        let twice = Index { signing: None, keys: vec![entry("a"), entry("a")] };
        assert!(Index::parse(twice.to_text().as_bytes()).unwrap_err().contains("twice"));
        let many = Index { signing: None, keys: vec![entry("a"); Index::MAX_KEYS + 1] };
        assert!(Index::parse(many.to_text().as_bytes()).unwrap_err().contains("more than"));
    }
}
