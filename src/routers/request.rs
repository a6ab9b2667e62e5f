//! What a request's headers say, read in one place.

use std::net::IpAddr;

use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpMessage, HttpRequest, web};

use super::shared::Shared;
use crate::app::Place;
use crate::logging;
use crate::models::session::Device;
use crate::types::client_address;

/// Longest User-Agent that is kept, in characters.
const MAX_USER_AGENT: usize = 256;

/// Longest host and longest path that are kept, in characters.
const MAX_PLACE: usize = 256;

/// The request's id, in its extensions.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// The text of a header, the first if there are several, if it is ASCII.
pub fn header_text<'a>(request: &'a HttpRequest, name: &HeaderName) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The same, by a lower-case name that the framework has no constant for.
pub fn named_header<'a>(request: &'a HttpRequest, name: &'static str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Whether the client has the answer of this strong tag already (RFC 9110, section 13.1.2: compared weakly).
pub fn knows(request: &HttpRequest, etag: &str) -> bool {
    let known = request.headers().get_all(header::IF_NONE_MATCH).filter_map(|value| value.to_str().ok());
    known.flat_map(|line| line.split(',')).any(|tag| {
        let tag = tag.trim();
        tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
    })
}

/// Whether the request's peer is one of `server.trusted_proxies`.
pub fn peer_is_trusted(request: &HttpRequest) -> bool {
    let Some(shared) = request.app_data::<web::Data<Shared>>() else { return false };
    let trusted = &shared.app.config.server.trusted_proxies;
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical());
    peer.is_some_and(|peer| trusted.iter().any(|net| net.contains(&peer)))
}

/// The client's address: `X-Forwarded-For` counts from configured proxies only.
pub fn address(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let shared = request.app_data::<web::Data<Shared>>()?;
    let trusted = &shared.app.config.server.trusted_proxies;
    if trusted.is_empty() {
        return Some(peer.to_canonical());
    }
    // A line with anything in it has to be read: left out, it would uncover the one above, which the client may have written.
    let lines = request.headers().get_all("x-forwarded-for").map(|line| String::from_utf8_lossy(line.as_bytes()));
    let lines: Vec<_> = lines.collect();
    Some(client_address(peer, &lines, trusted))
}

/// Warns of a peer that forwards for others and is no configured proxy: all of them share its address, so that one of
/// them who guesses gets the others refused.
pub fn warn_of_unknown_proxy(request: &HttpRequest) {
    if !request.headers().contains_key("x-forwarded-for") || peer_is_trusted(request) {
        return;
    }
    let shared = request.app_data::<web::Data<Shared>>();
    if !shared.is_some_and(|shared| shared.proxy_warning_is_due()) {
        return;
    }
    let peer = request.peer_addr().map(|peer| peer.ip().to_canonical().to_string()).unwrap_or_default();
    log::warn!(
        event = "unknown_proxy", key = "server.trusted_proxies", address = peer;
        "X-Forwarded-For of a peer that is not in server.trusted_proxies is not believed: list it there if it is your gateway"
    );
}

/// A header in which a gateway describes the request that it asks about: from configured proxies only, and sent once, since
/// of two nobody knows which is the gateway's.
pub fn forwarded<'a>(request: &'a HttpRequest, name: &'static str) -> Option<&'a str> {
    let mut values = request.headers().get_all(name);
    let value = values.next().filter(|_| peer_is_trusted(request))?;
    if values.next().is_some() { None } else { value.to_str().ok().map(str::trim) }
}

/// The method of the request that a gateway asks about: `X-Forwarded-Method` from a configured proxy, else the request's own.
pub fn forwarded_method(request: &HttpRequest) -> Method {
    forwarded(request, "x-forwarded-method")
        .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
        .unwrap_or_else(|| request.method().clone())
}

