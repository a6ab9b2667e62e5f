//! Input: 53 bytes for a token, then a position, a mask and what else is to be read as a token.

use tacit::services::refresh_token::{RefreshToken, Unusable};
use tacit::types::{SessionId, Timestamp};

use super::service::app;

pub fn check(data: &[u8]) {
    let keys = &app().refresh_keys;
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(token) = RefreshToken::decode_expired(keys, text)
    {
        assert_eq!(token.encode(keys), text, "a token in two spellings");
    }
    let Some((token, rest)) = token(data) else { return };
    let text = token.encode(keys);
    assert_eq!(RefreshToken::decode_expired(keys, &text), Ok(token.clone()));
    let now = token.expires_at;
    assert_eq!(RefreshToken::decode(keys, &text, now), Err(Unusable::Expired));
    for altered in alterations(&text, rest) {
        if altered != text {
            assert_eq!(RefreshToken::decode_expired(keys, &altered), Err(Unusable::Invalid), "{altered}");
        }
    }
}

fn token(data: &[u8]) -> Option<(RefreshToken, &[u8])> {
    let (session_id, rest) = data.split_first_chunk::<16>()?;
    let (generation, rest) = rest.split_first_chunk::<8>()?;
    let (expiry, rest) = rest.split_first_chunk::<5>()?;
    let (branch, rest) = rest.split_first_chunk::<8>()?;
    let (secret, rest) = rest.split_first_chunk::<16>()?;
    let seconds = expiry.iter().fold(0, |seconds: i64, byte| (seconds << 8) | i64::from(*byte));
    let token = RefreshToken {
        session_id: SessionId::from_bytes(*session_id),
        generation: i64::from_be_bytes(*generation),
        expires_at: Timestamp::from_unix_seconds(seconds),
        branch: *branch,
        secret: *secret,
    };
    Some((token, rest))
}

/// One character exchanged, one left out, one put in, and everything from one on replaced.
fn alterations(text: &str, rest: &[u8]) -> Vec<String> {
    let [position, new, tail @ ..] = rest else { return Vec::new() };
    let position = usize::from(*position) % text.len();
    let new = char::from(*new);
    let (before, after) = (&text[..position], &text[position + 1..]);
    let tail = String::from_utf8_lossy(tail);
    vec![
        format!("{before}{new}{after}"),
        format!("{before}{after}"),
        format!("{}{new}{}", before, &text[position..]),
        format!("{before}{tail}"),
        format!("{text}{tail}"),
        format!("{tail}{text}"),
        text.to_uppercase(),
    ]
}
