//! Reading request bodies: bounded in size and time before anything is parsed.

use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::HttpRequest;
use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut, Payload};
use futures_util::{StreamExt, stream};
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use tokio::time::timeout;

use crate::error::Error;

/// Longest body that any route reads, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// Most fields of a form.
const MAX_FIELDS: usize = 64;

const UNREADABLE: &str = "The body cannot be read";

async fn read(request: &HttpRequest, mut payload: Payload) -> Result<Bytes, Error> {
    if is_encoded(request) {
        return Err(Error::UnsupportedMediaType("sent without a Content-Encoding"));
    }
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > MAX_BODY) {
        return Err(Error::PayloadTooLarge);
    }
    let reading = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Error::bad_request(UNREADABLE))?;
            if body.len() + chunk.len() > MAX_BODY {
                return Err(Error::PayloadTooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    timeout(BODY_TIMEOUT, reading).await.map_err(|_| Error::RequestTimeout)?
}

/// Whether the body is compressed: nothing here unpacks one, and what somebody on the way unpacked would be another body.
fn is_encoded(request: &HttpRequest) -> bool {
    let mut encodings = request.headers().get_all(header::CONTENT_ENCODING);
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The media type without its parameters, in lower case; none if it was sent twice, since who reads the other one sees
/// another body.
fn media_type(request: &HttpRequest) -> String {
    let mut values = request.headers().get_all(header::CONTENT_TYPE);
    let first = values.next().filter(|_| values.next().is_none());
    let value = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Whether the body is URL-encoded, as a plain HTML form sends it.
pub fn is_urlencoded(request: &HttpRequest) -> bool {
    media_type(request) == URLENCODED
}

/// Reads a JSON object. Anything else (an array, a number), a duplicate member or a wrong type is a bad request.
pub async fn json<T: DeserializeOwned>(request: &HttpRequest, payload: Payload) -> Result<T, Error> {
    if !is_json(&media_type(request)) {
        return Err(Error::UnsupportedMediaType("application/json"));
    }
    parse_json(&read(request, payload).await?)
}

fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let object = deserializer
        .deserialize_map(UniqueMembers)
        .and_then(|object| deserializer.end().map(|()| object))
        .map_err(|_| Error::bad_request("The body has to be one JSON object without repeated members"))?;
    serde_json::from_value(object.into())
        .map_err(|_| Error::bad_request("A member of the body is of the wrong type, or is not known here"))
}

/// Reads an object and refuses a member that comes twice: parsers disagree about which of them counts.
struct UniqueMembers;

impl<'de> Visitor<'de> for UniqueMembers {
    type Value = serde_json::Map<String, serde_json::Value>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some((name, value)) = access.next_entry()? {
            if object.insert(name, value).is_some() {
                return Err(serde::de::Error::custom("repeated member"));
            }
        }
        Ok(object)
    }
}

/// The fields of a form, in the order in which they came.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// A field's value; an empty one counts as absent (RFC 6749, section 3.2).
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether no field but these came.
    pub fn has_only(&self, names: &[&str]) -> bool {
        self.0.iter().all(|(field, _)| names.contains(&field.as_str()))
    }

    /// Whether any of these fields came more than once.
    pub fn repeated<'a>(&self, names: &[&'a str]) -> Option<&'a str> {
        names.iter().copied().find(|name| self.0.iter().filter(|(field, _)| field == name).count() > 1)
    }
}

const URLENCODED: &str = "application/x-www-form-urlencoded";
const FORM: &str = "application/x-www-form-urlencoded or multipart/form-data";

/// Reads a form, URL-encoded or multipart.
pub async fn form(request: &HttpRequest, payload: Payload) -> Result<Form, Error> {
    match media_type(request).as_str() {
        URLENCODED => parse_urlencoded(&read(request, payload).await?),
        "multipart/form-data" => parse_multipart(request, read(request, payload).await?).await,
        _ => Err(Error::UnsupportedMediaType(FORM)),
    }
}

fn parse_urlencoded(body: &[u8]) -> Result<Form, Error> {
    // The parser below would put replacement characters for what is not UTF-8.
    let is_utf8 = percent_encoding::percent_decode(body).decode_utf8().is_ok();
    if !is_utf8 {
        return Err(Error::bad_request("The form is not UTF-8"));
    }
    let fields: Vec<(String, String)> = form_urlencoded::parse(body).into_owned().take(MAX_FIELDS + 1).collect();
    if fields.len() > MAX_FIELDS { Err(Error::bad_request("The form has too many fields")) } else { Ok(Form(fields)) }
}

async fn parse_multipart(request: &HttpRequest, body: Bytes) -> Result<Form, Error> {
    let unreadable = || Error::bad_request(UNREADABLE);
    let whole = stream::iter([Ok::<_, actix_web::error::PayloadError>(body)]);
    let mut multipart = Multipart::new(request.headers(), whole);
    let mut fields = Vec::new();
    while let Some(field) = multipart.next().await {
        let mut field = field.map_err(|_| unreadable())?;
        let name = field.name().ok_or_else(unreadable)?.to_owned();
        let mut value = Vec::new();
        while let Some(chunk) = field.next().await {
            value.extend_from_slice(&chunk.map_err(|_| unreadable())?);
        }
        let value = String::from_utf8(value).map_err(|_| Error::bad_request("The form is not UTF-8"))?;
        fields.push((name, value));
        if fields.len() > MAX_FIELDS {
            return Err(Error::bad_request("The form has too many fields"));
        }
    }
    Ok(Form(fields))
}

/// Reads JSON or a form, or nothing at all, where a body is optional; `from_form` picks the members from a form.
pub async fn optional<T: DeserializeOwned + Default>(
    request: &HttpRequest,
    payload: Payload,
    from_form: impl FnOnce(&Form) -> Result<T, Error>,
) -> Result<T, Error> {
    let media_type = media_type(request);
    if is_json(&media_type) {
        let body = read(request, payload).await?;
        return if body.is_empty() { Ok(T::default()) } else { parse_json(&body) };
    }
    if media_type == URLENCODED || media_type == "multipart/form-data" {
        return from_form(&form(request, payload).await?);
    }
    if read(request, payload).await?.is_empty() {
        Ok(T::default())
    } else {
        Err(Error::UnsupportedMediaType("application/json or a form"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    struct Named {
        name: Option<String>,
    }

    #[test]
    fn only_one_object_without_repeated_members_is_json_enough() {
        let parse = |text: &str| parse_json::<Named>(text.as_bytes());
        assert_eq!(parse(r#"{"name":"a"}"#).unwrap().name.as_deref(), Some("a"));
        for bad in [
            "",
            "[]",
            r#"["a"]"#,
            "null",
            "1",
            r#"{"name":1}"#,
            r#"{"name":"a","name":"b"}"#,
            r#"{"x":1,"x":2}"#,
            r#"{"name":"a"}x"#,
            r#"{"name":"\ud800"}"#,
            "{",
            "\u{feff}{}",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        assert!(parse_json::<Named>(b"{\"name\":\"\xff\"}").is_err());
    }

    #[test]
    fn an_empty_form_field_counts_as_absent_and_a_repeated_one_is_seen() {
        let form = parse_urlencoded(b"a=1&b=&a=2&c=%F0%9F%98%80").unwrap();
        assert_eq!((form.get("a"), form.get("b"), form.get("c")), (Some("1"), None, Some("😀")));
        assert_eq!(form.repeated(&["b", "a"]), Some("a"));
        assert!(parse_urlencoded(b"a=%ff").is_err());
    }
}
