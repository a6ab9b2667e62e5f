//! Input: `Authorization` headers, one a line.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use tacit::routers::parsers::{Bearer, basic, bearer};
use url::form_urlencoded::byte_serialize;

use super::service::{TRUSTED, lines, request};

pub fn check(data: &[u8]) {
    let headers: Vec<(&'static str, &[u8])> = lines(data).into_iter().map(|line| ("authorization", line)).collect();
    let Some(sent) = request(TRUSTED, &headers) else { return };
    let (token, client) = (bearer(&sent), basic(&sent));
    if headers.len() > 1 {
        assert_eq!(token, Bearer::Repeated);
        assert!(client.is_err(), "two headers name a client");
        return;
    }
    if let Bearer::Token(token) = token {
        assert!(!matches!(client, Ok(Some(_))), "one header names a user and a client");
        assert!(!token.starts_with([' ', '\t']) && !token.ends_with([' ', '\t']), "{token:?}");
        let again = request(TRUSTED, &[("authorization", format!("bEARER \t{token} ").as_bytes())]).expect("a header");
        assert_eq!(bearer(&again), Bearer::Token(token));
    }
    if let Ok(Some((id, secret))) = client {
        assert_eq!(token, Bearer::Absent);
        assert!(!id.is_empty());
        let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
        let pair = BASE64_STANDARD.encode(format!("{}:{}", encoded(&id), encoded(&secret)));
        let again = request(TRUSTED, &[("authorization", format!("bAsIc {pair}").as_bytes())]).expect("a header");
        assert_eq!(basic(&again), Ok(Some((id, secret))));
    }
}
