//! Where one request ends and the next begins: never in doubt, so that nothing can be smuggled behind a gateway's back.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::app::{LIMIT, PASSWORD, Tacit};
use crate::problems;
use crate::raw;

/// What must not be answered: it stands where a body may be.
const HIDDEN: &str = "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

const POST: &str = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";

/// The statuses of all answers up to the end of the connection.
async fn statuses(tacit: &Tacit, sent: &str) -> Vec<u16> {
    let mut stream = raw::connect(tacit).await;
    // The service may have answered and closed before all was sent.
    let _ = stream.write_all(sent.as_bytes()).await;
    let mut bytes = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("the connection stays open");
    assert!(read.is_ok() || !bytes.is_empty(), "{read:?}");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let first = |at: usize| text[at..].split(' ').nth(1).expect("a status").parse().expect("a number");
    text.match_indices("HTTP/1.")
        .filter(|(at, _)| *at == 0 || text[..*at].ends_with(['\n', '}']))
        .map(|(at, _)| first(at))
        .collect()
}

#[tokio::test]
async fn a_request_whose_end_is_in_doubt_is_400_and_closes_the_connection() {
    let tacit = Tacit::start().await;
    for ambiguous in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: identity\r\nContent-Length: 2\r\n\r\n{}",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
        "Content-Length: +2\r\n\r\n{}",
        "Content-Length: -2\r\n\r\n{}",
        "Content-Length: 0x2\r\n\r\n{}",
        "Content-Length: 2, 2\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
        "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        "Content-Length: \r\n\r\n",
        "Content-Length : 2\r\n\r\n{}",
        "Content-Length: 18446744073709551618\r\n\r\n{}",
        "X-A: b\r\n Content-Length: 2\r\n\r\n{}",
        "X-A: a\0b\r\nContent-Length: 2\r\n\r\n{}",
        "X-A: b\rContent-Length: 2\r\n\r\n{}",
        "X-A: \u{1b}[31m\r\nContent-Length: 2\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2;\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}XX0\r\n\r\n",
    ] {
        assert_eq!(statuses(&tacit, &format!("{POST}{ambiguous}{HIDDEN}")).await, [400], "{ambiguous:?}");
    }
    for old in ["", "Connection: keep-alive\r\n"] {
        let chunked = "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        let sent = format!("{}{old}{chunked}{HIDDEN}", POST.replace("HTTP/1.1", "HTTP/1.0"));
        assert_eq!(statuses(&tacit, &sent).await, [400], "HTTP/1.0 {old:?}");
    }
    for start in [
        "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\n\r\n",
        "GET /healthz x HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /\u{e9} HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        assert_eq!(statuses(&tacit, &format!("{start}{HIDDEN}")).await, [400], "{start:?}");
    }
    assert!(tacit.metric("tacit_panics_total").await < 1.0);
}

#[tokio::test]
async fn plain_requests_one_behind_the_other_are_all_answered_so_the_refusals_mean_something() {
    let tacit = Tacit::start().await;
    for plain in [
        "Content-Length: 2\r\n\r\n{}",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: CHUNKED\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Auth-User-Id: 1\r\n\r\n",
    ] {
        assert_eq!(statuses(&tacit, &format!("{POST}{plain}{HIDDEN}")).await, [400, 404], "{plain:?}");
    }
    let upgrade = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert_eq!(statuses(&tacit, &format!("{upgrade}{HIDDEN}")).await, [200, 404], "no upgrade to HTTP/2");
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_never_taken_for_a_request() {
    let tacit = Tacit::start().await;
    let length = HIDDEN.len();
    for (head, status) in [
        ("GET /healthz HTTP/1.1\r\nHost: x\r\n", 200),
        ("HEAD /healthz HTTP/1.1\r\nHost: x\r\n", 200),
        ("POST /nothing HTTP/1.1\r\nHost: x\r\n", 404),
        ("PUT /me HTTP/1.1\r\nHost: x\r\n", 405),
        ("POST /login HTTP/1.1\r\nHost: x\r\n", 415),
        ("POST /verify HTTP/1.1\r\nHost: x\r\n", 401),
        ("PATCH /me HTTP/1.1\r\nHost: x\r\n", 401),
    ] {
        let framed = [
            format!("{head}Connection: close\r\nContent-Length: {length}\r\n\r\n{HIDDEN}"),
            format!("{head}Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
            format!("{head}Content-Length: {length}\r\n\r\n{HIDDEN}{}", HIDDEN.replace("/nothing", "/healthz")),
        ];
        for sent in framed {
            let all = statuses(&tacit, &sent).await;
            assert_eq!(all[0], status, "{sent}");
            // Either the connection ends, or the next answer belongs to what really comes next.
            assert!(all[1..].iter().all(|status| *status == 200), "{all:?} for {sent}");
        }
    }
}

#[tokio::test]
async fn a_compressed_body_is_415_and_never_unpacked() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let json = serde_json::json!({"username": "ada", "password": PASSWORD}).to_string();
    for encoding in ["gzip", "GZIP", "deflate", "br", "zstd", "x-gzip", "gzip, gzip, gzip", "identity, gzip", "x"] {
        let requests = [
            tacit.post("/login").header("content-type", "application/json").body(json.clone()),
            tacit.post("/register").header("content-type", "application/json").body(json.clone()),
            tacit.post("/token").form(&[("username", "ada"), ("password", PASSWORD)]),
            tacit.post("/logout").form(&[("refresh_token", "x")]),
        ];
        for request in requests {
            let problem = problems::read(request.header("content-encoding", encoding).send().await.unwrap()).await;
            assert!(problem.is(415, "unsupported_media_type"), "{encoding}: {problem:?}");
        }
    }
    let plain = tacit.post("/login").header("content-type", "application/json").header("content-encoding", "identity");
    assert_eq!(plain.body(json).send().await.unwrap().status(), 200);
}
