//! GET /verify: whether a request is signed in, asked by gateways and backends.

use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::extract::SignedIn;
use super::request;
use super::respond::Failure;
use super::shared::Shared;
use crate::error::Error;
use crate::schemas::Problem;
use crate::services::authenticate::Identity;
use crate::types::{Event, EventName, Words};

/// What /verify tells an API of who asks, on every yes.
pub const IDENTITY_HEADERS: [&str; 4] = ["x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session"];

static USER_ID: HeaderName = HeaderName::from_static("x-auth-user-id");
static USERNAME: HeaderName = HeaderName::from_static("x-auth-username");
static ROLES: HeaderName = HeaderName::from_static("x-auth-roles");
static SESSION: HeaderName = HeaderName::from_static("x-auth-session");

/// All but the unreserved characters (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Says whether the request is signed in, and as whom. Every method alike; no body is read.
///
/// The identity headers are always all there, empty where there is no value. `Authorization` holds a good access token,
/// and is given only to a peer among `server.trusted_proxies`.
#[utoipa::path(
    get, path = "/verify", tag = "gateways", operation_id = "verify_request",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "Signed in", headers(
            ("X-Auth-User-Id" = String, description = "The user's id"),
            ("X-Auth-Username" = String, description = "The username, percent-encoded where it is not visible ASCII"),
            ("X-Auth-Roles" = String, description = "The roles, joined by commas"),
            ("X-Auth-Session" = String, description = "The session's id"),
            ("Authorization" = String, description = "Bearer and a good access token, for trusted proxies"),
        )),
        (status = 302, description = "Behind a gateway, a person who is not signed in: to gateway.login_url"),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or another role or scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It cannot be known right now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn verify_request(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: SignedIn,
) -> Result<HttpResponse, Failure> {
    if request.match_info().get("role").is_some_and(|role| role != who.role.as_str()) {
        let event = Event::refused(EventName::AccessRefused).reason("role_required");
        shared.note(&request, &event.subject(who.user_id).session(who.session_id));
        return Err(Error::RoleRequired.into());
    }
    if let Some(scope) = request.match_info().get("scope")
        && let Err(error) = require_scope(&who, scope)
    {
        shared.note(&request, &who.lacks_scope());
        return Err(error.into());
    }
    let mut response = HttpResponse::Ok().finish();
    add_identity(response.headers_mut(), &who, request::peer_is_trusted(&request));
    Ok(response)
}

/// The scope that the mount names. A slash and a percent sign in it come encoded still.
fn require_scope(who: &Identity, named: &str) -> Result<(), Error> {
    let scope = percent_decode_str(named).decode_utf8_lossy();
    if who.has_scope(&scope) {
        return Ok(());
    }
    // A text that can be no scope is nobody's, and stands in no header.
    let needed = scope.parse::<Words>().ok().filter(|words| words.contains(&scope));
    Err(Error::InsufficientScope { needed: needed.map(|_| scope.into_owned()) })
}

fn add_identity(headers: &mut HeaderMap, who: &Identity, trusted: bool) {
    let mut put = |name: &HeaderName, value: &str| {
        // What was encoded is visible ASCII; a header of any value is better than none, which a client's own could fill.
        let value = HeaderValue::from_str(&visible(value)).unwrap_or_else(|_| HeaderValue::from_static(""));
        headers.insert(name.clone(), value);
    };
    put(&USER_ID, &who.user_id.to_string());
    put(&USERNAME, who.username.as_deref().unwrap_or_default());
    put(&ROLES, who.role.as_str());
    put(&SESSION, &who.session_id.to_string());
    let bearer = if trusted { format!("Bearer {}", who.token) } else { String::new() };
    if let Ok(bearer) = HeaderValue::try_from(bearer) {
        headers.insert(header::AUTHORIZATION, bearer);
    }
}

/// As it is if it is visible ASCII, else percent-encoded UTF-8. A percent sign is encoded too: nobody may choose a name
/// that reads as another once decoded.
fn visible(value: &str) -> String {
    if value.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'%') {
        value.to_owned()
    } else {
        utf8_percent_encode(value, RESERVED).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::{HeaderName, IDENTITY_HEADERS, ROLES, SESSION, USER_ID, USERNAME, visible};

    #[test]
    fn the_list_of_identity_headers_is_what_is_set() {
        assert_eq!(IDENTITY_HEADERS, [&USER_ID, &USERNAME, &ROLES, &SESSION].map(HeaderName::as_str));
    }

    #[test]
    fn names_travel_as_visible_ascii_and_decode_to_one_name_only() {
        assert_eq!(visible("ada"), "ada");
        assert_eq!(visible("Ada Lovelace"), "Ada%20Lovelace");
        assert_eq!(visible("안녕"), "%EC%95%88%EB%85%95");
        assert_eq!(visible("%61da"), "%2561da");
        assert_eq!(visible(""), "");
    }
}
