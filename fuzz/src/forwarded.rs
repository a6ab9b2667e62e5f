//! Input: X-Forwarded-Proto, -Host and -Uri, and then lines of X-Forwarded-For, one a line.

use std::net::IpAddr;

use actix_web::http::header::HeaderValue;
use tacit::routers::parsers::{address, forwarded_way_back, login_location, way_back};
use url::Url;

use super::service::{PUBLIC_URL, RETURN_HOST, TRUSTED, app, lines, request};

const STRANGER: &str = "203.0.113.9:4711";
const CLIENT: &str = "198.51.100.7";

pub fn check(data: &[u8]) {
    let lines = lines(data);
    let (place, hops) = lines.split_at(lines.len().min(3));
    check_address(hops);
    let names = ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"];
    let headers: Vec<(&'static str, &[u8])> = names.into_iter().zip(place.iter().copied()).collect();
    check_way_back(&headers);
}

/// Whatever a stranger writes, his address is where he comes from.
fn check_address(hops: &[&[u8]]) {
    let own: Vec<(&'static str, &[u8])> = hops.iter().map(|hop| ("x-forwarded-for", *hop)).collect();
    let Some(direct) = request(STRANGER, &own) else { return };
    assert_eq!(address(&direct), Some(ip("203.0.113.9")));
    // The proxy adds a line, or to the last line; behind another proxy both add.
    for added in [CLIENT.to_owned(), format!("{CLIENT}, 10.0.0.2"), format!("[{CLIENT}]:80 ,10.0.0.2:1, fd00::1")] {
        let added = added.replace(&format!("[{CLIENT}]:80"), &format!("{CLIENT}:80"));
        let mut lines = own.clone();
        lines.push(("x-forwarded-for", added.as_bytes()));
        let behind = request(TRUSTED, &lines).expect("headers");
        assert_eq!(address(&behind), Some(ip(CLIENT)), "the address was chosen by its owner");

        let last = own.last().map_or(added.clone().into_bytes(), |(_, last)| [*last, b", ", added.as_bytes()].concat());
        let mut lines = own.clone();
        lines.pop();
        lines.push(("x-forwarded-for", &last));
        let behind = request(TRUSTED, &lines).expect("headers");
        assert_eq!(address(&behind), Some(ip(CLIENT)), "the address was chosen by its owner");
    }
    let alone = request(TRUSTED, &own).expect("headers");
    assert!(address(&alone).is_some());
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn check_way_back(headers: &[(&'static str, &[u8])]) {
    let config = &app().config;
    let Some(stranger) = request(STRANGER, headers) else { return };
    assert_eq!(forwarded_way_back(&stranger, config), None, "a stranger's headers are believed");
    let behind = request(TRUSTED, headers).expect("headers");
    let location = login_location(&behind, config);
    assert!(HeaderValue::try_from(location.as_str()).is_ok(), "{location:?}");
    let login = Url::parse(&location).expect("an absolute URL");
    assert_eq!(login.origin().ascii_serialization(), PUBLIC_URL);
    let Some(url) = forwarded_way_back(&behind, config) else {
        assert_eq!(location, config.gateway.login_url);
        return;
    };
    assert_eq!(url.host_str(), Some(RETURN_HOST), "{url}");
    assert!(matches!(url.scheme(), "http" | "https") && url.username().is_empty() && url.password().is_none(), "{url}");
    // The login page leads back to just there.
    let page = actix_web::test::TestRequest::default().uri(&location).to_http_request();
    let back = way_back(&page, config);
    let expected = (url.scheme() == "https").then(|| url.to_string());
    assert!(back == expected || url.as_str().len() > 4096, "{back:?} instead of {expected:?}");
}
