//! `tacit keys` while a PostgreSQL lets everybody in and then goes silent, as behind a network that swallows packets.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::index;
use crate::app::{Home, LIMIT, tacit_command};
use crate::command_line::text;

/// Asks for TLS or GSSAPI come before the session begins.
const ENCRYPTION_REQUESTS: [u32; 2] = [80_877_103, 80_877_104];

/// The statement that it never answers.
const SILENT_ON: &[u8] = b"audit";

/// Listens for as long as the test runs; its port.
fn listen() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(100) {
            // One that hangs up has had enough.
            std::thread::spawn(move || drop(stream.and_then(|mut stream| serve(&mut stream))));
        }
    });
    port
}

fn serve(stream: &mut TcpStream) -> io::Result<()> {
    while ENCRYPTION_REQUESTS.contains(&u32::from_be_bytes(body(stream)?[..4].try_into().unwrap())) {
        stream.write_all(b"N")?;
    }
    // Welcome, and ready.
    stream.write_all(b"R\0\0\0\x08\0\0\0\0")?;
    stream.write_all(b"S\0\0\0\x19client_encoding\0UTF8\0")?;
    stream.write_all(b"Z\0\0\0\x05I")?;
    loop {
        let mut kind = [0];
        stream.read_exact(&mut kind)?;
        let asked = body(stream)?;
        if asked.windows(SILENT_ON.len()).any(|text| text == SILENT_ON) {
            // Not a word more, and nothing is closed: until the client goes.
            return io::copy(stream, &mut io::sink()).map(drop);
        }
        let answer: &[u8] = match kind[0] {
            b'P' => b"1\0\0\0\x04",
            b'B' => b"2\0\0\0\x04",
            b'D' => b"n\0\0\0\x04",
            b'E' => b"C\0\0\0\x08SET\0",
            b'S' => b"Z\0\0\0\x05I",
            b'Q' => b"C\0\0\0\x08SET\0Z\0\0\0\x05I",
            _ => b"",
        };
        stream.write_all(answer)?;
    }
}

/// What follows a length.
fn body(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut body)?;
    Ok(body)
}

/// Whether it ended by itself.
fn ends(child: &mut Child) -> bool {
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("a child");
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn a_silent_database_holds_no_change_of_keys_up_and_the_log_says_what_the_audit_trail_lacks() {
    let home = Home::new();
    let url = format!("database.url=postgres://tacit@127.0.0.1:{}/tacit", listen());
    for arguments in [&["keys", "generate", "--alg", "EdDSA"][..], &["keys", "rotate"]] {
        let mut child = tacit_command(&home, None)
            .args(["--set", &url, "--set", "database.acquire_timeout=1s"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let ended = ends(&mut child);
        let output = child.wait_with_output().expect("an end");
        let (said, log) = (text(&output.stdout), text(&output.stderr));
        assert!(ended && output.status.success(), "{arguments:?}: {said} {log}");
        assert!(said.contains("from now on") && log.contains("not in the audit trail"), "{arguments:?}: {said} {log}");
    }
    assert!(index(&home)["signing"].is_string());
}
