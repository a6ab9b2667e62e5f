//! Load over raw keep-alive connections: what the generator costs is small and the same for everything measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nothing may take longer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A request as bytes.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
    for (name, value) in headers {
        text.extend([name, ": ", value, "\r\n"]);
    }
    if !body.is_empty() {
        text.extend(["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// One keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// A response's head, body and length.
pub struct Answer {
    pub head: String,
    pub body: String,
    pub bytes: usize,
}

impl Connection {
    pub fn open(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("a connection");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        Self { stream, buffer: vec![0; 64 * 1024] }
    }

    /// Sends a request and reads its answer whole.
    pub fn exchange(&mut self, request: &[u8]) -> Answer {
        let (_, head_end, total) = self.round_trip(request);
        let head = String::from_utf8_lossy(&self.buffer[..head_end]).into_owned();
        let body = String::from_utf8_lossy(&self.buffer[head_end..total]).into_owned();
        Answer { head, body, bytes: total }
    }

    /// The same, for those who want to know the status only.
    pub fn status(&mut self, request: &[u8]) -> u16 {
        self.round_trip(request).0
    }

    fn round_trip(&mut self, request: &[u8]) -> (u16, usize, usize) {
        self.stream.write_all(request).expect("sent");
        let mut filled = 0;
        let head_end = loop {
            filled += self.read(filled);
            if let Some(position) = self.buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
                break position + 4;
            }
        };
        let head = &self.buffer[..head_end];
        let status = std::str::from_utf8(&head[9..12]).unwrap().parse().expect("a status");
        let total = head_end + content_length(head);
        if total > self.buffer.len() {
            self.buffer.resize(total, 0);
        }
        while filled < total {
            filled += self.read(filled);
        }
        (status, head_end, total)
    }

    fn read(&mut self, filled: usize) -> usize {
        let count = self.stream.read(&mut self.buffer[filled..]).expect("an answer");
        assert!(count > 0, "the connection was closed");
        count
    }
}

fn content_length(head: &[u8]) -> usize {
    const NAME: &[u8] = b"content-length: ";
    let Some(start) = head.windows(NAME.len()).position(|window| window.eq_ignore_ascii_case(NAME)) else { return 0 };
    let digits = head[start + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |number, digit| number * 10 + usize::from(digit - b'0'))
}

/// How many requests a second were answered with `expected`, over so many connections, for so long; and how many otherwise.
pub fn rate(address: &str, request: &[u8], connections: usize, time: Duration, expected: u16) -> (f64, u64) {
    let (good, other, stop) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut connection = Connection::open(address);
                while !stop.load(Ordering::Relaxed) {
                    let counter = if connection.status(request) == expected { &good } else { &other };
                    counter.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
    });
    // Until the last answer: those that come after the signal to stop count too.
    let elapsed = started.elapsed();
    (good.into_inner() as f64 / elapsed.as_secs_f64(), other.into_inner())
}
