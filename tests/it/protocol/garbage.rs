//! What is no refresh token of ours is refused before any database is asked.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use tacit::app::RefreshKeys;
use tacit::config::KeyRing;
use tacit::services::refresh_token::RefreshToken;
use tacit::types::{Secret, SessionId, Timestamp};

use super::{ACCESS_SECRET, REFRESH_SECRET, Untouched, grant, present, reason, replica, rotate, signed_in_with};
use crate::app::Tacit;

/// Where each field of a token begins, in bytes, and its name.
const FIELDS: [(usize, &str); 7] =
    [(0, "key id"), (1, "session id"), (17, "generation"), (25, "expiry"), (30, "branch"), (38, "secret"), (54, "MAC")];

const BYTES: usize = 70;

pub(super) fn keys(secret: &str) -> RefreshKeys {
    let ring = KeyRing { secret: Some(Secret::new(secret)), previous: Vec::new(), generated_file: "unused".into() };
    RefreshKeys::load(&ring).expect("a key")
}

/// The same token with something else in it, and a good MAC.
pub(super) fn forged(token: &str, change: impl FnOnce(&mut RefreshToken)) -> String {
    let keys = keys(REFRESH_SECRET);
    let mut token = RefreshToken::decode_expired(&keys, token).expect("a token of the replicas");
    change(&mut token);
    token.encode(&keys)
}

fn raw(token: &str) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix("rt1_").expect("our prefix")).expect("base64url")
}

fn encoded(raw: &[u8]) -> String {
    format!("rt1_{}", BASE64_URL_SAFE_NO_PAD.encode(raw))
}

fn garbage(good: &str) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |what: &str, token: String| all.push((what.to_owned(), token));
    add("a word", "x".to_owned());
    add("the prefix", "rt1_".to_owned());
    add("no prefix", good[4..].to_owned());
    add("another prefix", format!("rt2_{}", &good[4..]));
    add("cut by one", good[..good.len() - 1].to_owned());
    add("cut in half", good[..good.len() / 2].to_owned());
    add("one more", format!("{good}A"));
    add("twice", format!("{good}{good}"));
    add("padded", format!("{good}="));
    add("8 KB", format!("rt1_{}", "A".repeat(8 * 1024)));
    add("zeros", encoded(&[0; BYTES]));
    add("random bytes", encoded(&std::array::from_fn::<u8, BYTES, _>(|i| u8::try_from(i * 37 % 256).unwrap())));
    add("another key", RefreshToken::decode_expired(&keys(REFRESH_SECRET), good).unwrap().encode(&keys(ACCESS_SECRET)));
    let good = raw(good);
    for byte in 0..BYTES {
        let mut flipped = good.clone();
        flipped[byte] ^= 1 << (byte % 8);
        let field = FIELDS.iter().rev().find(|(begin, _)| *begin <= byte).unwrap().1;
        add(&format!("a flipped bit in the {field}, byte {byte}"), encoded(&flipped));
    }
    all
}

async fn assert_refused(tacit: &Tacit, what: &str, token: &str, code: &str) {
    let answer = present(tacit, token).await;
    assert_eq!(answer.outcome(), (401, code), "{what}");
    assert_eq!(answer.cookies(), (Untouched, Untouched), "{what}");
}

#[tokio::test]
async fn garbage_is_refused_without_a_query_and_harms_no_session() {
    let (tacit, first) = signed_in_with(replica()).await;
    assert_eq!(raw(&first).len(), BYTES);
    // Whatever asks for a session now fails, and is answered with 503.
    tacit.home.database.execute("ALTER TABLE sessions RENAME TO sessions_away");
    assert_eq!(present(&tacit, &first).await.status, 503);
    for (what, token) in garbage(&first) {
        assert_refused(&tacit, &what, &token, "invalid_token").await;
        let granted = grant(&tacit, &token).await;
        assert_eq!((granted.status, granted.body["code"].as_str()), (400, Some("invalid_token")), "{what}");
    }
    let expired = forged(&first, |token| token.expires_at = Timestamp::from_unix_seconds(1_700_000_000));
    assert_refused(&tacit, "expired", &expired, "session_expired").await;
    tacit.home.database.execute("ALTER TABLE sessions_away RENAME TO sessions");
    rotate(&tacit, &first).await;
}

#[tokio::test]
async fn a_good_mac_with_another_sessions_secret_is_refused_and_raises_an_alarm() {
    let (tacit, first) = signed_in_with(replica()).await;
    for generation in [0, 1, 7] {
        let forgery = forged(&first, |token| (token.secret, token.generation) = ([7; 16], generation));
        assert_refused(&tacit, "a wrong secret", &forgery, "invalid_token").await;
    }
    assert_eq!(tacit.log().matches("event=refresh_secret_mismatch").count(), 3);
    assert_eq!(reason(&tacit.home), None);
    rotate(&tacit, &first).await;
}

#[tokio::test]
async fn a_good_mac_for_a_session_that_never_was_is_unknown() {
    let (tacit, first) = signed_in_with(replica()).await;
    let stray = forged(&first, |token| token.session_id = SessionId::random());
    assert_refused(&tacit, "a stray", &stray, "session_unknown").await;
}

#[tokio::test]
async fn a_branch_that_was_never_minted_is_theft_once_it_lies_behind() {
    let (tacit, first) = signed_in_with(replica()).await;
    rotate(&tacit, &first).await;
    let other_branch = forged(&first, |token| token.branch = [7; 8]);
    assert_eq!(present(&tacit, &other_branch).await.outcome(), (401, "token_reuse"));
}
