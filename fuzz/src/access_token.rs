//! Input: a header, a payload (both JSON, signed here under our key) and an alteration, one a line.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use tacit::services::tokens::{self, Verified};

use super::service::{SECRET, app, verify_any};

pub fn check(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        // Nobody guesses a signature.
        assert!(verify_any(text).is_err());
    }
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let (Some(header), Some(payload)) = (lines.next(), lines.next()) else { return };
    let text = sign(header, payload);
    let Ok(verified) = verify_any(&text) else {
        assert!(tokens::verify(app(), &text).is_err(), "one way in is wider than the other");
        return;
    };
    let header: Value = serde_json::from_slice(header).expect("a good token's header is JSON");
    assert_eq!(header.as_object().map(serde_json::Map::len), Some(3), "{header}");
    assert_eq!((&header["alg"], &header["typ"]), (&Value::from("HS256"), &Value::from("at+jwt")));
    let audience = &app().config.tokens.audience;
    let key = app().access_keys.signing(audience).expect("a key");
    assert_eq!(header["kid"].as_str(), Some(key.kid.as_str()));
    let payload: Value = serde_json::from_slice(payload).expect("a good token's payload is JSON");
    let read = match &verified {
        Verified::User(claims) => {
            assert_eq!(tokens::verify(app(), &text).as_ref(), Ok(&**claims));
            serde_json::to_value(claims)
        }
        Verified::Client(claims) => {
            assert!(tokens::verify(app(), &text).is_err(), "a client's token passes for a user's");
            serde_json::to_value(claims)
        }
    };
    // Every claim says what any other parser would read.
    for (name, value) in read.expect("claims").as_object().expect("an object") {
        let same = &payload[name] == value || as_uuid(&payload[name]).is_some_and(|id| Some(id) == as_uuid(value));
        assert!(same, "{name}: {value} was read from {payload}");
    }
    let now = app().clock.now().unix_seconds();
    assert_eq!(payload["aud"], audience.as_str(), "the key is for one audience");
    assert_eq!(payload["iss"], app().config.tokens.issuer.as_str());
    assert!(payload["exp"].as_i64().is_some_and(|exp| exp + 1 >= now), "{payload}");
    assert!(payload["nbf"].is_null() || payload["nbf"].as_i64().is_some_and(|nbf| nbf <= now), "{payload}");
    if let Some([position, new, ..]) = lines.next() {
        alter(&text, usize::from(*position), char::from(*new));
    }
}

fn sign(header: &[u8], payload: &[u8]) -> String {
    let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(payload));
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("a key");
    mac.update(message.as_bytes());
    format!("{message}.{}", BASE64.encode(mac.finalize().into_bytes()))
}

fn as_uuid(value: &Value) -> Option<tacit::types::UserId> {
    value.as_str()?.parse().ok()
}

/// One character exchanged, left out or put in, anywhere: never good again.
fn alter(text: &str, position: usize, new: char) {
    for position in [position % text.len(), text.len() - 1 - position % text.len()] {
        let (before, from, after) = (&text[..position], &text[position..], &text[position + 1..]);
        for altered in [format!("{before}{new}{after}"), format!("{before}{after}"), format!("{before}{new}{from}")] {
            assert!(altered == text || verify_any(&altered).is_err(), "{altered}");
        }
    }
}
