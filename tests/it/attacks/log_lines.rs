//! Lines that somebody else would like to write into the log, and the terminal that reads it.

use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit, eventually};

/// Line breaks, colours, a second field and a second line, as far as HTTP lets them through.
const FORGERIES: [&str; 7] = [
    "x event=forged outcome=success",
    "x\" event=\"forged",
    "x event=forged \\",
    "x\u{9b}31m\u{85}2026-01-01T00:00:00+00:00 info event=forged",
    "x\u{2028}2026-01-01T00:00:00+00:00 info event=forged",
    "\u{202e}x event=forged",
    "x%0d%0a2026-01-01T00:00:00+00:00%20info%20event=forged",
];

const IN_BODIES: [&str; 3] = [
    "x\r\n2026-01-01T00:00:00+00:00 info event=forged",
    "\u{1b}[2J\u{1b}[31m event=forged",
    "\0\u{8}\u{7f} event=forged",
];

async fn send_forgeries(tacit: &Tacit) {
    let jar = tacit.new_session("ada").await;
    for forgery in FORGERIES {
        let value = HeaderValue::from_bytes(forgery.as_bytes()).unwrap();
        for header in [
            "user-agent",
            "x-request-id",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-uri",
            "origin",
            "referer",
            "cookie",
            "x-forwarded-method",
        ] {
            let login = json!({"username": "ada", "password": "wrong"});
            for request in [
                tacit.get("/nothing"),
                tacit.get("/me").header("cookie", jar.header()),
                tacit.post("/logout/others").header("cookie", jar.header()),
                tacit.post("/login").json(&login),
                tacit.post("/token").form(&[("grant_type", "refresh_token"), ("refresh_token", forgery)]),
            ] {
                request.header(header, value.clone()).send().await.unwrap();
            }
        }
        let path = form_urlencoded::byte_serialize(forgery.as_bytes()).collect::<String>().replace('+', "%20");
        tacit.get(&format!("/{path}?{path}")).send().await.unwrap();
        // A cookie that never came back is logged with the place it was lost at.
        let lost = tacit.log_in("ada").await.without_access();
        for _ in 0..2 {
            let request = tacit.get("/me").header("cookie", lost.header()).header("x-forwarded-host", value.clone());
            request.header("x-forwarded-uri", value.clone()).header("user-agent", value.clone()).send().await.unwrap();
            tacit.home.database.age("sessions", "rotated_at", 200);
        }
    }
    for forgery in FORGERIES.into_iter().chain(IN_BODIES) {
        for body in [
            json!({"username": forgery, "password": forgery}),
            json!({"email": forgery, "password": PASSWORD}),
            json!({"username": "ada", "password": forgery, "grant_type": forgery}),
        ] {
            for path in ["/login", "/register", "/logout"] {
                tacit.post(path).json(&body).send().await.unwrap();
            }
            tacit.post("/token").form(&body).send().await.unwrap();
        }
    }
    tacit.get("/nothing").header("x-request-id", "the-last-one").send().await.unwrap();
    assert!(eventually(async || tacit.log().contains("the-last-one")).await);
}

#[tokio::test]
async fn nobody_writes_a_line_a_field_or_a_colour_of_the_own_into_the_log() {
    for format in ["text", "json"] {
        let setup = Setup::default().set("log.level", "trace").set("log.format", format);
        let tacit = setup.set("server.trusted_proxies", "127.0.0.1").start().await;
        send_forgeries(&tacit).await;
        let log = tacit.log();
        assert!(log.contains("cookie_lost"), "the log has no line with a place in it");
        for line in log.split('\n').filter(|line| !line.is_empty()) {
            let wild = |c: char| {
                c.is_control()
                    || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            assert!(!line.contains(wild), "{line:?}");
            let (time, event) = if format == "json" {
                let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
                (line["time"].as_str().unwrap().to_owned(), line["event"].as_str().unwrap_or_default().to_owned())
            } else {
                // As a reader of such lines takes them apart: a field begins behind a space that is not quoted.
                assert!(!unquoted(line).contains(" event=forged"), "{line}");
                (line.split(' ').next().unwrap().to_owned(), String::new())
            };
            assert!(chrono::DateTime::parse_from_rfc3339(&time).is_ok(), "{line}");
            assert_ne!(event, "forged", "{line}");
        }
    }
}

/// A text line without what stands in quotes.
fn unquoted(line: &str) -> String {
    let mut plain = String::new();
    let (mut quoted, mut escaped) = (false, false);
    for c in line.chars() {
        match c {
            '"' if !escaped => quoted = !quoted,
            _ if !quoted => plain.push(c),
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    plain
}
