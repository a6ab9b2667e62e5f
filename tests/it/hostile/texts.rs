//! Texts that break databases, logs, headers and pages, in every place where a stranger can put one.

use reqwest::header::HeaderValue;
use serde_json::json;

use super::{Service, concrete, every_route, read};
use crate::app::PASSWORD;

fn texts() -> Vec<String> {
    let mut texts: Vec<String> = [
        "a\0b",
        "\0",
        "a\u{202e}b",
        "\u{200b}",
        "\u{feff}a",
        "\r\nSet-Cookie: a=b",
        "' OR '1'='1",
        "'; DROP TABLE users; --",
        "\"; DROP TABLE sessions; --",
        "\\'; SELECT pg_sleep(20); --",
        "1) UNION SELECT password_hash FROM users--",
        "%' ESCAPE '",
        "$1",
        ":1",
        "?",
        "?1",
        "%s%n%x",
        "%00",
        "%",
        "${jndi:ldap://x}",
        "{{7*7}}",
        "\u{1b}[31m",
        "../../../../etc/passwd",
        "<script>alert(1)</script>",
        "\u{10ffff}",
        "\u{fffe}",
        "\u{fdfa}",
        "\\",
        "\"",
        "null",
        "[]",
        "-1",
        "18446744073709551616",
    ]
    .map(str::to_owned)
    .to_vec();
    texts.push("x".repeat(10_000));
    texts
}

#[tokio::test]
async fn every_field_of_every_form_takes_any_text_without_a_fault() {
    let service = Service::start().await;
    let Service { tacit, client, .. } = &service;
    for text in texts() {
        for (path, fields, expected) in [
            ("/token", &[("grant_type", text.as_str())][..], (400, "unsupported_grant_type")),
            ("/token", &[("username", &text), ("password", &text)], (0, "")),
            (
                "/token",
                &[("grant_type", "password"), ("username", &text), ("password", PASSWORD)],
                (400, "invalid_grant"),
            ),
            ("/token", &[("grant_type", "refresh_token"), ("refresh_token", &text)], (400, "invalid_grant")),
            ("/token", &[("username", "eve"), ("password", "x"), ("client_id", &text)], (0, "")),
            (
                "/token",
                &[("username", "ada"), ("password", PASSWORD), ("client_id", &text), ("client_secret", &text)],
                (401, "invalid_client"),
            ),
            ("/introspect", &[("token", "x"), ("client_id", &text), ("client_secret", &text)], (401, "invalid_client")),
            ("/revoke", &[("token", "x"), ("client_id", &text), ("client_secret", &text)], (401, "invalid_client")),
        ] {
            let (status, code) = read(tacit.post(path).form(fields).send().await.unwrap()).await;
            if expected.0 == 0 {
                // FastAPI's dialect: a wrong password, or one that is too long to look at.
                assert!(
                    [(401, "detail"), (400, "detail")].contains(&(status, code.as_str())),
                    "{path} {text:.40}: {status} {code}"
                );
            } else {
                assert_eq!((status, code.as_str()), expected, "{path} {text:.40}");
            }
        }
        for path in ["/introspect", "/revoke"] {
            let asked = client.on(tacit.post(path)).form(&[("token", text.as_str()), ("token_type_hint", &text)]);
            assert_eq!(asked.send().await.unwrap().status(), 200, "{path} {text:.40}");
        }
        let out = tacit.post("/logout").json(&json!({"refresh_token": text}));
        assert_eq!(out.send().await.unwrap().status(), 200, "{text:.40}");
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn every_route_takes_any_query_and_any_path_variable_without_a_fault() {
    let service = Service::start().await;
    for (method, path, _) in every_route().iter().filter(|(_, path, _)| !path.contains("logout")) {
        for text in texts() {
            let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let (start, _) = path.split_once('{').unwrap_or((path, ""));
            let mut urls = vec![
                format!("{}?{encoded}", concrete(path)),
                format!("{}?return_to={encoded}&wait={encoded}&access_token={encoded}", concrete(path)),
            ];
            if start != path {
                urls.push(format!("{start}{encoded}"));
            }
            for url in urls {
                let request = service.tacit.request(method.parse().unwrap(), &url).bearer_auth(&service.token);
                let (status, code) = read(request.send().await.unwrap()).await;
                assert!(status < 500, "{method} {url:.80}: {status} {code}");
            }
        }
    }
    service.assert_unharmed().await;
}

/// Headers that the service reads somewhere.
const HEADERS: [&str; 24] = [
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "cookie",
    "host",
    "if-none-match",
    "origin",
    "purpose",
    "referer",
    "sec-fetch-dest",
    "sec-fetch-mode",
    "sec-fetch-site",
    "sec-purpose",
    "upgrade",
    "user-agent",
    "x-auth-user-id",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-method",
    "x-forwarded-proto",
    "x-forwarded-uri",
    "x-request-id",
    "x-requested-with",
];

#[tokio::test]
async fn every_route_takes_any_header_without_a_fault() {
    let service = Service::start().await;
    let texts: Vec<HeaderValue> =
        texts().iter().filter_map(|text| HeaderValue::from_bytes(text.as_bytes()).ok()).collect();
    assert!(texts.len() > 20);
    for (method, path, _) in every_route() {
        for header in HEADERS {
            for (number, text) in texts.iter().enumerate() {
                // All texts in the places that reach the database or another header, a few in the others.
                let important =
                    matches!(header, "cookie" | "authorization") || ["/verify", "/login"].contains(&path.as_str());
                if !important && number % 8 != 0 {
                    continue;
                }
                let value = match header {
                    "cookie" => [b"tacit-refresh=", text.as_bytes(), b"; tacit-access=", text.as_bytes()].concat(),
                    "authorization" if number % 2 == 0 => [b"Bearer ", text.as_bytes()].concat(),
                    _ => text.as_bytes().to_vec(),
                };
                let request = service.tacit.request(method.parse().unwrap(), &concrete(&path)).header(header, value);
                let (status, code) = read(request.send().await.unwrap()).await;
                assert!(status < 500, "{method} {path} {header}: {text:?}: {status} {code}");
            }
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn what_a_sign_in_notes_of_its_device_may_be_any_text() {
    let service = Service::start().await;
    let tacit = &service.tacit;
    for text in texts() {
        let bytes: Vec<u8> =
            text.bytes().filter(|byte| !byte.is_ascii_control()).chain(*b"\xff\xed\xa0\x80\t").collect();
        let value = HeaderValue::from_bytes(&bytes).expect("a header");
        let login = tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD}));
        let login = login.header("user-agent", value.clone()).header("x-forwarded-for", value.clone());
        assert_eq!(login.header("x-forwarded-host", value).send().await.unwrap().status(), 200, "{text:.40}");
    }
    let sessions = tacit.get("/sessions").bearer_auth(&service.token).send().await.unwrap();
    assert_eq!(sessions.status(), 200);
    assert!(!sessions.text().await.unwrap().contains("\\u0000"));
    service.assert_unharmed().await;
}
