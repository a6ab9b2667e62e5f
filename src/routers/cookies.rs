//! The only place that knows cookie names.

use std::time::Duration;

use actix_web::http::header::{self, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};

use crate::config::{CookiesConfig, SameSite};
use crate::services::refresh::IssuedRefresh;
use crate::services::tokens::AccessToken;

/// Cookies of one name that are looked at.
const MAX_OF_A_NAME: usize = 4;

/// What may stand around a name and a value. Nothing else is trimmed: a browser that sees U+2000 in front of a name does
/// not take it for one that only this host may set.
const BLANKS: [char; 2] = [' ', '\t'];

/// The cookies' names: the prefix makes browsers refuse them from anything but this host, over https, by header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    access: &'static str,
    refresh: &'static str,
    device: &'static str,
}

const SECURE: Names = Names {
    access: "__Host-Http-tacit-access",
    refresh: "__Host-Http-tacit-refresh",
    device: "__Host-Http-tacit-device",
};
const DEVELOPMENT: Names = Names { access: "tacit-access", refresh: "tacit-refresh", device: "tacit-device" };

/// Names of the cookie that holds an access token.
pub const ACCESS_COOKIES: [&str; 2] = [SECURE.access, DEVELOPMENT.access];
/// Names of the cookie that holds a refresh token.
pub const REFRESH_COOKIES: [&str; 2] = [SECURE.refresh, DEVELOPMENT.refresh];
/// Names of the cookie that makes a browser known when it signs in again.
pub const DEVICE_COOKIES: [&str; 2] = [SECURE.device, DEVELOPMENT.device];

/// How long a device is known by its cookie: the longest that browsers keep one.
const DEVICE_MAX_AGE: Duration = Duration::from_secs(400 * 86_400);

fn names(config: &CookiesConfig) -> Names {
    if config.secure { SECURE } else { DEVELOPMENT }
}

/// The access cookie's name, for the documentation.
pub fn access_name(config: &CookiesConfig) -> &'static str {
    names(config).access
}

/// The name of the refresh cookie, for the API's documentation.
pub fn refresh_name(config: &CookiesConfig) -> &'static str {
    names(config).refresh
}

/// The tokens that a request's cookies hold.
#[derive(Debug, Default)]
pub struct Presented<'a> {
    /// Access tokens.
    pub access: Vec<&'a str>,
    /// Refresh tokens.
    pub refresh: Vec<&'a str>,
}

impl Presented<'_> {
    /// Whether the request has no cookie of ours.
    pub fn is_empty(&self) -> bool {
        self.access.is_empty() && self.refresh.is_empty()
    }
}

/// Reads our cookies; others, and malformed ones, do not matter.
pub fn presented<'a>(request: &'a HttpRequest, config: &CookiesConfig) -> Presented<'a> {
    let names = names(config);
    Presented { access: of_name(request, names.access), refresh: of_name(request, names.refresh) }
}

/// What the device cookies hold: they sign nobody in, and no route but those that check a password reads them.
pub fn devices(request: &HttpRequest, config: &CookiesConfig) -> Vec<String> {
    of_name(request, names(config).device).into_iter().map(str::to_owned).collect()
}

fn of_name<'a>(request: &'a HttpRequest, wanted: &str) -> Vec<&'a str> {
    let mut found = Vec::new();
    for line in request.headers().get_all(header::COOKIE) {
        // One byte beyond ASCII in somebody else's cookie must not hide ours.
        for pair in line.as_bytes().split(|byte| *byte == b';') {
            let Some((name, value)) = std::str::from_utf8(pair).ok().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            let value = value.trim_matches(BLANKS);
            if name.trim_matches(BLANKS) == wanted && found.len() < MAX_OF_A_NAME && !value.is_empty() {
                found.push(value);
            }
        }
    }
    found
}

