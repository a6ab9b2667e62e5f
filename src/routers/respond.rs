//! The only place where an [`Error`] becomes a status.

use std::borrow::Cow;
use std::fmt;

use actix_web::body::BoxBody;
use actix_web::error::InternalError;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};

use crate::error::{Error, FieldError, Refusal};
use crate::schemas::{FieldProblem, OAuthProblem, Problem};

/// What one error looks like from outside.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The HTTP status.
    pub status: StatusCode,
    /// For programs; docs/api-design.md lists all.
    pub code: &'static str,
    /// For people; never a cause.
    pub detail: String,
    fields: Vec<FieldError>,
    challenge: Option<Cow<'static, str>>,
    cause: Option<Cause>,
}

/// What stays behind: a line in the log, written when the request's id is known.
#[derive(Clone, Debug)]
struct Cause {
    level: log::Level,
    event: &'static str,
    message: String,
}

impl Shown {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), fields: Vec::new(), challenge: None, cause: None }
    }

    /// The first of the refused fields.
    pub fn field(&self) -> Option<&'static str> {
        self.fields.first().map(|refused| refused.field)
    }
}

impl From<&Error> for Shown {
    fn from(error: &Error) -> Self {
        use StatusCode as S;
        match error {
            Error::BadRequest { detail, fields } => {
                Self { fields: fields.clone(), ..Self::new(S::BAD_REQUEST, "bad_request", detail.as_str()) }
            }
            Error::RepeatedAuthorization => {
                let shown = Self::new(S::BAD_REQUEST, "bad_request", "There are two Authorization headers");
                Self { challenge: Some("Bearer error=\"invalid_request\"".into()), ..shown }
            }
            Error::Unauthenticated(refusal) => refused(*refusal),
            Error::InvalidCredentials => {
                let shown = Self::new(S::UNAUTHORIZED, "invalid_credentials", "Invalid credentials");
                Self { challenge: Some("Bearer".into()), ..shown }
            }
            Error::AdminRequired => Self::new(S::FORBIDDEN, "admin_required", "Admin access required"),
            Error::RoleRequired => Self::new(S::FORBIDDEN, "role_required", "This needs another role"),
            Error::InsufficientScope { needed } => insufficient_scope(needed.as_deref()),
            Error::InvalidScope => Self::new(S::BAD_REQUEST, "invalid_scope", "The scope is malformed or not granted"),
            Error::CrossSite => Self::new(S::FORBIDDEN, "cross_site", "Requests from other sites are not allowed"),
            Error::RegistrationClosed => Self::new(S::FORBIDDEN, "registration_closed", "Registration is closed"),
            Error::SessionLimit => {
                Self::new(S::FORBIDDEN, "session_limit", "Too many sessions; sign out on another device first")
            }
            Error::NotFound => Self::new(S::NOT_FOUND, "not_found", "There is no such resource"),
            Error::UsernameTaken => Self {
                fields: vec![FieldError { field: "username", message: "Username already exists".to_owned() }],
                ..Self::new(S::CONFLICT, "username_taken", "Username already exists")
            },
            Error::EmailTaken => Self {
                fields: vec![FieldError { field: "email", message: "E-mail address already exists".to_owned() }],
                ..Self::new(S::CONFLICT, "email_taken", "E-mail address already exists")
            },
            Error::Conflict => {
                Self::new(S::CONFLICT, "conflict", "The account was changed by another request; try again")
            }
            Error::WeakPassword { field, detail } => Self {
                fields: vec![FieldError { field, message: detail.clone() }],
                ..Self::new(S::UNPROCESSABLE_ENTITY, "weak_password", detail.as_str())
            },
            Error::LastAdmin => Self::new(
                S::CONFLICT,
                "last_admin",
                "The last active administrator cannot be removed, disabled or demoted",
            ),
            Error::PayloadTooLarge => Self::new(S::PAYLOAD_TOO_LARGE, "payload_too_large", "The body is too large"),
            Error::RequestTimeout => {
                Self::new(S::REQUEST_TIMEOUT, "request_timeout", "The body did not arrive in time")
            }
            Error::UnsupportedMediaType(expected) => {
                Self::new(S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", format!("The body has to be {expected}"))
            }
            Error::Throttled { .. } => {
                Self::new(S::TOO_MANY_REQUESTS, "throttled", "Too many failed attempts; try again later")
            }
            Error::Overloaded => Self::new(S::SERVICE_UNAVAILABLE, "overloaded", "Too busy right now; try again"),
            Error::NotReady(_) => Self::new(S::SERVICE_UNAVAILABLE, "not_ready", "Not ready yet; try again"),
            Error::Database(_) => {
                Self::new(S::SERVICE_UNAVAILABLE, "database_unavailable", "The database is unavailable; try again")
            }
            Error::Internal(_) | Error::Keys(_) => {
                Self::new(S::INTERNAL_SERVER_ERROR, "internal_error", "Something went wrong here")
            }
        }
    }
}

/// RFC 6750, section 3.1. A scope has no quote and no backslash, so it can stand in quotes.
fn insufficient_scope(needed: Option<&str>) -> Shown {
    let shown = Shown::new(StatusCode::FORBIDDEN, "insufficient_scope", "This needs a token with another scope");
    let scope = needed.map(|scope| format!(", scope=\"{scope}\"")).unwrap_or_default();
    Shown { challenge: Some(format!("Bearer error=\"insufficient_scope\"{scope}").into()), ..shown }
}

fn refused(refusal: Refusal) -> Shown {
    const INVALID_TOKEN: &str = "Bearer error=\"invalid_token\"";
    const INVALID: &str = "Invalid or expired token";
    const ENDED: &str = "Your session has ended; sign in again";
    let (code, detail, challenge) = match refusal {
        Refusal::NotAuthenticated => ("not_authenticated", "Not authenticated", "Bearer"),
        Refusal::NotAToken => ("invalid_token", "Invalid authentication credentials", INVALID_TOKEN),
        Refusal::InvalidToken => ("invalid_token", INVALID, INVALID_TOKEN),
        Refusal::TokenExpired => ("token_expired", INVALID, INVALID_TOKEN),
        Refusal::SessionExpired => ("session_expired", ENDED, INVALID_TOKEN),
        Refusal::SessionUnknown => ("session_unknown", ENDED, INVALID_TOKEN),
        Refusal::UserDisabled => ("user_disabled", INVALID, INVALID_TOKEN),
        Refusal::TokenReuse => ("token_reuse", INVALID, INVALID_TOKEN),
        Refusal::SessionRevoked => ("session_revoked", INVALID, INVALID_TOKEN),
        Refusal::SessionSuperseded => ("session_superseded", INVALID, INVALID_TOKEN),
    };
    Shown { challenge: Some(challenge.into()), ..Shown::new(StatusCode::UNAUTHORIZED, code, detail) }
}

/// The code that a refusal has in every answer, also in those that are no problem document.
pub fn refusal_code(refusal: Refusal) -> &'static str {
    refused(refusal).code
}

