//! Bodies, WebSockets, event streams and preflights pass as if nobody stood in between.

use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{echo, seen};
use crate::app::LIMIT;
use crate::front::Front;
use crate::header;
use crate::jar::set_cookies;
use crate::raw;
use crate::upstream::{WEBSOCKET_ACCEPT, WEBSOCKET_KEY, checksum};

pub async fn bodies_arrive_whole(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let body: Vec<u8> = (0..600_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    for path in ["/api/x?y=z%20&y", "/slow/x?y=z%20&y"] {
        for jar in [&jar, &jar.without_access()] {
            let request = front.request(Method::POST, path).header("cookie", jar.header()).body(body.clone());
            let echo_of = echo(request.send().await.unwrap()).await;
            assert_eq!((&echo_of["body"], &echo_of["method"]), (&json!(checksum(&body)), &json!("POST")));
            assert_eq!(echo_of["target"], path, "the path and query are the client's");
            let host = front.url.trim_start_matches("http://");
            let mut stream = raw::connect_to(&front.url).await;
            let head = format!(
                "PUT {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
                jar.header()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            for chunk in body.chunks(100_000) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
                stream.write_all(chunk).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
            let answer = raw::receive(&mut stream).await;
            assert!(answer.body.contains(&checksum(&body)), "{path}: {} {}", answer.status, answer.body);
        }
    }
}

/// Asks for a WebSocket as a page of `origin` does: the connection, and the answer's head.
async fn shake_hands(front: &Front, path: &str, origin: &str, cookie: &str) -> (TcpStream, String) {
    let host = front.url.trim_start_matches("http://");
    let mut stream = raw::connect_to(&front.url).await;
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: {origin}\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {WEBSOCKET_KEY}\r\nCookie: {cookie}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(timeout(LIMIT, stream.read_u8()).await.expect("a head in time").expect("a head"));
    }
    (stream, String::from_utf8(head).unwrap())
}

pub async fn a_websocket_works(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    for path in ["/api/websocket", "/slow/websocket"] {
        for (cookie, status) in
            [(jar.header(), "101"), (jar.without_access().header(), "101"), ("a=1".to_owned(), "401")]
        {
            let (mut stream, head) = shake_hands(&front, path, &front.url, &cookie).await;
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
            if status == "101" {
                assert!(
                    head.contains(WEBSOCKET_ACCEPT) && head.to_lowercase().contains("\r\nx-user: ada\r\n"),
                    "{head}"
                );
                // A masked text frame and the bytes that come back.
                let frame = b"\x81\x85\x01\x02\x03\x04igohn";
                stream.write_all(frame).await.unwrap();
                let mut back = [0; 11];
                timeout(LIMIT, stream.read_exact(&mut back)).await.expect("an echo in time").unwrap();
                assert_eq!(&back, frame);
            }
        }
    }
}

pub async fn a_websocket_of_another_site_is_refused(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    // The second is of the same site: its Lax cookies go along.
    for origin in ["https://evil.example", "http://localhost:1"] {
        for path in ["/api/websocket", "/slow/websocket"] {
            for cookie in [jar.header(), jar.without_access().header()] {
                let (_, head) = shake_hands(&front, path, origin, &cookie).await;
                assert!(head.starts_with("HTTP/1.1 403 "), "{path} of {origin}: {head}");
                assert_eq!(front.upstream.hits(path), 0);
            }
        }
    }
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 0);
}

pub async fn events_arrive_one_by_one(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    for path in ["/api/events", "/slow/events"] {
        let mut answer = front.get_with(path, &jar).await;
        assert_eq!(header(&answer, "content-type"), Some("text/event-stream"));
        let mut text = String::new();
        while !text.contains("data: first\n\n") {
            let chunk = timeout(LIMIT, answer.chunk()).await.expect("an event in time").unwrap().expect("an event");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(!text.contains("second"), "the first arrives before there is a second");
        front.upstream.go_on();
        while let Some(chunk) = timeout(LIMIT, answer.chunk()).await.expect("an end in time").unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(text.ends_with("data: second\n\n"), "{path}: {text}");
    }
}

pub async fn preflights_and_public_paths_are_not_asked_about(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let request = front.request(Method::OPTIONS, "/api/x").header("origin", "https://app.example.com");
    let echo_of = echo(request.header("access-control-request-method", "POST").send().await.unwrap()).await;
    assert!(seen(&echo_of, "x-auth-user-id").iter().all(|value| value.is_empty()), "{echo_of}");
    let plain = front.request(Method::OPTIONS, "/api/x").send().await.unwrap();
    assert_eq!(plain.status(), 401, "OPTIONS without a preflight's header is a request like any other");
    let answer = front.get_with("/public/x", &jar).await;
    assert_eq!(set_cookies(&answer), Vec::<String>::new());
    echo(answer).await;
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 0);
}

pub async fn the_api_is_never_asked_twice(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    for path in ["/api/drop", "/slow/drop"] {
        // Closing the browser's connection as well is an answer too: then it knows that it may ask again.
        let answer = front.get(path).header("cookie", jar.header()).send().await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().is_server_error()));
        assert_eq!(front.upstream.hits(path), 1, "{path}");
    }
}
