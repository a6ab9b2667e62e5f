//! `tacit doctor` where no gateway is needed; tests/gateways/doctor.rs runs it against real ones.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::app::{Home, PASSWORD, Setup, Tacit, run};
use crate::command_line::{fails, json, text};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The doctor's findings, by id and severity, as its source makes them.
fn findings_made() -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join("src/cli/doctor")).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        for (call, severity) in
            [("report.grave(", "grave"), ("report.serious(", "serious"), ("report.advise(", "advice")]
        {
            for rest in source.split(call).skip(1) {
                let id = rest.split('"').nth(1).expect("an id");
                found.insert((id.to_owned(), severity.to_owned()));
            }
        }
    }
    assert!(found.len() > 20, "the findings moved: {found:?}");
    found
}

#[test]
fn every_finding_is_documented_and_brought_about_by_a_broken_gateway() {
    let page = fs::read_to_string(root().join("docs/operations.md")).unwrap();
    let mut documented = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if ["grave", "serious", "advice"].contains(&cells[2]) {
            let ids = cells[1].split(", ").map(|id| (id.trim_matches('`').to_owned(), cells[2].to_owned()));
            documented.extend(ids);
        }
    }
    assert_eq!(documented, findings_made());
    let tests = fs::read_to_string(root().join("tests/gateways/doctor.rs")).unwrap();
    for (id, _) in findings_made() {
        assert!(tests.contains(&format!("\"{id}\"")), "no test breaks a gateway so that {id} is found");
    }
}

#[tokio::test]
async fn a_service_without_a_gateway_is_open_to_browsers() {
    let tacit = Tacit::start().await;
    let output = run(&tacit.home, &["doctor", &tacit.url, "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let report = json(text(&output.stdout));
    let ids: Vec<_> = report["findings"].as_array().unwrap().iter().map(|finding| &finding["id"]).collect();
    assert_eq!(ids, ["verify-reachable", "operations-reachable"]);
    let what = report["findings"][0]["what"].as_str().unwrap();
    assert!(what.starts_with("/verify, /verify/, "), "{what}");
}

#[tokio::test]
async fn a_service_with_an_internal_listener_is_sound() {
    let tacit = Setup::default().set("server.internal_listen", "127.0.0.1:0").start().await;
    tacit.register("ada").await;
    let output = run(&tacit.home, &["doctor", &tacit.url, "--json", "--user", "ada"], PASSWORD);
    let report = json(text(&output.stdout));
    assert_eq!((output.status.code(), report["findings"].as_array().unwrap().len()), (Some(0), 0), "{report}");
    assert!(report["not_checked"].to_string().contains("no guarded path is known"), "{report}");
    assert!(!text(&output.stderr).contains(PASSWORD) && !text(&output.stdout).contains(PASSWORD));
}

#[tokio::test]
async fn a_base_path_belongs_to_the_url() {
    let tacit = Setup::default().set("server.base_path", "/auth").start().await;
    assert!(tacit.url.ends_with("/auth"));
    let report = json(text(&run(&tacit.home, &["doctor", &tacit.url, "--json"], "").stdout));
    assert!(report["findings"][0]["what"].as_str().unwrap().starts_with("/auth/verify, "), "{report}");
    let report = json(text(&run(&tacit.home, &["doctor", tacit.url.trim_end_matches("/auth"), "--json"], "").stdout));
    assert_eq!(report["findings"][0]["id"], "login-not-routed");
}

#[test]
fn what_cannot_be_examined_is_wrong_usage() {
    let home = Home::new();
    for url in
        ["localhost:8080", "app.example.com", "ftp://a.example", "https://a.example/?x=1", "http://u:p@a.example"]
    {
        let complaint = fails(&home, &["doctor", url], "", 2);
        assert!(complaint.contains("expected a URL like https://app.example.com"), "{complaint}");
    }
    fails(&home, &["doctor", "http://localhost:1", "--echo", "x"], "", 2);
    fails(&home, &["doctor"], "", 2);
}

#[test]
fn a_server_that_never_answers_is_given_up_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let began = Instant::now();
    let output = run(&Home::new(), &["doctor", &url, "--json"], "");
    assert_eq!(output.status.code(), Some(1));
    let report = json(text(&output.stdout));
    assert_eq!(report["findings"][0]["id"], "unreachable");
    assert!(report["findings"][0]["what"].as_str().unwrap().contains("longer than 10 s"), "{report}");
    // Against hanging only.
    assert!(began.elapsed() < Duration::from_secs(100), "{:?}", began.elapsed());
}

#[test]
fn an_answer_without_end_is_read_so_far() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                let mut buffer = [0; 4096];
                let _ = stream.read(&mut buffer);
                let _ = stream.write_all(b"HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n");
                while stream.write_all(&[b'x'; 4096]).is_ok() {}
            });
        }
    });
    let output = run(&Home::new(), &["doctor", &url, "--json"], "");
    let report = json(text(&output.stdout));
    assert_eq!(report["findings"][0]["id"], "login-not-routed", "{report}");
}
