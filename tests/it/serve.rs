//! `tacit serve`: starting, or refusing to.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::app::{Home, Setup, Tacit, tacit_command};
use crate::command_line::{done, fails, json, text};
use crate::database::is_postgres;

#[tokio::test]
async fn without_a_command_it_serves_and_prints_where_and_three_lines_to_try() {
    let home = Home::new();
    let mut command = tacit_command(&home, None);
    command.args(["--set", "server.listen=127.0.0.1:0"]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(5).map(|line| line.unwrap()).collect();
    let url = lines[0].strip_prefix("Tacit listens on ").unwrap().to_owned();
    assert!(url.starts_with("http://localhost:"), "{url}");
    assert_eq!(lines[1], "Try:");
    // They are tried: register, sign in, look at something protected.
    let tried: Vec<Output> = lines[2..]
        .iter()
        .map(|line| {
            Command::new("sh").args(["-c", &format!("{line} -sS")]).current_dir(home.directory.path()).output().unwrap()
        })
        .collect();
    let _ = child.kill();
    let _ = child.wait();
    let last = text(&tried[2].stdout);
    assert!(last.contains("You are viewing protected content"), "{last} {}", text(&tried[2].stderr));
}

#[tokio::test]
async fn a_listener_that_is_taken_is_a_failure() {
    let tacit = Tacit::start().await;
    let address = tacit.url.strip_prefix("http://").unwrap().replace("localhost", "127.0.0.1");
    fails(&Home::new(), &["serve", "--listen", &address], "", 1);
}

#[tokio::test]
async fn serve_refuses_an_older_schema_on_postgresql_and_migrates_when_told_to() {
    if !is_postgres() {
        // The embedded database is migrated by every command that opens it.
        let home = Home::new();
        assert_eq!(json(&done(&home, &["user", "list", "--json"], "")), json!([]));
        assert!(done(&home, &["migrate"], "").contains("up to date"));
        return;
    }
    let home = Home::new();
    home.database.execute("DROP SCHEMA public CASCADE");
    home.database.execute("CREATE SCHEMA public");
    let complaint = fails(&home, &["serve", "--listen", "127.0.0.1:0"], "", 1);
    assert!(complaint.contains("tacit migrate") && complaint.contains("--migrate"), "{complaint}");
    let migrating = (0..4).map(|_| {
        let mut command = tacit_command(&home, None);
        command.arg("migrate").stdout(Stdio::null()).spawn().expect("the binary")
    });
    for mut child in migrating.collect::<Vec<_>>() {
        assert!(child.wait().expect("an end").success(), "four at once");
    }
    let tacit = Setup::default().argument("--migrate").start_in(home).await;
    tacit.new_session("ada").await;
}
