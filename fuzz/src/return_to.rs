//! Input: what stands behind `return_to=`: as raw query, and once more as any text, percent-encoded.

use std::sync::LazyLock;

use actix_web::http::Uri;
use actix_web::test::TestRequest;
use tacit::config::Config;
use tacit::routers::parsers::way_back;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::service::{PUBLIC_URL, RETURN_HOST, app, config};

static DEVELOPMENT: LazyLock<Config> =
    LazyLock::new(|| config("[gateway]\nreturn_hosts = [\"shop.example\"]\n[passwords]\nhash_workers = 1"));

pub fn check(data: &[u8]) {
    let raw = String::from_utf8_lossy(data);
    let encoded: String = byte_serialize(data).collect();
    for query in [format!("return_to={raw}"), format!("return_to={encoded}")] {
        let Ok(uri) = Uri::try_from(format!("/login?{query}")) else { continue };
        let request = TestRequest::default().uri(&uri.to_string()).to_http_request();
        for (config, base) in [(&app().config, PUBLIC_URL), (&*DEVELOPMENT, "http://localhost:8080")] {
            let Some(arrival) = way_back(&request, config) else { continue };
            check_arrival(&arrival, base, config);
            let twice = format!("/login?return_to=/x&{query}");
            let request = TestRequest::default().uri(&twice).to_http_request();
            assert_eq!(way_back(&request, config), None, "one of two wishes was taken");
        }
    }
}

fn check_arrival(arrival: &str, base: &str, config: &Config) {
    assert!(arrival.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'), "{arrival:?}");
    assert!(arrival.starts_with('/') || arrival.starts_with("https://") || arrival.starts_with("http://"), "{arrival}");
    assert!(!arrival.starts_with("//"), "{arrival}");
    let base = Url::parse(base).expect("a URL");
    let url = base.join(arrival).expect("what is answered can be followed");
    let aliases = ["localhost", "127.0.0.1", "[::1]"];
    let ours = url.origin() == base.origin()
        || (base.host_str() == Some("localhost")
            && url.scheme() == "http"
            && url.port_or_known_default() == Some(8080)
            && url.host_str().is_some_and(|host| aliases.contains(&host)));
    assert!(ours || url.host_str() == Some(RETURN_HOST), "{arrival}");
    assert!(url.scheme() == "https" || base.scheme() == "http" && url.scheme() == "http", "{arrival}");
    assert!(url.username().is_empty() && url.password().is_none(), "{arrival}");
    // Asked for itself, it comes back as it is.
    let again = format!("/login?return_to={}", byte_serialize(arrival.as_bytes()).collect::<String>());
    let request = TestRequest::default().uri(&again).to_http_request();
    assert!(arrival.len() > 4096 || way_back(&request, config).as_deref() == Some(arrival), "{arrival}");
}
