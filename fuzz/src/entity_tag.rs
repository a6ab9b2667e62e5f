//! Input: `If-None-Match` headers, one a line.

use tacit::routers::parsers::knows;

use super::service::{TRUSTED, lines, request};

const TAG: &str = "\"0123456789abcdef\"";

pub fn check(data: &[u8]) {
    let headers: Vec<(&'static str, &[u8])> = lines(data).into_iter().map(|line| ("if-none-match", line)).collect();
    let Some(sent) = request(TRUSTED, &headers) else { return };
    if knows(&sent, TAG) {
        let named = data.windows(TAG.len()).any(|window| window == TAG.as_bytes());
        assert!(named || data.contains(&b'*'), "304 for a tag that the client did not name");
    }
    for more in [TAG.to_owned(), format!("W/{TAG}"), format!("\"other\" , W/{TAG},"), "*".to_owned()] {
        let sent = request(TRUSTED, &[&headers[..], &[("if-none-match", more.as_bytes())]].concat());
        assert!(knows(&sent.expect("headers"), TAG), "{more} is not found behind other tags");
    }
}