/// The code of the error that an answer will show, if it is one.
pub fn code<B>(response: &HttpResponse<B>) -> Option<&'static str> {
    response.extensions().get::<Shown>().map(|shown| shown.code)
}

/// An error on its way out of a handler; [`render`] gives it its body.
#[derive(Debug)]
pub struct Failure(pub Error);

impl<E: Into<Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        Shown::from(&self.0).status
    }

    fn error_response(&self) -> HttpResponse {
        response(&self.0)
    }
}

/// The answer to an error: status, headers and what [`render`] needs for the body.
pub fn response(error: &Error) -> HttpResponse {
    let shown = Shown { cause: cause_of(error), ..Shown::from(error) };
    let mut builder = HttpResponse::build(shown.status);
    add_retry_after(&mut builder, error, shown.status);
    if let Some(challenge) = &shown.challenge {
        builder.insert_header((header::WWW_AUTHENTICATE, challenge.as_ref()));
    }
    let mut response = builder.finish();
    response.extensions_mut().insert(shown);
    response
}

fn cause_of(error: &Error) -> Option<Cause> {
    let (level, event, message) = match error {
        Error::Internal(cause) | Error::Keys(cause) => (log::Level::Error, "internal_error", cause.as_str()),
        Error::Database(cause) => (log::Level::Error, "database_unavailable", cause.as_str()),
        Error::NotReady(cause) => (log::Level::Warn, "not_ready", *cause),
        Error::Overloaded => (log::Level::Warn, "overloaded", "too many passwords wait to be checked"),
        _ => return None,
    };
    Some(Cause { level, event, message: message.to_owned() })
}

fn add_retry_after(builder: &mut HttpResponseBuilder, error: &Error, status: StatusCode) {
    if let Error::Throttled { retry_after } = error {
        // A whole number of seconds (RFC 9110, section 10.2.3), and never too early.
        builder.insert_header((header::RETRY_AFTER, retry_after.as_secs() + 1));
    } else if status == StatusCode::SERVICE_UNAVAILABLE {
        builder.insert_header((header::RETRY_AFTER, Error::RETRY_AFTER.as_secs()));
    }
}

