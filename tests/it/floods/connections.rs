use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::{HEALTH_LIMIT, assert_well_again, connect, health, kilobytes, most, open_files, raise_open_files};
use crate::app::{LIMIT, Setup, Tacit, eventually};

const HEADERS: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ";
const BODY: &str =
    "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{";
const CHUNKED: &str =
    "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Sends a byte now and then until the service has enough; the status of its answer, if it gave one.
async fn drip(mut stream: TcpStream, begin: &str) -> Option<u16> {
    stream.write_all(begin.as_bytes()).await.ok()?;
    let deadline = Instant::now() + LIMIT;
    let mut answer = Vec::new();
    while Instant::now() < deadline {
        match timeout(Duration::from_millis(500), stream.read_buf(&mut answer)).await {
            Ok(Ok(0) | Err(_)) => break,
            Err(_) if stream.write_all(b"1").await.is_err() => break,
            Ok(Ok(_)) | Err(_) => {}
        }
    }
    assert!(Instant::now() < deadline, "a slow connection stays open");
    std::str::from_utf8(answer.get(9..12)?).ok()?.parse().ok()
}

#[tokio::test]
async fn a_thousand_slow_connections_are_ended_and_keep_nobody_else_out() {
    raise_open_files();
    // What most systems start a service with.
    let tacit = Setup::default().shell("ulimit -Sn 1024").start().await;
    let jar = tacit.new_session("ada").await;
    let files = open_files(&tacit);
    let begins = [HEADERS, BODY, CHUNKED, "", "GET"];
    let slow: Vec<_> = connect(&tacit, 1100).await.into_iter().zip(begins.iter().copied().cycle()).collect();
    let slow: Vec<_> = slow.into_iter().map(|(stream, begin)| (begin, tokio::spawn(drip(stream, begin)))).collect();
    assert!(eventually(async || open_files(&tacit) > files + 1000).await, "{} files", open_files(&tacit));
    let mut times = Vec::new();
    for _ in 0..20 {
        times.push(health(&tacit).await);
        assert_eq!(tacit.get_with("/verify", &jar).await.status(), 200);
    }
    assert!(most(times.clone()) < HEALTH_LIMIT, "{times:?}");
    tacit.log_in("ada").await;
    for (begin, dripping) in slow {
        let status = dripping.await.unwrap();
        assert!(begin.is_empty() || status == Some(408) || status == Some(400), "{status:?} for {begin:?}");
    }
    assert_well_again(&tacit, files).await;
}

#[tokio::test]
async fn a_service_that_runs_out_of_files_comes_back_when_the_attacker_lets_go() {
    raise_open_files();
    let tacit = Setup::default().shell("ulimit -n 160").start().await;
    let jar = tacit.new_session("ada").await;
    let files = open_files(&tacit);
    let held = connect(&tacit, 400).await;
    assert!(eventually(async || open_files(&tacit) >= 159).await, "{} files", open_files(&tacit));
    drop(held);
    assert!(eventually(async || tacit.get_with("/me", &jar).await.status() == 200).await);
    tacit.log_in("ada").await;
    assert_well_again(&tacit, files).await;
}

/// A connection that can take in little, and asks for much.
async fn greedy(tacit: &Tacit) -> TcpStream {
    let address = tacit.url.strip_prefix("http://").unwrap().replace("localhost", "127.0.0.1").parse().unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = "GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(request.repeat(20).as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn whoever_does_not_read_the_answers_is_dropped_and_costs_little_memory() {
    raise_open_files();
    let tacit = Tacit::start().await;
    let (files, before) = (open_files(&tacit), kilobytes(&tacit, "VmRSS"));
    let mut unread = Vec::new();
    for _ in 0..300 {
        unread.push(greedy(&tacit).await);
    }
    assert!(eventually(async || open_files(&tacit) >= files + 300).await);
    let mut times = Vec::new();
    for _ in 0..20 {
        times.push(health(&tacit).await);
    }
    assert!(most(times.clone()) < HEALTH_LIMIT, "{times:?}");
    // A copy of the file for each of them would be 400 MB.
    let grown = kilobytes(&tacit, "VmHWM").saturating_sub(before);
    assert!(grown < 150_000, "{grown} kB");
    if cfg!(target_os = "linux") {
        // Half a minute, and some more until the kernel asks again.
        let deadline = Instant::now() + Duration::from_secs(300);
        while open_files(&tacit) > files + 40 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_well_again(&tacit, files).await;
    }
    drop(unread);
}
