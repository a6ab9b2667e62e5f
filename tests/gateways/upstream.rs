//! Somebody's API: it knows nothing of sign-in, and tells what reached it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::app::LIMIT;

/// RFC 6455's own example of a key and what answers it.
pub const WEBSOCKET_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const WEBSOCKET_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The API; it is gone when this value is.
pub struct Upstream {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    serving: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Shared {
    /// Requests, by path without query.
    hits: Mutex<BTreeMap<String, usize>>,
    /// Lets an event stream go on.
    go_on: Notify,
}

struct Request {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl Upstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving)));
            }
        });
        Self { address, shared, serving }
    }

    /// How many requests for a path arrived.
    pub fn hits(&self, path: &str) -> usize {
        self.shared.hits.lock().unwrap().get(path).copied().unwrap_or(0)
    }

    /// Lets an event stream go on to its second event.
    pub fn go_on(&self) {
        self.shared.go_on.notify_one();
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One request a connection. What to answer stands in the path's last parts.
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    let mut stream = BufReader::new(stream);
    let Ok(Some(request)) = timeout(LIMIT, read(&mut stream)).await else { return };
    let path = request.target.split('?').next().unwrap_or_default().to_owned();
    *shared.hits.lock().unwrap().entry(path.clone()).or_default() += 1;
    let mut parts = path.rsplit('/');
    let (last, before) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let answer = match (before, last) {
        ("status", code) => {
            answer(code, "Cache-Control: public, max-age=600\r\nSet-Cookie: theme=dark; Path=/\r\n", "said so")
        }
        ("late", millis) => {
            tokio::time::sleep(Duration::from_millis(millis.parse().unwrap_or(0))).await;
            answer("200", "Set-Cookie: theme=dark; Path=/\r\n", "late")
        }
        (_, "drop") => return,
        (_, nowhere) if nowhere.starts_with("tacit-doctor-") => answer("404", "", "no such page"),
        (_, "websocket") => return echo(stream, &request).await,
        (_, "events") => return events(stream, &shared).await,
        _ => answer("200", "Content-Type: application/json\r\n", &describe(&request).to_string()),
    };
    let answer =
        if request.method == "HEAD" { answer.split_inclusive("\r\n\r\n").next().unwrap_or("") } else { &answer };
    let _ = stream.write_all(answer.as_bytes()).await;
}

fn answer(code: &str, headers: &str, body: &str) -> String {
    let (length, body) = match code {
        "304" | "204" => (String::new(), ""),
        _ => (format!("Content-Length: {}\r\n", body.len()), body),
    };
    format!("HTTP/1.1 {code} Said\r\nConnection: close\r\n{headers}{length}\r\n{body}")
}

/// What arrived; of the body its length and a sum that swapped or missing bytes change.
fn describe(request: &Request) -> Value {
    json!({
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body": checksum(&request.body),
    })
}

/// The length of a body, and a sum that depends on the order of its bytes.
pub fn checksum(body: &[u8]) -> String {
    let sum = body.iter().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)));
    format!("{} {sum:x}", body.len())
}

async fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let mut first = line.split(' ');
    let (method, target) = (first.next()?.to_owned(), first.next()?.to_owned());
    let mut request = Request { method, target, headers: Vec::new(), body: Vec::new() };
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        request.headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    if request.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        stream.read_exact(&mut request.body).await.ok()?;
    } else if request.header("transfer-encoding").is_some() {
        loop {
            let mut size = String::new();
            stream.read_line(&mut size).await.ok()?;
            let mut chunk = vec![0; usize::from_str_radix(size.trim(), 16).ok()? + 2];
            stream.read_exact(&mut chunk).await.ok()?;
            if chunk.len() == 2 {
                break;
            }
            request.body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    }
    Some(request)
}

/// Switches protocols and sends back every byte.
async fn echo(mut stream: BufReader<TcpStream>, request: &Request) {
    if request.header("upgrade").is_none_or(|upgrade| !upgrade.eq_ignore_ascii_case("websocket")) {
        let _ = stream.write_all(answer("426", "Upgrade: websocket\r\n", "").as_bytes()).await;
        return;
    }
    let user = request.header("x-auth-username").unwrap_or_default();
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {WEBSOCKET_ACCEPT}\r\nX-User: {user}\r\n\r\n"
    );
    let mut buffer = [0; 1024];
    let _ = stream.write_all(head.as_bytes()).await;
    while let Ok(Ok(count)) = timeout(LIMIT, stream.read(&mut buffer)).await {
        if count == 0 || stream.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
}

/// An event, and another once the test has seen the first.
async fn events(mut stream: BufReader<TcpStream>, shared: &Shared) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: first\n\n";
    let _ = stream.write_all(head.as_bytes()).await;
    let _ = timeout(LIMIT, shared.go_on.notified()).await;
    let _ = stream.write_all(b"data: second\n\n").await;
}
