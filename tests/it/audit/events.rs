//! Every security event there is: it happens, is logged with whom and from where, and stands in the documentation.

use std::collections::BTreeSet;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};
use tacit::types::EventName;

use super::{NEW_PASSWORD, guess, once_written, trail};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, run};
use crate::clients::{Credentials, create};
use crate::jar::{ACCESS, Jar};
use crate::shapes::{assert_time, part};
use crate::sources::files;

/// The events among JSON log lines.
fn events_of(log: &str) -> Vec<Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.filter(|line| line["target"] == "tacit::event").collect()
}

/// Runs a command of an operator; the events that it logged.
fn operate(home: &Home, arguments: &[&str], input: &str) -> Vec<Value> {
    let output = run(home, &[&["--set", "log.format=json"], arguments].concat(), input);
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{arguments:?}: {log}");
    let events = events_of(&log);
    for event in &events {
        assert!(event["actor"].as_str().unwrap().starts_with("operator:"), "{event}");
        assert!(event["request_id"].as_str().unwrap().starts_with("command-"), "{event}");
    }
    events
}

fn operators_acts(home: &Home) -> Vec<Value> {
    let acts: [(&[&str], &str); 11] = [
        (&["user", "create", "opal"], PASSWORD),
        (&["user", "set-role", "opal", "auditor"], ""),
        (&["user", "set-password", "opal"], NEW_PASSWORD),
        (&["user", "disable", "opal"], ""),
        (&["user", "enable", "opal"], ""),
        (&["user", "delete", "opal"], ""),
        (&["client", "create", "made"], ""),
        (&["client", "rotate-secret", "made"], ""),
        (&["client", "disable", "made"], ""),
        (&["client", "enable", "made"], ""),
        (&["throttle", "clear", "--all"], ""),
    ];
    acts.iter().flat_map(|(arguments, input)| operate(home, arguments, input)).collect()
}

fn change_keys(home: &Home) -> Vec<Value> {
    let acts: [(&[&str], &str); 3] = [
        (&["keys", "generate", "--alg", "EdDSA"], "generated"),
        (&["keys", "rotate"], "rotated"),
        (&["keys", "rotate", "--alg", "HS256"], "rotated"),
    ];
    let mut seen: Vec<Value> = acts.iter().flat_map(|(arguments, _)| operate(home, arguments, "")).collect();
    let rows = trail(home, &["--event", "key_changed"]);
    let reasons: Vec<&str> = rows.iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons, acts.map(|(_, reason)| reason));
    let kid = rows[0]["details"]["kid"].as_str().unwrap();
    assert_eq!(rows[1]["details"]["kid"], json!(kid));
    seen.extend(operate(home, &["keys", "retire", kid, "--force"], ""));
    seen
}

async fn sessions_end(tacit: &Tacit, client: &Credentials) {
    let jar = tacit.new_session("ada").await;
    let with = |method: Method, path: &str| tacit.request(method, path).header("cookie", jar.header());
    let wrong = json!({"current_password": "wrong", "username": "other"});
    assert_eq!(with(Method::PATCH, "/me").json(&wrong).send().await.unwrap().status(), 401);
    let rename = json!({"current_password": PASSWORD, "email": "ada@example.com"});
    assert_eq!(with(Method::PATCH, "/me").json(&rename).send().await.unwrap().status(), 200);
    let jar = tacit.log_in("ada").await;
    let password = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let request = tacit.post("/me/password").header("cookie", jar.header()).json(&password);
    assert_eq!(request.send().await.unwrap().status(), 200);
    let bob = tacit.token_of_new_user("bob").await;
    let form = [("token", bob.as_str())];
    assert_eq!(client.on(tacit.post("/revoke").form(&form)).send().await.unwrap().status(), 200);
    // A name that is taken, and one who lacks a role.
    let taken = json!({"username": "ada", "password": PASSWORD});
    assert_eq!(tacit.post("/register").json(&taken).send().await.unwrap().status(), 409);
    let eve = tacit.new_session("eve").await;
    assert_eq!(tacit.get_with("/admin", &eve).await.status(), 403);
}

impl Tacit {
    async fn token_of_new_user(&self, name: &str) -> String {
        self.register(name).await;
        self.token(name).await["refresh_token"].as_str().unwrap().to_owned()
    }
}

async fn refreshes_go_wrong(tacit: &Tacit) {
    let rotated = async |name: &str, times: usize| {
        let first = tacit.new_session(name).await;
        let mut jar = first.clone();
        for _ in 0..times {
            jar.apply(&tacit.get_with("/protected", &jar.without_access()).await);
            tacit.home.database.age("sessions", "rotated_at", 200);
        }
        (first.without_access(), jar.without_access())
    };
    let refresh = async |jar: &Jar| tacit.get_with("/protected", jar).await.status().as_u16();
    let (stolen, _) = rotated("theft", 2).await;
    assert_eq!(refresh(&stolen).await, 401);
    let (_, ahead) = rotated("ahead", 1).await;
    tacit.home.database.execute("UPDATE sessions SET generation = 0, previous_branch = NULL, rotated_at = NULL");
    assert_eq!(refresh(&ahead).await, 200);
    tacit.home.database.execute(
        "UPDATE sessions SET secret_hash = (SELECT other.secret_hash FROM sessions AS other WHERE other.id <> sessions.id \
         AND other.secret_hash <> sessions.secret_hash LIMIT 1)",
    );
    assert_eq!(refresh(&ahead).await, 401);
}

