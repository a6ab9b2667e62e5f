//! The way back after signing in: the query's `return_to`, if it leads to an allowed place.

use actix_web::HttpRequest;
use url::{Position, Url, form_urlencoded};

use crate::config::Config;
use crate::types::Origin;

/// Longest way back that is looked at, in bytes.
const MAX_LENGTH: usize = 4096;

/// Where the request wants its person to be led; `None` for no wish, two of them, and a place that is not allowed.
pub fn way_back(request: &HttpRequest, config: &Config) -> Option<String> {
    let mut wishes = form_urlencoded::parse(request.query_string().as_bytes()).filter(|(name, _)| name == "return_to");
    let (_, wish) = wishes.next()?;
    if wishes.next().is_some() { None } else { allowed(&wish, &config.server.public_url, &config.gateway.return_hosts) }
}

/// A path of our own origin, or a URL whose host is listed, as a browser will read it.
///
/// What is checked is what is answered: the parsed and rewritten form, never the text as it came.
fn allowed(wish: &str, public_url: &Origin, return_hosts: &[String]) -> Option<String> {
    if wish.len() > MAX_LENGTH || wish.chars().any(|c| c.is_control() || c == '\\') {
        return None;
    }
    if wish.starts_with('/') {
        let base = Url::parse(&public_url.to_string()).ok()?;
        let url = base.join(wish).ok()?;
        let path = &url[Position::BeforePath..];
        // Two slashes would be another host to the browser.
        return (url.origin() == base.origin() && !wish.starts_with("//") && !path.starts_with("//"))
            .then(|| path.to_owned());
    }
    let url = Url::parse(wish).ok()?;
    let encrypted = match url.scheme() {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let host = url.host_str()?;
    let listed = return_hosts.iter().any(|listed| listed.eq_ignore_ascii_case(host));
    let ours = || Origin::parse(&url.origin().ascii_serialization()).is_some_and(|origin| public_url.matches(&origin));
    let good = (encrypted || public_url.is_development())
        && url.username().is_empty()
        && url.password().is_none()
        && (listed || ours());
    good.then(|| url.to_string())
}

/// `path` with the way back in its query.
pub fn with_way_back(path: &str, way_back: Option<&str>) -> String {
    match way_back {
        None => path.to_owned(),
        Some(way_back) => {
            let query = form_urlencoded::Serializer::new(String::new()).append_pair("return_to", way_back).finish();
            format!("{path}?{query}")
        }
    }
}

/// The places that a form may lead to, in the words of a content security policy: browsers apply `form-action` to the
/// redirect behind a form too.
pub fn form_targets(config: &Config) -> String {
    let schemes: &[&str] = if config.server.public_url.is_development() { &["https", "http"] } else { &["https"] };
    // What is no name would end the directive, or mean every host.
    let is_name = |host: &&String| {
        !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte))
    };
    let listed = config.gateway.return_hosts.iter().filter(is_name);
    let targets = listed.flat_map(|host| schemes.iter().map(move |scheme| format!("{scheme}://{host}:*")));
    std::iter::once("'self'".to_owned()).chain(targets).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PIECES: &[&str] = &[
        "/",
        "/",
        "//",
        "/.",
        "/..",
        "\\",
        "@",
        ":",
        ":1",
        "?",
        "#",
        "%2e",
        "%2f",
        "%5c",
        "\t",
        "\r\n",
        " ",
        "\0",
        "https:",
        "http://",
        "HTTPS://",
        "javascript:",
        "data:",
        "evil.example",
        "shop.example",
        "localhost:8080",
        "x",
        "안",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        /// What is allowed leads, as a browser reads it, to our own origin or to a listed host; whatever was wished for.
        #[test]
        fn no_wish_leads_to_a_place_that_is_not_allowed(
            pieces in prop::collection::vec(prop::sample::select(PIECES), 0..8),
            development in any::<bool>(),
        ) {
            let wish = pieces.concat();
            let public_url = if development { "http://localhost:8080" } else { "https://auth.example" };
            let hosts = ["shop.example".to_owned()];
            let Some(arrival) = allowed(&wish, &Origin::parse(public_url).unwrap(), &hosts) else { return Ok(()) };
            let base = Url::parse(public_url).unwrap();
            let url = base.join(&arrival).unwrap();
            prop_assert!(url.origin() == base.origin() || url.host_str() == Some("shop.example"), "{wish:?}: {arrival}");
            prop_assert!(url.scheme() == "https" || development && url.scheme() == "http", "{wish:?}: {arrival}");
            prop_assert!(url.username().is_empty() && url.password().is_none(), "{wish:?}: {arrival}");
            prop_assert!(arrival.bytes().all(|byte| byte.is_ascii_graphic()), "{wish:?}: {arrival:?}");
            prop_assert!(!arrival.starts_with("//"), "{wish:?}: {arrival}");
        }
    }
}
