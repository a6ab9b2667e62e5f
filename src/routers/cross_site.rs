//! Requests from other sites' pages: refused where cookies count (CSRF), answered with CORS headers where they are listed.

use actix_cors::Cors;
use actix_web::http::{Method, header};
use actix_web::{HttpRequest, web};

use super::gateway;
use super::request::{header_text, is_handshake, named_header};
use super::shared::Shared;
use crate::config::Config;
use crate::error::Error;
use crate::types::{Event, EventName, Origin};

/// How long a browser may remember a preflight's answer, in seconds.
const PREFLIGHT_MAX_AGE: usize = 600;

/// Refuses an unsafe request that a page of another site sent. What is not a browser shows neither header and passes.
///
/// `method` is the request's own, or behind a gateway the one it forwards. A WebSocket handshake is a GET, but CORS does not
/// hold for what it opens: any page could read and write there as whoever is signed in. So it counts as unsafe.
pub fn check(request: &HttpRequest, method: &Method, config: &Config) -> Result<(), Error> {
    let handshake = is_handshake(request);
    if is_safe(method) && !handshake {
        return Ok(());
    }
    let fetch_site = named_header(request, "sec-fetch-site");
    let has_origin = request.headers().contains_key(header::ORIGIN);
    let passes = match fetch_site {
        Some("same-origin" | "none") => true,
        Some(_) => origin_of(request).is_some_and(|origin| is_listed(&origin, config)),
        None if request.headers().contains_key("sec-fetch-site") => false,
        None if !has_origin => true,
        None => origin_of(request).is_some_and(|origin| {
            // Chromium tells the Origin alone of a handshake, also where the gateway has a second host.
            is_ours_or_listed(&origin, config) || (handshake && gateway::asked_origin(request, config) == Some(origin))
        }),
    };
    if passes {
        Ok(())
    } else {
        if let Some(shared) = request.app_data::<web::Data<Shared>>() {
            shared.note(request, &Event::refused(EventName::CrossSite));
        }
        Err(Error::CrossSite)
    }
}

/// Methods that change nothing (RFC 9110, section 9.2.1).
pub fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE)
}

/// The one Origin header; two count as none that we know.
fn origin_of(request: &HttpRequest) -> Option<Origin> {
    let mut values = request.headers().get_all(header::ORIGIN);
    let origin = values.next()?.to_str().ok()?;
    if values.next().is_some() { None } else { Origin::parse(origin) }
}

/// On the list; in development also another name of this machine.
fn is_listed(origin: &Origin, config: &Config) -> bool {
    let public_url = &config.server.public_url;
    config.cross_site.allowed_origins.contains(origin) || (public_url.is_development() && public_url.matches(origin))
}

fn is_ours_or_listed(origin: &Origin, config: &Config) -> bool {
    config.server.public_url == *origin || is_listed(origin, config)
}

/// Whether this is a page's request for a part of another site (an image, a script, a fetch): it refreshes nothing.
pub fn is_cross_site_subresource(request: &HttpRequest, config: &Config) -> bool {
    named_header(request, "sec-fetch-site") == Some("cross-site")
        && named_header(request, "sec-fetch-mode") != Some("navigate")
        && !origin_of(request).is_some_and(|origin| is_listed(&origin, config))
}

/// Whether the request comes from a page that is neither ours nor on the list.
pub fn is_foreign_page(request: &HttpRequest, config: &Config) -> bool {
    if header_text(request, &header::ORIGIN).is_some() || request.headers().contains_key(header::ORIGIN) {
        return !origin_of(request).is_some_and(|origin| is_ours_or_listed(&origin, config));
    }
    named_header(request, "sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none"))
}

/// CORS for the listed origins, with credentials: exact origins, never `*`, never reflected.
pub fn cors(config: &Config) -> Cors {
    let mut cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PATCH", "DELETE"])
        .allowed_headers([header::AUTHORIZATION, header::CONTENT_TYPE, header::ACCEPT])
        .expose_headers(["x-auth-refresh", "x-request-id", "retry-after", "www-authenticate"])
        .supports_credentials()
        .max_age(PREFLIGHT_MAX_AGE);
    for origin in &config.cross_site.allowed_origins {
        cors = cors.allowed_origin(&origin.to_string());
    }
    cors
}
