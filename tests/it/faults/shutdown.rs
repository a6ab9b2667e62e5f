//! SIGTERM and SIGINT: open requests end, new ones are refused, idle connections hold nothing up.

use std::process::Command;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::address;
use super::proxy::{Network, Proxy};
use crate::app::{Home, Setup, Tacit, eventually};
use crate::database;

/// `server.shutdown_timeout` of these tests: nothing below may take as long.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);

fn patient() -> Setup {
    Setup::default().set("server.shutdown_timeout", &format!("{}s", SHUTDOWN_TIMEOUT.as_secs()))
}

fn send_signal(tacit: &Tacit, signal: &str) {
    let sent = Command::new("kill").args([&format!("-{signal}"), &tacit.pid().to_string()]).status().expect("kill");
    assert!(sent.success());
}

async fn read_answer(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    // An answer with a body that ends in a brace, which every answer here is.
    while !text.ends_with(b"}") {
        match tokio::time::timeout(Duration::from_secs(20), stream.read(&mut piece)).await.expect("an answer") {
            Ok(count) if count > 0 => text.extend_from_slice(&piece[..count]),
            _ => break,
        }
    }
    String::from_utf8(text).expect("UTF-8")
}

/// The body of a registration, sent slowly: a request that is open as long as the test likes.
const BODY: &str = r#"{"username":"slow","password":"correct horse battery staple"}"#;

#[tokio::test]
async fn a_signal_lets_open_requests_end_refuses_new_ones_and_waits_for_no_idle_connection() {
    for signal in ["TERM", "INT"] {
        let mut tacit = patient().start().await;
        let address = address(&tacit);
        let mut idle = TcpStream::connect(&address).await.unwrap();
        let head = format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n");
        idle.write_all(head.as_bytes()).await.unwrap();
        assert!(read_answer(&mut idle).await.starts_with("HTTP/1.1 200"));
        let silent = TcpStream::connect(&address).await.unwrap();

        let mut slow = TcpStream::connect(&address).await.unwrap();
        let head = format!(
            "POST /register HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nExpect: 100-continue\r\n\r\n",
            BODY.len()
        );
        slow.write_all(head.as_bytes()).await.unwrap();
        // The service says itself that it has begun with the request.
        let mut begun = [0; 25];
        slow.read_exact(&mut begun).await.unwrap();
        assert_eq!(&begun, b"HTTP/1.1 100 Continue\r\n\r\n");
        slow.write_all(&BODY.as_bytes()[..10]).await.unwrap();

        send_signal(&tacit, signal);
        let sent = Instant::now();
        assert!(eventually(async || TcpStream::connect(&address).await.is_err()).await, "new connections are refused");
        slow.write_all(&BODY.as_bytes()[10..]).await.unwrap();
        let answer = read_answer(&mut slow).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");

        let status = tacit.wait();
        println!("SIG{signal}: ended after {:.1?}", sent.elapsed());
        assert_eq!(status.code(), Some(0), "{}", tacit.log());
        assert!(sent.elapsed() < SHUTDOWN_TIMEOUT / 2);
        assert_eq!(tacit.home.database.number("SELECT COUNT(*) AS value FROM users"), 1);
        drop((idle, silent));
    }
}

#[tokio::test]
async fn a_request_that_never_ends_holds_the_shutdown_up_only_as_long_as_was_configured() {
    let mut tacit = Setup::default().set("server.shutdown_timeout", "1s").start().await;
    let address = address(&tacit);
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /register HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
    );
    slow.write_all(head.as_bytes()).await.unwrap();
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    send_signal(&tacit, "TERM");
    let sent = Instant::now();
    let status = tacit.wait();
    println!("shutdown_timeout = 1s: ended after {:.1?}", sent.elapsed());
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_silent_database_does_not_hold_the_shutdown_up() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = Home::new();
    let proxy = Proxy::of(&home);
    let mut tacit = patient()
        .set("database.url", &proxy.url(&home))
        .set("database.acquire_timeout", "1s")
        .start_in(home.clone())
        .await;
    let jar = tacit.new_session("ada").await.without_access();
    proxy.set(Network::Stalled);
    proxy.freeze();
    // Threads that wait for ever: those of requests, and the poll's.
    for _ in 0..2 {
        assert_eq!(tacit.get_with("/protected", &jar).await.status(), 503);
    }
    send_signal(&tacit, "TERM");
    let sent = Instant::now();
    let status = tacit.wait();
    println!("silent database: ended after {:.1?}", sent.elapsed());
    assert_eq!(status.code(), Some(0), "{}", tacit.log());
}