/// Turns an answer whose Location is set into a redirect without a body.
pub fn redirect<B>(response: &mut HttpResponse<B>) {
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().remove(header::WWW_AUTHENTICATE);
    response.extensions_mut().remove::<Shown>();
}

/// 405 with the methods that the resource has.
pub fn method_not_allowed(allow: &str) -> HttpResponse {
    let mut response = HttpResponse::MethodNotAllowed().insert_header((header::ALLOW, allow)).finish();
    response.extensions_mut().insert(Shown::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "This resource does not have this method",
    ));
    response
}

/// Gives an error its body, `application/problem+json` (RFC 9457): also to those of the framework, which come as text.
pub fn render(response: HttpResponse<BoxBody>, request_id: &str, oauth: bool) -> HttpResponse<BoxBody> {
    let status = response.status();
    let shown = response.extensions().get::<Shown>().cloned();
    let shown = match shown {
        Some(shown) => shown,
        None if (status.is_client_error() || status.is_server_error()) && !is_formatted(&response) => {
            Shown::new(status, generic_code(status), generic_detail(status))
        }
        None => return response,
    };
    if let Some(Cause { level, event, message }) = &shown.cause {
        log::log!(*level, event = *event, request_id = request_id; "{message}");
    }
    let problem = Problem {
        kind: "about:blank",
        title: shown.status.canonical_reason().unwrap_or("Error").to_owned(),
        status: shown.status.as_u16(),
        detail: shown.detail,
        code: shown.code,
        request_id: request_id.to_owned(),
        errors: shown
            .fields
            .into_iter()
            .map(|field| FieldProblem { field: field.field, message: field.message })
            .collect(),
        error: oauth.then(|| oauth_code(shown.status)),
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = response.set_body(BoxBody::new(body));
    let json = HeaderValue::from_static("application/problem+json; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn is_formatted(response: &HttpResponse<BoxBody>) -> bool {
    let content_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.contains("json") || value.starts_with("text/html"))
}

fn generic_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "not_found",
        StatusCode::PAYLOAD_TOO_LARGE => "payload_too_large",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_media_type",
        StatusCode::REQUEST_TIMEOUT => "request_timeout",
        _ if status.is_server_error() => "internal_error",
        _ => "bad_request",
    }
}

fn generic_detail(status: StatusCode) -> &'static str {
    match status {
        StatusCode::NOT_FOUND => "There is no such resource",
        _ if status.is_server_error() => "Something went wrong here",
        _ => "The request is malformed",
    }
}

/// OAuth's word for an error that has no better one (RFC 6749, sections 4.1.2.1 and 5.2).
fn oauth_code(status: StatusCode) -> &'static str {
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
        _ if status.is_server_error() => "server_error",
        _ => "invalid_request",
    }
}

/// An error in the words of RFC 6749, section 5.2.
pub fn oauth(status: StatusCode, error: &'static str, description: &str, code: Option<&'static str>) -> HttpResponse {
    let body = OAuthProblem { error, error_description: description.to_owned(), code };
    let mut builder = HttpResponse::build(status);
    if status == StatusCode::UNAUTHORIZED {
        builder.insert_header((header::WWW_AUTHENTICATE, "Basic realm=\"tacit\", charset=\"UTF-8\""));
    }
    json(&mut builder, &body)
}

/// The same with the usual status.
pub fn oauth_refusal(error: &'static str, description: &str) -> HttpResponse {
    oauth(StatusCode::BAD_REQUEST, error, description, None)
}

/// A parameter came more than once (RFC 6749, section 3.2).
pub fn repeated(name: &str) -> HttpResponse {
    oauth_refusal("invalid_request", &format!("The parameter {name} came more than once"))
}

/// The answer of an extractor, with which no handler is called.
pub fn instead_of_handler(answer: HttpResponse) -> actix_web::Error {
    InternalError::from_response("refused before the handler", answer).into()
}

/// A JSON answer, with its charset.
pub fn json(builder: &mut HttpResponseBuilder, body: &impl serde::Serialize) -> HttpResponse {
    match serde_json::to_vec(body) {
        Ok(bytes) => builder.insert_header((header::CONTENT_TYPE, "application/json; charset=utf-8")).body(bytes),
        Err(error) => response(&Error::Internal(format!("an answer could not be written: {error}"))),
    }
}

/// 200 with JSON.
pub fn ok(body: &impl serde::Serialize) -> HttpResponse {
    json(&mut HttpResponse::Ok(), body)
}

/// Sets a header unless the answer has it already.
pub fn insert_if_absent(headers: &mut header::HeaderMap, name: HeaderName, value: &'static str) {
    if !headers.contains_key(&name) {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
