//! The forms in which gateways understand an answer about another request, told apart by the mount alone.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, web};
use url::{Url, form_urlencoded};

use super::request::{self, forwarded, named_header};
use super::respond;
use super::shared::Shared;
use crate::config::Config;
use crate::error::Error;
use crate::services::refresh::Rotation;
use crate::types::Origin;

/// Longest way back that is put into a redirect, in bytes.
const MAX_RETURN_TO: usize = 2048;

static SET_COOKIE_1: HeaderName = HeaderName::from_static("x-auth-set-cookie-1");
static SET_COOKIE_2: HeaderName = HeaderName::from_static("x-auth-set-cookie-2");
static ERROR: HeaderName = HeaderName::from_static("x-auth-error");

/// One form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mount {
    /// nginx knows no answer but 2xx, 401 and 403, and keeps one header of a name only.
    nginx: bool,
    /// For routes with long uploads or slow answers.
    rotation: Rotation,
}

/// Caddy, Traefik, HAProxy, Envoy.
pub const PLAIN: Mount = Mount { nginx: false, rotation: Rotation::Allowed };
/// The same, never rotating.
pub const PLAIN_ACCESS: Mount = Mount { nginx: false, rotation: Rotation::Never };
/// nginx's `auth_request`.
pub const NGINX: Mount = Mount { nginx: true, rotation: Rotation::Allowed };
/// The same, never rotating.
pub const NGINX_ACCESS: Mount = Mount { nginx: true, rotation: Rotation::Never };

impl Mount {
    /// Whether a refresh here may rotate.
    pub fn rotation(self) -> Rotation {
        self.rotation
    }
}

/// Brings an answer into the mount's form: a person who navigates is sent to the login page, and nginx gets each cookie
/// under a name of its own, and a refusal's code. Those headers carry tokens, so strangers do not even see the mounts that have them.
pub async fn answer_gateway(
    mount: Mount,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    if mount.nginx && !request::peer_is_trusted(request.request()) {
        return Ok(request.into_response(respond::response(&Error::NotFound)));
    }
    let Some(shared) = request.app_data::<web::Data<Shared>>().cloned() else {
        return Ok(request.into_response(respond::response(&Error::Internal("no application".to_owned()))));
    };
    let mut response = next.call(request).await?;
    if response.status() == StatusCode::UNAUTHORIZED && is_navigation(response.request()) {
        let location = login_location(response.request(), &shared.app.config);
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(header::LOCATION, location);
            if !mount.nginx {
                respond::redirect(response.response_mut());
            }
        }
    }
    if mount.nginx {
        copy_cookies(response.headers_mut());
        // nginx drops the body of a refusal, and with it the code that a page's script has to know.
        if let Some(code) = respond::code(response.response()) {
            response.headers_mut().insert(ERROR.clone(), HeaderValue::from_static(code));
        }
    }
    Ok(response)
}

/// Each cookie again, under a name of its own.
fn copy_cookies(headers: &mut HeaderMap) {
    let cookies: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).cloned().collect();
    for (name, cookie) in [&SET_COOKIE_1, &SET_COOKIE_2].into_iter().zip(cookies) {
        headers.insert(name.clone(), cookie);
    }
}

/// Whether a person's browser asks for a page to show: a fetch, a prefetch or a WebSocket never sees a redirect.
fn is_navigation(request: &HttpRequest) -> bool {
    if !matches!(request::forwarded_method(request), Method::GET | Method::HEAD) {
        return false;
    }
    if request::is_handshake(request) || request::is_guess(request) {
        return false;
    }
    let contains =
        |name, word: &str| named_header(request, name).is_some_and(|value| value.to_ascii_lowercase().contains(word));
    match named_header(request, "sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => contains("accept", "text/html") && !contains("x-requested-with", "xmlhttprequest"),
    }
}

/// The login page, with the way back if it leads to an allowed host.
pub fn login_location(request: &HttpRequest, config: &Config) -> String {
    let way_back = way_back(request, config);
    let login = match (config.gateway.login_url.strip_prefix('/'), &way_back) {
        (None, _) => config.gateway.login_url.clone(),
        (Some(path), Some(way_back)) => format!("{}/{path}", way_back.origin().ascii_serialization()),
        (Some(path), None) => format!("{}/{path}", config.server.public_url),
    };
    let Some(way_back) = way_back else { return login };
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", way_back.as_str()).finish();
    let separator = if login.contains('?') { '&' } else { '?' };
    format!("{login}{separator}{query}")
}

/// The site that the gateway asks about, if a configured proxy forwards it and its host is listed.
fn asked_site(request: &HttpRequest, config: &Config) -> Option<String> {
    let scheme = match forwarded(request, "x-forwarded-proto")?.to_ascii_lowercase().as_str() {
        "https" | "wss" => "https",
        "http" | "ws" => "http",
        _ => return None,
    };
    let host = forwarded(request, "x-forwarded-host")?;
    if host.contains(['/', '\\', '@', '?', '#']) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{host}")).ok()?;
    let listed = url
        .host_str()
        .is_some_and(|host| config.gateway.return_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host)));
    listed.then(|| url.origin().ascii_serialization())
}

/// The same as an origin.
pub fn asked_origin(request: &HttpRequest, config: &Config) -> Option<Origin> {
    Origin::parse(&asked_site(request, config)?)
}

/// The address of the request that the gateway asks about, under the same condition.
pub fn way_back(request: &HttpRequest, config: &Config) -> Option<Url> {
    let uri = forwarded(request, "x-forwarded-uri").unwrap_or("/");
    if !uri.starts_with('/') || uri.len() > MAX_RETURN_TO {
        return None;
    }
    // Browsers send one in a query as it is; the login page takes none, since in a path it would count as a slash.
    let uri = uri.replace('\\', "%5C");
    Url::parse(&format!("{}{uri}", asked_site(request, config)?)).ok()
}
