//! What users, times and tokens look like in answers.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

/// The names of an object's members, sorted.
pub fn members(object: &Value) -> Vec<&str> {
    object.as_object().expect("an object").keys().map(String::as_str).collect()
}

/// Checks a user's shape (the contract's "Shapes").
pub fn assert_user(user: &Value) {
    assert_eq!(
        members(user),
        ["created_at", "disabled", "email", "id", "role", "roles", "updated_at", "username"],
        "{user}"
    );
    assert!(uuid::Uuid::parse_str(user["id"].as_str().expect("an id")).is_ok());
    assert_eq!(user["roles"], serde_json::json!([user["role"]]));
    assert!(user["disabled"].is_boolean());
    assert_time(&user["created_at"]);
    assert_time(&user["updated_at"]);
}

/// ISO 8601 in UTC with "+00:00", as `datetime.fromisoformat` of every Python 3 reads it; the moment.
pub fn assert_time(value: &Value) -> chrono::DateTime<chrono::FixedOffset> {
    let text = value.as_str().expect("a time");
    assert!(text.ends_with("+00:00") && text.as_bytes().get(10) == Some(&b'T'), "{text}");
    // Older Pythons read no fraction, or one of three or six digits.
    assert!([25, 29, 32].contains(&text.len()), "{text}");
    chrono::DateTime::parse_from_rfc3339(text).expect("a time")
}

/// A part of a JWT.
pub fn part(token: &str, position: usize) -> Value {
    let text = token.split('.').nth(position).expect("a part");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64url")).expect("JSON")
}