/// Adds the access cookie, and the refresh cookie if there is a new one, to an answer's headers.
pub fn set(
    headers: &mut HeaderMap,
    config: &CookiesConfig,
    access: &AccessToken,
    access_left: Duration,
    refresh: Option<&IssuedRefresh>,
) {
    let names = names(config);
    append(headers, config, names.access, &access.text, access_left);
    if let Some(refresh) = refresh {
        append(headers, config, names.refresh, &refresh.text, refresh.max_age);
    }
    mark_private(headers);
}

/// Makes the browser forget both cookies.
pub fn clear(headers: &mut HeaderMap, config: &CookiesConfig) {
    let names = names(config);
    append(headers, config, names.access, "", Duration::ZERO);
    append(headers, config, names.refresh, "", Duration::ZERO);
    mark_private(headers);
}

/// Whether the answer sets or clears a cookie of ours already.
pub fn are_set(headers: &HeaderMap, config: &CookiesConfig) -> bool {
    let names = names(config);
    headers.get_all(header::SET_COOKIE).any(|value| {
        let name = value.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        name == names.access.as_bytes() || name == names.refresh.as_bytes()
    })
}

fn append(headers: &mut HeaderMap, config: &CookiesConfig, name: &str, value: &str, max_age: Duration) {
    let same_site = match config.same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
        SameSite::None => "None",
    };
    let secure = if config.secure { "; Secure" } else { "" };
    let max_age = max_age.as_secs();
    let cookie = format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite={same_site}{secure}");
    if let Ok(cookie) = HeaderValue::try_from(cookie) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// An answer with cookies belongs to one person: no cache may keep it.
fn mark_private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.append(header::VARY, HeaderValue::from_static("Cookie"));
}

/// Adds cookies to a whole answer.
pub fn set_on(response: &mut HttpResponse, config: &CookiesConfig, access: &AccessToken, refresh: &IssuedRefresh) {
    let left = Duration::from_secs(u64::try_from(access.expires_in()).unwrap_or(0));
    set(response.headers_mut(), config, access, left, Some(refresh));
}

/// Lets the browser be known when it signs in again.
pub fn set_device_on(response: &mut HttpResponse, config: &CookiesConfig, device: &str) {
    append(response.headers_mut(), config, names(config).device, device, DEVICE_MAX_AGE);
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    const CONFIG: CookiesConfig = CookiesConfig { same_site: SameSite::Lax, secure: false };

    #[test]
    fn our_cookies_are_found_among_malformed_ones() {
        let request = TestRequest::default()
            .append_header((
                header::COOKIE,
                HeaderValue::from_bytes(b"x; =y; caf\xc3\xa9=\xff; tacit-access=a").unwrap(),
            ))
            .append_header((header::COOKIE, "tacit-refresh=r1; tacit-refresh=r2;tacit-refresh=;xtacit-refresh=no"))
            .to_http_request();
        let found = presented(&request, &CONFIG);
        assert_eq!((found.access, found.refresh), (vec!["a"], vec!["r1", "r2"]));
    }

    #[test]
    fn production_never_reads_the_development_names() {
        let request =
            TestRequest::default().append_header((header::COOKIE, "tacit-access=a; tacit-refresh=r")).to_http_request();
        assert!(presented(&request, &CookiesConfig { secure: true, ..CONFIG }).is_empty());
    }

    #[test]
    fn at_most_four_of_a_name_are_looked_at() {
        let line = "tacit-refresh=r; ".repeat(50);
        let request = TestRequest::default().append_header((header::COOKIE, line)).to_http_request();
        assert_eq!(presented(&request, &CONFIG).refresh.len(), 4);
    }

    #[test]
    fn deleting_repeats_every_attribute() {
        let mut headers = HeaderMap::new();
        clear(&mut headers, &CookiesConfig { secure: true, ..CONFIG });
        let cookies: Vec<_> = headers.get_all(header::SET_COOKIE).collect();
        assert_eq!(
            cookies,
            [
                "__Host-Http-tacit-access=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
                "__Host-Http-tacit-refresh=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure",
            ]
        );
        assert!(are_set(&headers, &CookiesConfig { secure: true, ..CONFIG }));
    }
}