async fn strangers_are_refused(tacit: &Tacit, client: &Credentials) {
    guess(tacit, "ghost").await;
    for number in 0..600_u16 {
        let address = format!("198.51.{}.{}", number / 200, number % 200);
        let request = tacit.post("/logout").header("origin", "https://evil.example").header("x-forwarded-for", address);
        assert_eq!(request.send().await.unwrap().status(), 403);
    }
    let forged = "eyJhbGciOiJIUzI1NiJ9.e30.AAAA";
    assert_eq!(tacit.get("/me").bearer_auth(forged).send().await.unwrap().status(), 401);
    let own = [("grant_type", "client_credentials")];
    assert_eq!(client.on(tacit.post("/token").form(&own)).send().await.unwrap().status(), 200);
    let wrong = Credentials { secret: "wrong".to_owned(), ..client.clone() };
    assert_eq!(wrong.on(tacit.post("/token").form(&own)).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn every_event_of_the_list_happens_and_names_its_request_and_outcome() {
    let home = Home::new();
    let setup = Setup::default().set("log.format", "json").set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.start_in(home.clone()).await;
    let mut seen = operators_acts(&home);
    let client = create(&home, "caller", &["--grant", "client_credentials"]);
    sessions_end(&tacit, &client).await;
    refreshes_go_wrong(&tacit).await;
    strangers_are_refused(&tacit, &client).await;
    seen.extend(change_keys(&home));
    assert!(eventually(async || tacit.log().contains("audit_dropped")).await);
    drop(tacit);
    let throttled = Setup::default().set("log.format", "json").set("throttle.enabled", "true");
    let throttled = throttled.set("throttle.account_failures", "2").start_in(home.clone()).await;
    for status in [401, 401, 429] {
        assert_eq!(super::log_in(&throttled, "ghost", "wrong").await.status(), status);
    }
    let all: BTreeSet<&str> = EventName::ALL.iter().map(|name| name.as_str()).collect();
    let logs = || {
        let directory = std::fs::read_dir(home.directory.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = directory.filter(|path| path.extension().is_some_and(|end| end == "log"));
        logs.flat_map(|path| events_of(&std::fs::read_to_string(path).unwrap())).collect::<Vec<Value>>()
    };
    let names = |events: &[Value]| -> BTreeSet<String> {
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    };
    let known = names(&seen);
    let found = || -> BTreeSet<String> { known.union(&names(&logs())).cloned().collect() };
    assert!(eventually(async || found().len() >= all.len()).await, "missing: {:?}", missing(&all, &found()));
    assert_eq!(found().iter().map(String::as_str).collect::<BTreeSet<&str>>(), all);
    for event in logs() {
        assert_time(&event["time"]);
        assert!(["success", "failure", "refused"].contains(&event["outcome"].as_str().unwrap()), "{event}");
        let of_the_service = ["key_use", "audit_dropped"].contains(&event["event"].as_str().unwrap());
        assert_eq!(event["request_id"].is_string() && event["address"].is_string(), !of_the_service, "{event}");
    }
}

fn missing(all: &BTreeSet<&str>, found: &BTreeSet<String>) -> Vec<String> {
    all.iter().filter(|name| !found.contains(**name)).map(|name| (*name).to_owned()).collect()
}

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect(path)
}

#[test]
fn every_event_is_documented_and_the_documentation_names_no_other() {
    let page = read("docs/operations.md");
    let table = page.split("### Security events").nth(1).expect("a section").split("\n#").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let documented: BTreeSet<&str> = rows.collect();
    assert_eq!(documented, EventName::ALL.iter().map(|name| name.as_str()).collect());
}

#[test]
fn no_other_line_of_the_log_takes_the_name_of_a_security_event() {
    let (mut names, page) = (0, read("docs/operations.md"));
    for (path, text) in files("src", &["rs"]) {
        for name in text.split("event = \"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(name.parse::<EventName>().is_err(), "{name} in {}", path.display());
            assert!(page.contains(&format!("`{name}`")), "{name} is not documented");
            names += 1;
        }
    }
    assert!(names > 10, "the log lines moved");
}

#[tokio::test]
async fn who_would_end_a_session_of_somebody_else_is_noted_and_learns_nothing() {
    let tacit = Tacit::start().await;
    let ada = tacit.new_session("ada").await;
    let eve = tacit.new_session("eve").await;
    let foreign = part(ada.get(ACCESS).unwrap(), 1)["sid"].as_str().unwrap().to_owned();
    for id in [foreign.as_str(), "00000000-0000-4000-8000-000000000000"] {
        let request = tacit.request(Method::DELETE, &format!("/sessions/{id}")).header("cookie", eve.header());
        assert_eq!(request.send().await.unwrap().status(), 404);
    }
    let rows = once_written(&tacit.home, "access_refused", 2).await;
    assert_eq!(rows.len(), 1, "one is told from the other nowhere: {rows:?}");
    assert_eq!((&rows[0]["reason"], &rows[0]["outcome"]), (&json!("session_not_found"), &json!("refused")));
    assert_eq!(rows[0]["subject"], part(eve.get(ACCESS).unwrap(), 1)["sub"]);
}
