use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{assert_well_again, health, kilobytes, open_files, raise_open_files};
use crate::app::{LIMIT, Tacit};
use crate::raw;

const MEGABYTES: usize = 10;

/// Sends a head and so many megabytes behind it; the status, unless the service hung up before it could be read.
async fn send(tacit: &Tacit, head: String, tail: &str) -> Option<u16> {
    let mut stream = raw::connect(tacit).await;
    let piece = "a".repeat(1024 * 1024);
    let mut answer = Vec::new();
    let sending = async {
        stream.write_all(head.as_bytes()).await?;
        for _ in 0..MEGABYTES {
            stream.write_all(piece.as_bytes()).await?;
        }
        stream.write_all(tail.as_bytes()).await
    };
    // Whoever is refused early cannot send the rest.
    let _ = timeout(LIMIT, sending).await.expect("the service takes in, or hangs up");
    let _ = timeout(LIMIT, stream.read_buf(&mut answer)).await.expect("an answer in time");
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

#[tokio::test]
async fn ten_megabytes_of_headers_or_body_are_refused_without_being_kept() {
    raise_open_files();
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let (files, before) = (open_files(&tacit), kilobytes(&tacit, "VmRSS"));
    let size = MEGABYTES * 1024 * 1024;
    let mut requests = vec![
        ("GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: ".to_owned(), "\r\n\r\n".to_owned()),
        ("GET /me HTTP/1.1\r\nHost: x\r\nCookie: tacit-access=".to_owned(), "\r\n\r\n".to_owned()),
        ("GET /".to_owned(), " HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
        (String::new(), " / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned()),
    ];
    for path in
        ["/login", "/register", "/token", "/logout", "/me/password", "/introspect", "/revoke", "/verify", "/nothing"]
    {
        for kind in
            ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
        {
            let head =
                format!("POST {path} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nContent-Type: {kind}\r\n", jar.header());
            requests.push((format!("{head}Content-Length: {size}\r\n\r\n"), String::new()));
            requests
                .push((format!("{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n"), "\r\n0\r\n\r\n".to_owned()));
        }
    }
    let mut answered = 0;
    for some in requests.chunks(20) {
        let statuses = join_all(some.iter().map(|(head, tail)| send(&tacit, head.clone(), tail))).await;
        for ((head, _), status) in some.iter().zip(statuses) {
            // /verify reads no body, and says so before it has arrived.
            let fits = status.is_none_or(|status| (400..500).contains(&status) || head.contains(" /verify "));
            assert!(fits, "{status:?} for {head:.60}");
            answered += usize::from(status.is_some());
        }
        health(&tacit).await;
    }
    assert!(answered > requests.len() / 4, "{answered} of {} were answered", requests.len());
    let grown = kilobytes(&tacit, "VmHWM").saturating_sub(before);
    assert!(grown < 100_000, "{grown} kB for 20 requests of 10 MB at once");
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    assert_well_again(&tacit, files).await;
}