/// Whether a browser opens a WebSocket. Gateways strip `Upgrade` when they ask, and HTTP/2 has neither it nor a key.
pub fn is_handshake(request: &HttpRequest) -> bool {
    let has = |name: &str| request.headers().contains_key(name);
    has("sec-websocket-key")
        || has("sec-websocket-version")
        || named_header(request, "sec-fetch-mode") == Some("websocket")
        || named_header(request, "upgrade").is_some_and(|value| value.to_ascii_lowercase().contains("websocket"))
}

/// Whether the browser guesses what a person wants next: a prefetch or a prerender.
pub fn is_guess(request: &HttpRequest) -> bool {
    ["sec-purpose", "purpose"]
        .into_iter()
        .any(|name| named_header(request, name).is_some_and(|value| value.to_ascii_lowercase().contains("pre")))
}

/// Where a request is for, behind whatever gateway; never with its query.
pub fn place(request: &HttpRequest) -> Place {
    let host = forwarded(request, "x-forwarded-host").or_else(|| header_text(request, &header::HOST));
    let path = forwarded(request, "x-forwarded-uri").unwrap_or_else(|| request.path());
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let cut = |text: &str| text.chars().take(MAX_PLACE).collect();
    Place { host: cut(host.unwrap_or_default()), path: cut(path) }
}

/// What a session notes of the device behind a request.
pub fn device(request: &HttpRequest) -> Device {
    let user_agent = request.headers().get(header::USER_AGENT).map(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        text.chars().filter(|c| !c.is_control()).take(MAX_USER_AGENT).collect()
    });
    Device { user_agent, ip: address(request).map(|address| address.to_string()) }
}

/// What log lines of this request carry.
pub fn log_context(request: &HttpRequest) -> logging::Context {
    logging::Context {
        request_id: request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
        address: address(request).map(|address| address.to_string()).unwrap_or_default(),
        actor: None,
    }
}

/// Whether the request shows any sign of coming from a browser's page: every one sends one of these headers.
pub fn comes_from_a_page(request: &HttpRequest) -> bool {
    request.headers().contains_key("sec-fetch-site") || request.headers().contains_key(header::ORIGIN)
}

/// An `Authorization` header of scheme Bearer.
#[derive(Debug, PartialEq, Eq)]
pub enum Bearer<'a> {
    /// None, an empty one, or one of another scheme: as if there were none.
    Absent,
    /// It decides alone; the token may be empty.
    Token(&'a str),
    /// Two `Authorization` headers.
    Repeated,
}

/// Reads the `Authorization` header (RFC 6750, section 2.1; the scheme in any case).
pub fn bearer(request: &HttpRequest) -> Bearer<'_> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let Some(value) = values.next() else { return Bearer::Absent };
    if values.next().is_some() {
        return Bearer::Repeated;
    }
    // What is not ASCII is of no scheme's form; behind "Bearer " it is no token.
    let bytes = value.as_bytes().trim_ascii();
    let Some((scheme, rest)) = bytes.split_at_checked(6) else { return Bearer::Absent };
    if !scheme.eq_ignore_ascii_case(b"bearer") || rest.first().is_some_and(|byte| *byte != b' ' && *byte != b'\t') {
        return Bearer::Absent;
    }
    Bearer::Token(std::str::from_utf8(rest.trim_ascii()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_scheme_is_read_in_any_case_and_others_count_as_absent() {
        let of = |value: &'static str| {
            TestRequest::default().insert_header((header::AUTHORIZATION, value)).to_http_request()
        };
        assert_eq!(bearer(&of("bEARer a.b.c")), Bearer::Token("a.b.c"));
        assert_eq!(bearer(&of("Bearer")), Bearer::Token(""));
        assert_eq!(bearer(&of("Bearer   ")), Bearer::Token(""));
        for absent in ["", " ", "Basic abc", "Bearerx", "Token a.b.c"] {
            assert_eq!(bearer(&of(absent)), Bearer::Absent, "{absent}");
        }
        let twice = TestRequest::default()
            .append_header((header::AUTHORIZATION, "Bearer a"))
            .append_header((header::AUTHORIZATION, "Basic b"))
            .to_http_request();
        assert_eq!(bearer(&twice), Bearer::Repeated);
    }
}
