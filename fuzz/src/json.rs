//! Input: a content type, a line break, a body.

use serde_json::Value;
use tacit::schemas::RegisterRequest;

use super::form::read_with;
use tacit::routers::parsers;

pub fn check(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (kind, body) = (&data[..end], &data[end + 1..]);
    let Some(request) = read(kind, body) else { return };
    let kind = std::str::from_utf8(kind).expect("a type that was understood");
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    assert!(essence.starts_with("application/") && essence.ends_with("json"), "{kind}");
    let value: Value = serde_json::from_slice(body).expect("what is taken is JSON");
    let object = value.as_object().expect("what is taken is an object");
    let members = [("username", &request.username), ("email", &request.email), ("password", &request.password)];
    for (name, read) in members {
        assert_eq!(object.get(name).and_then(Value::as_str), read.as_deref(), "{name}");
    }
    assert!(object.keys().all(|name| members.iter().any(|(known, _)| name == known)), "{value}");
    let printed = serde_json::to_vec(&value).expect("JSON");
    assert!(read(b"application/json", &printed).is_some(), "{value}");
    for bad in spoiled(body, object.keys()) {
        assert!(read(b"application/json", &bad).is_none(), "{}", String::from_utf8_lossy(&bad));
    }
}

fn read(kind: &[u8], body: &[u8]) -> Option<RegisterRequest> {
    read_with(kind, body, async |request, payload| parsers::json::<RegisterRequest>(&request, payload).await.ok())
}

/// A good body made bad: with something before or behind it, in a list, cut off, or with a member twice in another spelling.
fn spoiled<'a>(body: &[u8], names: impl Iterator<Item = &'a String>) -> Vec<Vec<u8>> {
    let text = body.trim_ascii();
    let mut bad = vec![
        [text, b"x"].concat(),
        [text, text].concat(),
        [text, b"\0"].concat(),
        ["\u{feff}".as_bytes(), text].concat(),
        [b"[", text, b"]"].concat(),
        text[..text.len() - 1].to_vec(),
    ];
    for name in names {
        let escaped: String = name.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect();
        bad.push([format!("{{\"{escaped}\":null,").as_bytes(), &text[1..]].concat());
    }
    bad
}
