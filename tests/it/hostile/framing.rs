//! Messages whose length can be read in two ways, or that end too early: one answer each, and never a second request
//! hidden in the first (request smuggling, RFC 9112, section 11.2).

use tokio::io::AsyncWriteExt;

use super::{FORM, JSON, OPTIONAL, Service, concrete, every_route, read_raw};
use crate::app::Tacit;
use crate::raw::{self, Raw};

/// What would be answered if the rest of a message were taken for a request.
const HIDDEN: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// Sends a message, says that no more will come, and reads all that is answered.
async fn send(tacit: &Tacit, message: &str) -> Raw {
    let mut stream = raw::connect(tacit).await;
    let _ = stream.write_all(message.as_bytes()).await;
    let _ = stream.shutdown().await;
    raw::receive(&mut stream).await
}

/// What the framework refuses has no body: no request of ours was there yet. What we refuse has ours.
fn assert_one_refusal(answer: &Raw, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
    assert!(!answer.body.contains("HTTP/1."), "{what}: a second answer: {answer:?}");
    if !answer.body.is_empty() {
        read_raw(answer);
    }
}

#[tokio::test]
async fn a_message_of_two_lengths_is_refused_on_every_route() {
    let service = Service::start().await;
    for (method, path, _) in every_route() {
        let head = format!("{method} {} HTTP/1.1\r\nHost: x\r\n", concrete(&path));
        for lengths in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            "Content-Length: 0\r\nContent-Length: 60\r\n",
            "Content-Length: 0, 60\r\n",
            "Content-Length: +0\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: 0x3c\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length : 0\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding:\u{b}chunked\r\n",
        ] {
            let message = format!("{head}{lengths}\r\n0\r\n\r\n{HIDDEN}");
            let answer = send(&service.tacit, &message).await;
            assert_one_refusal(&answer, &format!("{method} {path} {lengths:?}"));
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn a_body_that_ends_too_early_is_refused_and_leaves_nothing_behind() {
    let service = Service::start().await;
    let good = "{\"username\":\"eve\",\"password\":\"correct horse battery staple\"}";
    for (method, path) in JSON.into_iter().chain(FORM).chain(OPTIONAL) {
        let kind =
            if FORM.contains(&(method, path)) { "application/x-www-form-urlencoded" } else { "application/json" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {kind}\r\n{}",
            if OPTIONAL.contains(&(method, path)) {
                String::new()
            } else {
                format!("Authorization: Bearer {}\r\n", service.token)
            }
        );
        for rest in [
            format!("Content-Length: {}\r\n\r\n{good}", good.len() + 1),
            format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{good}\r\n", good.len()),
            format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{good}", good.len() + 1),
            format!("Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{good}\r\n0\r\n\r\n"),
            format!("Transfer-Encoding: chunked\r\n\r\n-1\r\n{good}\r\n0\r\n\r\n"),
            format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{good}XX0\r\n\r\n", good.len()),
        ] {
            let answer = send(&service.tacit, &format!("{head}{rest}")).await;
            assert_one_refusal(&answer, &format!("{method} {path} {rest:?}"));
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn chunks_with_extensions_and_trailers_are_one_body() {
    let service = Service::start().await;
    let head = "POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in
        ["1;a=b\r\n{\r\n1;\"q\";c=\"d;e\"\r\n}\r\n0\r\n\r\n", "2\r\n{}\r\n0;last\r\n\r\n", "0002\r\n{}\r\n000\r\n\r\n"]
    {
        let answer = send(&service.tacit, &format!("{head}{body}")).await;
        let problem = read_raw(&answer);
        assert_eq!((problem.0, problem.1.as_str()), (400, "bad_request"), "{body:?}");
        assert!(answer.body.contains("required"), "the empty object was not read: {answer:?}");
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn a_head_that_is_not_http_is_refused_and_hides_no_request() {
    let service = Service::start().await;
    for head in [
        "GET /healthz HTTP/1.1\r\n Host: x\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n X-Folded: y\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX A: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
        "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET /healthz HTTP/1.1 x\r\nHost: x\r\n\r\n",
        "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
        "G\u{e9}T /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let answer = send(&service.tacit, &format!("{head}{HIDDEN}")).await;
        assert_one_refusal(&answer, head);
    }
    service.assert_unharmed().await;
}
