//! Around everything: the request's id, its log line and its metric, the headers of every answer, and panics.

use std::panic::AssertUnwindSafe;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode, Uri};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpResponse, web};
use futures_util::FutureExt;

use super::request::{RequestId, warn_of_unknown_proxy};
use super::shared::Shared;
use super::{OAUTH_PATHS, UNMATCHED, respond};
use crate::config::Config;
use crate::error::Error;
use crate::types::random_bytes;

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over from a client or gateway, in characters.
const MAX_REQUEST_ID: usize = 64;

/// The outermost middleware.
pub async fn observe(
    shared: web::Data<Shared>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let app = &shared.app;
    let started = app.clock.instant();
    let id = request_id(&request);
    let method = word_for(request.method());
    let oauth = is_oauth(&app.config, request.path());
    request.extensions_mut().insert(RequestId(id.clone()));
    trim_trailing_slash(&mut request);
    warn_of_unknown_proxy(request.request());

    let outcome = AssertUnwindSafe(next.call(request)).catch_unwind().await;
    let finish = |response: HttpResponse<BoxBody>| {
        let mut response = respond::render(response, &id, oauth);
        if response.status().is_client_error() || response.status().is_server_error() {
            // A cache may keep a 404 unasked (RFC 9110, section 15.1), and what is refused now may be granted next.
            respond::insert_if_absent(response.headers_mut(), header::CACHE_CONTROL, "no-store");
        }
        add_headers(response.headers_mut(), &app.config, &id, oauth);
        response
    };
    let (route, response) = match outcome {
        Ok(Ok(response)) => {
            let route = response.request().match_pattern().filter(|route| route != UNMATCHED);
            let route = route.unwrap_or_else(|| "unmatched".to_owned());
            let (request, response) = response.into_parts();
            (route, Ok(ServiceResponse::new(request, finish(response.map_into_boxed_body()))))
        }
        Ok(Err(error)) => ("unmatched".to_owned(), Err(finish(HttpResponse::from_error(error)))),
        Err(panic) => {
            app.metrics.panics.inc();
            let cause = panic_text(panic.as_ref());
            let response = respond::response(&Error::Internal(format!("a handler panicked: {cause}")));
            ("unmatched".to_owned(), Err(finish(response)))
        }
    };
    let status = match &response {
        Ok(response) => response.status(),
        Err(response) => response.status(),
    };
    let seconds = app.clock.instant().saturating_duration_since(started).as_secs_f64();
    app.metrics.request_seconds.with_label_values(&[route.as_str(), status_class(status)]).observe(seconds);
    let level = if status.is_server_error() { log::Level::Warn } else { log::Level::Debug };
    log::log!(
        level, event = "request", request_id = id.as_str(), method = method, route = route.as_str(),
        status = status.as_u16(), seconds = seconds; "a request was answered"
    );
    response.map_err(|response| InternalError::from_response("request failed", response).into())
}

/// Lets every path answer with and without a trailing slash, before the router sees it: two patterns for each route
/// would make it fall back to regular expressions, which cost more than checking a token does.
fn trim_trailing_slash(request: &mut ServiceRequest) {
    let Some(trimmed) = request.path().strip_suffix('/').filter(|path| !path.is_empty() && !path.ends_with('/')) else {
        return;
    };
    let path_and_query = match request.uri().query() {
        Some(query) => format!("{trimmed}?{query}"),
        None => trimmed.to_owned(),
    };
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = path_and_query.parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
}

/// The id that a client or gateway gave, if it is a plain word, else a new one: random for the process, counted in it.
fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=MAX_REQUEST_ID).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(plain).map_or_else(new_id, str::to_owned)
}

fn new_id() -> String {
    static PROCESS: OnceLock<u32> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let process = PROCESS.get_or_init(|| u32::from_ne_bytes(random_bytes()));
    format!("{process:08x}{:08x}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Whether errors of this path carry OAuth's own `error` member too. Routing reads `/%74oken` as `/token`, and so does this.
fn is_oauth(config: &Config, path: &str) -> bool {
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy();
    path.strip_prefix(config.server.base_path.as_str())
        .is_some_and(|path| OAUTH_PATHS.contains(&path.strip_suffix('/').unwrap_or(path)))
}

/// The headers of every answer; a page that needs others has set them itself.
fn add_headers(headers: &mut HeaderMap, config: &Config, id: &str, oauth: bool) {
    respond::insert_if_absent(headers, header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    respond::insert_if_absent(headers, header::REFERRER_POLICY, "no-referrer");
    let policy = "default-src 'none'; frame-ancestors 'none'";
    respond::insert_if_absent(headers, header::CONTENT_SECURITY_POLICY, policy);
    // No other origin's page loads an answer as its image or script; what CORS lets it fetch is not touched by this.
    respond::insert_if_absent(headers, header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    if config.server.public_url.is_https() {
        respond::insert_if_absent(headers, header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    if oauth {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    }
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID.clone(), id);
    }
}

/// A method of the standard (RFC 9110, section 9; RFC 5789) by its name: any other is a text that somebody chose.
fn word_for(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "TRACE" => "TRACE",
        "CONNECT" => "CONNECT",
        _ => "other",
    }
}

fn status_class(status: StatusCode) -> &'static str {
    match status.as_u16() / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
