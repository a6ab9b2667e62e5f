//! Input: a content type, a line break, a body; its fields are printed and read again in both encodings.

use std::cell::LazyCell;

use actix_web::http::header::{self, HeaderValue};
use actix_web::test::TestRequest;
use actix_web::{FromRequest, HttpRequest, web};
use tacit::routers::parsers::{self, Form};
use url::form_urlencoded;

const NAMES: [&str; 5] = ["grant_type", "username", "password", "client_id", "\u{e9}"];

pub fn check(data: &[u8]) {
    let Some(end) = data.iter().position(|byte| *byte == b'\n') else { return };
    let (kind, body) = (&data[..end], &data[end + 1..]);
    let Some(form) = read(kind, body) else { return };
    let is_urlencoded = !kind.to_ascii_lowercase().trim_ascii_start().starts_with(b"multipart");
    let mut fields = Vec::new();
    for name in NAMES {
        let value = form.get(name);
        assert!(value.is_none_or(|value| !value.is_empty()));
        if is_urlencoded {
            let all: Vec<_> = form_urlencoded::parse(body).filter(|(field, _)| field == name).collect();
            assert_eq!(form.repeated(&[name]).is_some(), all.len() > 1, "{name}");
            assert_eq!(value.unwrap_or_default(), all.first().map_or("", |(_, value)| value), "{name}");
        }
        fields.extend(value.map(|value| (name, value)));
    }
    if is_urlencoded {
        let count = form_urlencoded::parse(body).count();
        assert!(count <= 64, "{count} fields");
    }
    print_and_read(&fields);
}

/// What was read can be sent again in both encodings, and a field that comes twice is seen in both.
fn print_and_read(fields: &[(&str, &str)]) {
    let urlencoded = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let multipart = print_multipart(fields);
    for (kind, body) in
        [("application/x-www-form-urlencoded", urlencoded), ("multipart/form-data; boundary=b0undary", multipart)]
    {
        if fields.iter().any(|(_, value)| value.contains("--b0undary")) || fields.is_empty() {
            return;
        }
        let Some(again) = read(kind.as_bytes(), body.as_bytes()) else {
            assert!(body.len() > 64 * 1024, "{body}");
            return;
        };
        for (name, value) in fields {
            assert_eq!(again.get(name), Some(*value), "{name} in {body}");
            assert_eq!(again.repeated(&[name]), None);
        }
    }
    let [(name, _), ..] = fields else { return };
    let twice: Vec<_> = fields.iter().chain(&fields[..1]).copied().collect();
    let body = print_multipart(&twice);
    if let Some(form) = read(b"multipart/form-data; boundary=b0undary", body.as_bytes()) {
        assert_eq!(form.repeated(&NAMES), Some(*name));
    }
}

fn print_multipart(fields: &[(&str, &str)]) -> String {
    let part = |(name, value): &(&str, &str)| {
        format!("--b0undary\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).collect::<String>() + "--b0undary--\r\n"
}

fn read(kind: &[u8], body: &[u8]) -> Option<Form> {
    read_with(kind, body, async |request, payload| parsers::form(&request, payload).await.ok())
}

thread_local! {
    static RUNTIME: LazyCell<tokio::runtime::Runtime> =
        LazyCell::new(|| tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"));
}

/// Has a body of this type read.
pub fn read_with<T>(
    kind: &[u8],
    body: &[u8],
    read: impl AsyncFnOnce(HttpRequest, web::Payload) -> Option<T>,
) -> Option<T> {
    let kind = HeaderValue::from_bytes(kind).ok()?;
    let sent = TestRequest::default().insert_header((header::CONTENT_TYPE, kind)).set_payload(body.to_vec());
    let (request, mut payload) = sent.to_http_parts();
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let payload = web::Payload::from_request(&request, &mut payload).await.ok()?;
            read(request, payload).await
        })
    })
}
