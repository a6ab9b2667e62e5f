//! Bytes on a socket, for what no well-behaved client sends.

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::app::{LIMIT, Tacit};

/// An answer, read until the service closed the connection.
#[derive(Debug)]
pub struct Raw {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: String,
}

/// Connects to a service.
pub async fn connect(tacit: &Tacit) -> TcpStream {
    connect_to(&tacit.url).await
}

/// Connects to where a URL says.
pub async fn connect_to(url: &str) -> TcpStream {
    let address = url.strip_prefix("http://").expect("a URL").replace("localhost", "127.0.0.1");
    TcpStream::connect(address).await.expect("a listener")
}

/// Sends bytes as they are and reads the answer. `Connection: close` must stand in the request, unless it is malformed.
pub async fn send(tacit: &Tacit, request: impl AsRef<[u8]>) -> Raw {
    let mut stream = connect(tacit).await;
    // The service may have answered and closed before all was sent.
    let _ = stream.write_all(request.as_ref()).await;
    receive(&mut stream).await
}

/// Reads an answer's head, whatever may follow.
pub async fn receive_head(stream: &mut TcpStream) -> Raw {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(timeout(LIMIT, stream.read_u8()).await.expect("a head in time").expect("a head"));
    }
    parse(bytes)
}

/// Reads one answer up to the end of the connection.
pub async fn receive(stream: &mut TcpStream) -> Raw {
    let mut bytes = Vec::new();
    let read = timeout(LIMIT, stream.read_to_end(&mut bytes)).await.expect("an end of the answer in time");
    // A reset behind a whole answer is what a peer that sent too much gets.
    assert!(read.is_ok() || !bytes.is_empty(), "{read:?}");
    parse(bytes)
}

fn parse(bytes: Vec<u8>) -> Raw {
    let text = String::from_utf8(bytes).expect("UTF-8");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let mut lines = head.split("\r\n");
    let mut first = lines.next().expect("a status line").split(' ');
    assert!(first.next().is_some(), "a version");
    let status = first.next().and_then(|status| status.parse().ok()).expect("a status");
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").expect("a header");
        headers.append(HeaderName::try_from(name).expect("a name"), HeaderValue::try_from(value).expect("a value"));
    }
    Raw { status, headers, body: body.to_owned() }
}
