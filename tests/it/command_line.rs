//! Every command: what it does, what it prints, how it ends.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, problem, run, tacit_command};
use crate::jar::ACCESS;
use crate::shapes::{assert_user, members, part};

const NEW_PASSWORD: &str = "quite another staple of horses";

pub fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// Runs a command that has to succeed; what it printed.
pub fn done(home: &Home, arguments: &[&str], input: &str) -> String {
    let output = run(home, arguments, input);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

/// Runs a command that has to fail with this code; what it complained about.
pub fn fails(home: &Home, arguments: &[&str], input: &str, code: i32) -> String {
    let output: Output = run(home, arguments, input);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    let complaint = text(&output.stderr).to_owned();
    assert!(!complaint.trim().is_empty(), "{arguments:?} fails without a word");
    assert!(!complaint.contains("panicked") && !complaint.contains(".rs:"), "{complaint}");
    complaint
}

pub fn json(printed: &str) -> Value {
    serde_json::from_str(printed).expect("JSON")
}

#[tokio::test]
async fn a_user_is_created_listed_shown_and_signs_in() {
    let tacit = Tacit::start().await;
    let home = &tacit.home;
    let printed = done(home, &["user", "create", "root", "--email", "root@example.com", "--role", "admin"], PASSWORD);
    assert!(printed.contains("root") && printed.contains("admin"), "{printed}");
    let created = json(&done(home, &["user", "create", "ann@example.com", "--json"], &format!("{PASSWORD}\n")));
    assert_user(&created);
    assert_eq!((&created["username"], &created["email"]), (&Value::Null, &json!("ann@example.com")));
    let listed = json(&done(home, &["user", "list", "--json"], ""));
    assert_eq!(listed.as_array().unwrap().len(), 2);
    listed.as_array().unwrap().iter().for_each(assert_user);
    assert_eq!(done(home, &["user", "list"], "").lines().count(), 2);
    let id = created["id"].as_str().unwrap();
    for name in ["ann@example.com", "ANN@Example.com", id] {
        assert_eq!(json(&done(home, &["user", "show", name, "--json"], "")), created);
    }
    for arguments in [["user", "show", "root"], ["user", "show", "ROOT"]] {
        let shown = done(home, &arguments, "");
        assert!(shown.contains("root@example.com") && shown.contains("admin"), "{shown}");
        assert!(!shown.contains("bcrypt"), "{shown}");
    }
    tacit.log_in("root").await;
    tacit.log_in("ann@example.com").await;
}

#[test]
fn a_list_has_every_user_however_many_there_are() {
    let home = Home::new();
    done(&home, &["user", "create", "first"], PASSWORD);
    let rows: Vec<String> = (0..1003).map(|number| format!("('{}', 'u{number}')", uuid::Uuid::new_v4())).collect();
    home.database.execute(&format!(
        "INSERT INTO users (id, username, username_canonical, password_hash, role, created_at, updated_at) \
         SELECT column1, column2, column2, '!', 'user', created_at, updated_at \
         FROM (VALUES {}) AS new CROSS JOIN users WHERE username = 'first'",
        rows.join(", ")
    ));
    let listed = json(&done(&home, &["user", "list", "--json"], ""));
    let ids: std::collections::BTreeSet<_> =
        listed.as_array().unwrap().iter().map(|user| user["id"].as_str()).collect();
    assert_eq!((ids.len(), listed.as_array().unwrap().len()), (1004, 1004));
}

#[test]
fn a_password_comes_from_standard_input_and_never_from_an_argument() {
    let home = Home::new();
    for option in ["--password", "-p", "--pass"] {
        fails(&home, &["user", "create", "ada", option, PASSWORD], PASSWORD, 2);
    }
    fails(&home, &["user", "create", "ada"], "", 2);
    fails(&home, &["user", "create", "ada"], "\n", 2);
    let complaint = fails(&home, &["user", "create", "ada"], "password1\n", 1);
    assert!(complaint.contains("--allow-weak-password") && !complaint.contains("password1"), "{complaint}");
    fails(&home, &["user", "create", "ada"], &"x".repeat(1025), 1);
    done(&home, &["user", "create", "ada", "--allow-weak-password"], "1\r\n");
    fails(&home, &["user", "set-password", "ada"], "short\n", 1);
    done(&home, &["user", "set-password", "ada", "--allow-weak-password"], "short\n");
    assert_eq!(home.database.number("SELECT count(*) AS value FROM users"), 1);
}

#[test]
fn what_cannot_be_done_is_said_and_exits_1_and_wrong_usage_2() {
    let home = Home::new();
    done(&home, &["user", "create", "ada", "--email", "ada@example.com"], PASSWORD);
    assert!(fails(&home, &["user", "create", "ADA"], PASSWORD, 1).contains("Username already exists"));
    fails(&home, &["user", "create", "bob", "--email", "ADA@example.com"], PASSWORD, 1);
    fails(&home, &["user", "create", " ada"], PASSWORD, 1);
    fails(&home, &["user", "create", "x", "--email", "nonsense"], PASSWORD, 1);
    for command in ["show", "disable", "enable", "delete", "set-password"] {
        assert!(fails(&home, &["user", command, "nobody"], PASSWORD, 1).contains("no such user"), "{command}");
    }
    fails(&home, &["user", "set-role", "nobody", "admin"], "", 1);
    for arguments in [
        &["user", "set-role", "ada", "Not A Role"][..],
        &["user", "set-role", "ada", ""],
        &["user", "create", "x", "--role", "ADMIN"],
        &["user"],
        &["user", "show"],
        &["nonsense"],
        &["--nonsense"],
        &["config", "nonsense"],
        &["serve", "--listen", "nonsense"],
    ] {
        fails(&home, arguments, PASSWORD, 2);
    }
    assert!(done(&home, &["--version"], "").contains(env!("CARGO_PKG_VERSION")));
    for arguments in [&["--help"][..], &["user", "--help"], &["help"]] {
        assert!(done(&home, arguments, "").contains("Usage"));
    }
}

#[tokio::test]
async fn disabling_deleting_and_a_new_password_end_every_session_at_the_running_service() {
    let tacit = Tacit::start().await;
    let refused = async |name: &str, command: &[&str], input: &str, code: &str| {
        let jar = tacit.new_session(name).await;
        let tokens = tacit.token(name).await;
        done(&tacit.home, command, input);
        assert!(eventually(async || tacit.get_with("/verify", &jar).await.status() == 401).await, "{command:?}");
        assert_eq!(problem(tacit.get_with("/me", &jar).await).await, (401, code.to_owned()), "{command:?}");
        let answer = problem(tacit.get_with("/me", &jar.without_access()).await).await;
        assert_eq!(answer.0, 401, "{command:?}");
        let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
        assert_eq!(tacit.post("/token").form(&form).send().await.unwrap().status(), 400, "{command:?}");
    };
    refused("ada", &["user", "disable", "ada"], "", "user_disabled").await;
    refused("bob", &["user", "set-password", "bob"], NEW_PASSWORD, "session_revoked").await;
    refused("eve", &["user", "delete", "eve"], "", "user_disabled").await;
    let log_in = async |name: &str, password: &str| {
        let body = json!({"username": name, "password": password});
        tacit.post("/login").json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(log_in("ada", PASSWORD).await, 401);
    done(&tacit.home, &["user", "enable", "ada"], "");
    assert_eq!(log_in("ada", PASSWORD).await, 200);
    assert_eq!((log_in("bob", PASSWORD).await, log_in("bob", NEW_PASSWORD).await), (401, 200));
    assert_eq!(log_in("eve", PASSWORD).await, 401);
    let new_id = tacit.register("eve").await["user"]["id"].clone();
    let shown = json(&done(&tacit.home, &["user", "show", "eve", "--json"], ""));
    assert_eq!(shown["id"], new_id);
}

#[tokio::test]
async fn a_new_role_reaches_tokens_within_about_a_second_and_the_session_goes_on() {
    let tacit = Tacit::start().await;
    let mut jar = tacit.new_session("ada").await;
    let before = part(jar.get(ACCESS).unwrap(), 1);
    done(&tacit.home, &["user", "set-role", "ada", "admin"], "");
    assert_eq!(tacit.get_with("/admin", &jar).await.status(), 200, "own admin routes read the database");
    let renewed = async || {
        let answer = tacit.get_with("/me", &jar).await;
        assert_eq!(answer.status(), 200);
        jar.apply(&answer);
        part(jar.get(ACCESS).unwrap(), 1)["role"] == "admin"
    };
    assert!(eventually(renewed).await);
    let after = part(jar.get(ACCESS).unwrap(), 1);
    assert_eq!(after["sid"], before["sid"]);
    assert!(after["ver"].as_i64() > before["ver"].as_i64());
}

#[test]
fn the_last_active_admin_stays_also_against_two_commands_at_once() {
    let home = Home::new();
    done(&home, &["user", "create", "root", "--role", "admin"], PASSWORD);
    done(&home, &["user", "create", "off", "--role", "admin"], PASSWORD);
    done(&home, &["user", "disable", "off"], "");
    for arguments in
        [&["user", "disable", "root"][..], &["user", "delete", "root"], &["user", "set-role", "root", "user"]]
    {
        assert!(fails(&home, arguments, "", 1).contains("last active admin"), "{arguments:?}");
    }
    done(&home, &["user", "set-role", "root", "admin"], "");
    done(&home, &["user", "enable", "off"], "");
    for round in 0..5 {
        let commands = [["user", "disable", "root"], ["user", "disable", "off"]];
        let children: Vec<_> = commands
            .iter()
            .map(|arguments| {
                let mut command = tacit_command(&home, None);
                command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary")
            })
            .collect();
        let ended = children.into_iter().map(|mut child| child.wait().expect("an end").success());
        assert_eq!(ended.filter(|success| *success).count(), 1, "round {round}");
        for name in ["root", "off"] {
            done(&home, &["user", "enable", name], "");
        }
    }
}

#[tokio::test]
async fn token_explain_says_in_words_why_a_token_is_good_or_not() {
    let tacit = Setup::default().set("tokens.issuer", "tacit-test").start().await;
    tacit.register("ada").await;
    let tokens = tacit.token("ada").await;
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    for token in [access, refresh] {
        let explained =
            json(&done(&tacit.home, &["--set", "tokens.issuer=tacit-test", "token", "explain", token, "--json"], ""));
        assert_eq!(members(&explained), ["explanation", "good"]);
        assert_eq!(explained["good"], true, "{explained}");
        let printed =
            done(&tacit.home, &["--set", "tokens.issuer=tacit-test", "token", "explain"], &format!("{token}\n"));
        assert!(printed.contains("good") && !printed.contains(token), "{printed}");
    }
    let cut = &access[..access.len() - 2];
    let cut_refresh = &refresh[..refresh.len() - 2];
    for (token, word) in [("nonsense", "JWT"), (cut, "signature"), (cut_refresh, "MAC"), ("a.b.c", "header")] {
        let output = run(&tacit.home, &["--set", "tokens.issuer=tacit-test", "token", "explain", token, "--json"], "");
        assert_eq!(output.status.code(), Some(1), "{token}");
        let explained = json(text(&output.stdout));
        assert_eq!(explained["good"], false);
        assert!(explained["explanation"].to_string().contains(word), "{explained}");
    }
    let form = [("refresh_token", refresh)];
    tacit.post("/logout").form(&form).send().await.unwrap();
    for token in [access, refresh] {
        let output = run(&tacit.home, &["--set", "tokens.issuer=tacit-test", "token", "explain", token], "");
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stdout).contains("ended"), "{}", text(&output.stdout));
    }
}

