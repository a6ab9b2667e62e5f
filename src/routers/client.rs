//! Which client asks (RFC 6749, section 2.3): HTTP Basic or the form's own fields, one of them at a time.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::body::Form;
use super::respond;
use super::shared::Shared;
use crate::error::Error;
use crate::models::client::Client;
use crate::services::clients;

/// Who asks.
pub enum Caller {
    /// Nobody that could prove itself; also a `client_id` that no confidential client has.
    Public,
    /// A client that proved itself.
    Client(Client),
}

/// Why a request's client is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unproven {
    /// Two methods at once, or two clients.
    Ambiguous,
    /// Unknown, disabled, a wrong secret, or none where one is needed.
    Wrong,
}

impl Unproven {
    /// In the words of RFC 6749, section 5.2.
    pub fn response(self) -> HttpResponse {
        match self {
            Self::Ambiguous => {
                let description = "A client authenticates once: by HTTP Basic or in the form";
                respond::oauth_refusal("invalid_request", description)
            }
            Self::Wrong => {
                let description = "The client is unknown or its secret is wrong";
                respond::oauth(StatusCode::UNAUTHORIZED, "invalid_client", description, None)
            }
        }
    }
}

/// What a request says of its client, before anybody looks whether that is true.
#[derive(Debug, PartialEq, Eq)]
enum Claimed {
    Nobody,
    Id(String),
    Secret { id: String, secret: String },
}

/// Finds out which client asks. The query is never read.
pub async fn authenticate(
    shared: &Shared,
    request: &HttpRequest,
    form: &Form,
) -> Result<Result<Caller, Unproven>, Error> {
    let claimed = match claimed(request, form) {
        Ok(Claimed::Nobody) => return Ok(Ok(Caller::Public)),
        Ok(claimed) => claimed,
        Err(unproven) => return Ok(Err(unproven)),
    };
    shared
        .blocking(request, move |app, connection| {
            Ok(match claimed {
                Claimed::Id(id) if clients::is_confidential(connection, &id)? => Err(Unproven::Wrong),
                Claimed::Nobody | Claimed::Id(_) => Ok(Caller::Public),
                Claimed::Secret { id, secret } => {
                    clients::authenticate(app, connection, &id, &secret)?.map(Caller::Client).ok_or(Unproven::Wrong)
                }
            })
        })
        .await
}

/// The same where nobody but a client may ask.
pub async fn require(shared: &Shared, request: &HttpRequest, form: &Form) -> Result<Result<Client, Unproven>, Error> {
    Ok(match authenticate(shared, request, form).await? {
        Ok(Caller::Client(client)) => Ok(client),
        Ok(Caller::Public) => Err(Unproven::Wrong),
        Err(unproven) => Err(unproven),
    })
}

fn claimed(request: &HttpRequest, form: &Form) -> Result<Claimed, Unproven> {
    let (form_id, form_secret) = (form.get("client_id"), form.get("client_secret"));
    let Some((id, secret)) = basic(request)? else {
        return Ok(match (form_id, form_secret) {
            (None, None) => Claimed::Nobody,
            (Some(id), None) => Claimed::Id(id.to_owned()),
            (id, Some(secret)) => Claimed::Secret { id: id.unwrap_or_default().to_owned(), secret: secret.to_owned() },
        });
    };
    if form_secret.is_some() || form_id.is_some_and(|form_id| form_id != id) {
        return Err(Unproven::Ambiguous);
    }
    // An empty secret may as well be left out (RFC 6749, section 2.3.1): so libraries send the id of a public client.
    Ok(if secret.is_empty() { Claimed::Id(id) } else { Claimed::Secret { id, secret } })
}

/// The id and secret of HTTP Basic. One with an empty id (what Swagger UI sends for a public client) is none.
pub fn basic(request: &HttpRequest) -> Result<Option<(String, String)>, Unproven> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Unproven::Ambiguous);
    }
    let Some((scheme, encoded)) = value.to_str().ok().and_then(|value| value.trim().split_once(' ')) else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("basic") {
        return Ok(None);
    }
    let decoded = BASE64_STANDARD.decode(encoded.trim()).map_err(|_| Unproven::Wrong)?;
    let mut parts = decoded.splitn(2, |byte| *byte == b':');
    let (id, secret) = (parts.next().unwrap_or_default(), parts.next());
    if id.is_empty() {
        return Ok(None);
    }
    let secret = secret.ok_or(Unproven::Wrong)?;
    Ok(Some((form_decoded(id)?, form_decoded(secret)?)))
}

/// Both parts are form-encoded before they are joined (RFC 6749, section 2.3.1).
fn form_decoded(bytes: &[u8]) -> Result<String, Unproven> {
    let spaced: Vec<u8> = bytes.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let decoded = percent_encoding::percent_decode(&spaced).decode_utf8().map_err(|_| Unproven::Wrong)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(header: &str) -> Result<Option<(String, String)>, Unproven> {
        basic(&TestRequest::default().insert_header((header::AUTHORIZATION, header)).to_http_request())
    }

    #[test]
    fn an_empty_secret_is_none() {
        let of = |pair: &str| {
            let header = (header::AUTHORIZATION, format!("Basic {}", BASE64_STANDARD.encode(pair)));
            claimed(&TestRequest::default().insert_header(header).to_http_request(), &Form::default())
        };
        assert_eq!(of("script:"), Ok(Claimed::Id("script".to_owned())));
        assert_eq!(of("script:x"), Ok(Claimed::Secret { id: "script".to_owned(), secret: "x".to_owned() }));
        assert_eq!(of("script"), Err(Unproven::Wrong));
        assert_eq!(of(":"), Ok(Claimed::Nobody));
    }

    #[test]
    fn basic_is_decoded_as_a_form_and_another_scheme_names_no_client() {
        let encoded = |text: &str| format!("bAsIc {}", BASE64_STANDARD.encode(text));
        let pair = |id: &str, secret: &str| Ok(Some((id.to_owned(), secret.to_owned())));
        assert_eq!(of(&encoded("a:b")), pair("a", "b"));
        assert_eq!(of(&encoded("a%3Ab:c+d:e%2B")), pair("a:b", "c d:e+"));
        for absent in ["Bearer x", "Basic", "", &encoded(":"), &encoded(":secret"), &encoded("")] {
            assert_eq!(of(absent), Ok(None), "{absent}");
        }
        for wrong in ["Basic %%%", &encoded("a"), &encoded("a:%ff")] {
            assert_eq!(of(wrong), Err(Unproven::Wrong), "{wrong}");
        }
    }
}