#[tokio::test]
async fn purge_deletes_what_ended_long_ago_and_nothing_else() {
    let tacit = Tacit::start().await;
    tacit.new_session("ada").await;
    assert_eq!(done(&tacit.home, &["purge"], ""), "0 sessions deleted.\n");
    tacit.home.database.age("sessions", "created_at", 100 * 86_400);
    tacit.home.database.age("sessions", "expires_at", 100 * 86_400);
    let alive = tacit.log_in("ada").await;
    assert_eq!(done(&tacit.home, &["purge"], ""), "1 sessions deleted.\n");
    assert_eq!(tacit.home.database.number("SELECT count(*) AS value FROM sessions"), 1);
    assert_eq!(tacit.get_with("/me", &alive.without_access()).await.status(), 200);
}

#[tokio::test]
async fn purge_deletes_more_than_one_statement_would() {
    let tacit = Tacit::start().await;
    let copy = "INSERT INTO sessions \
        (id, user_id, secret_hash, created_at, authenticated_at, expires_at, idle_timeout) \
        WITH RECURSIVE copies(number) AS \
        (SELECT 100000 UNION ALL SELECT number + 1 FROM copies WHERE number < 100599) \
        SELECT '00000000-0000-4000-8000-000000' || CAST(number AS TEXT), \
        user_id, secret_hash, created_at, authenticated_at, expires_at, idle_timeout FROM sessions CROSS JOIN copies";
    tacit.new_session("ada").await;
    // Past the absolute limit, then past the idle one.
    for column in ["expires_at", "created_at"] {
        tacit.home.database.execute(copy);
        tacit.home.database.age("sessions", column, 100 * 86_400);
        assert_eq!(done(&tacit.home, &["purge"], ""), "601 sessions deleted.\n");
        tacit.log_in("ada").await;
    }
    assert_eq!(tacit.home.database.number("SELECT count(*) AS value FROM sessions"), 1);
}

#[tokio::test]
async fn healthcheck_asks_the_configured_listener() {
    let home = Home::new();
    let mut tacit = Setup::default().set("server.base_path", "/auth").spawn_in(home.clone());
    let port = tacit.url.strip_suffix("/auth").unwrap().rsplit(':').next().unwrap();
    let listen = format!("server.listen=127.0.0.1:{port}");
    let check = ["--set", &listen, "--set", "server.base_path=/auth", "healthcheck"];
    done(&home, &check, "");
    fails(&home, &["--set", &listen, "--set", "server.base_path=/other", "healthcheck"], "", 1);
    tacit.kill();
    fails(&home, &check, "", 1);
}

#[test]
fn a_listener_that_answers_a_byte_at_a_time_is_not_healthy() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let listen = format!("server.listen={}", listener.local_addr().expect("an address"));
    let dripping = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
    });
    fails(&Home::new(), &["--set", &listen, "healthcheck"], "", 1);
    dripping.join().expect("the listener");
}
