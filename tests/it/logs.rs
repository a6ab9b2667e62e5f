//! Log lines: their format, whom they belong to, and what never stands in them.

use serde_json::{Value, json};

use crate::app::{Setup, Tacit, eventually};
use crate::jar::{ACCESS, Jar};

const CANARY: &str = "cAnArY-7Gh2Lm9Qx4Wz-horse";

/// The JSON lines of one event, once there are as many.
async fn events(tacit: &Tacit, event: &str, count: usize) -> Vec<Value> {
    let found = || -> Vec<Value> {
        let lines = tacit.log().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>();
        lines.into_iter().filter(|line| line["event"] == event).collect()
    };
    assert!(eventually(async || found().len() >= count).await, "no {event} in {}", tacit.log());
    found()
}

/// Sends secrets to wherever they could be sent; the tokens that came back.
async fn send_canaries(tacit: &Tacit) -> Vec<String> {
    let body = json!({"username": "ada", "password": CANARY});
    assert_eq!(tacit.post("/register").json(&body).send().await.unwrap().status(), 201);
    let answer = tacit.post("/login").json(&body).send().await.unwrap();
    let mut jar = Jar::default();
    jar.apply(&answer);
    let mut secrets = vec![jar.get(ACCESS).unwrap().to_owned(), jar.refresh().to_owned()];
    let form = [("grant_type", "password"), ("username", "ada"), ("password", CANARY)];
    let tokens: Value = tacit.post("/token").form(&form).send().await.unwrap().json().await.unwrap();
    for name in ["access_token", "refresh_token"] {
        secrets.push(tokens[name].as_str().unwrap().to_owned());
    }
    let bearer = tokens["access_token"].as_str().unwrap();
    let answer = tacit.get_with("/protected", &jar.without_access()).await;
    jar.apply(&answer);
    secrets.extend([jar.get(ACCESS).unwrap().to_owned(), jar.refresh().to_owned()]);
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    let garbage = format!("{{\"{CANARY}\":\"{CANARY}\"");
    for request in [
        tacit.post("/login").json(&json!({"username": CANARY, "password": CANARY})),
        tacit.post("/login").json(&json!({"username": "ada", "password": format!("{CANARY}!")})),
        tacit.post("/login").header("content-type", "application/json").body(garbage),
        tacit.post("/token").form(&[("username", CANARY), ("password", CANARY)]),
        tacit.post("/token").form(&refresh),
        tacit.post("/token").form(&[("grant_type", "refresh_token"), ("refresh_token", &format!("rt1_{CANARY}"))]),
        tacit.post("/register").json(&json!({"username": format!("a\n{CANARY}"), "password": CANARY})),
        tacit
            .post("/me/password")
            .bearer_auth(bearer)
            .json(&json!({"current_password": CANARY, "new_password": CANARY})),
        tacit.get("/me").bearer_auth(CANARY),
        tacit.get("/me").header("authorization", format!("Basic {CANARY}")),
        tacit.get("/me").header("cookie", format!("tacit-access={CANARY}; tacit-refresh=rt1_{CANARY}; other={CANARY}")),
        tacit.get(&format!("/me?access_token={CANARY}")),
        tacit.get(&format!("/{CANARY}")),
        tacit.get("/healthz").header("user-agent", CANARY).header("x-request-id", format!("{CANARY} x")),
        tacit.post("/logout").json(&json!({"refresh_token": CANARY})),
        tacit.post("/logout").header("cookie", jar.header()).header("origin", "https://evil.example"),
        tacit.post("/logout").header("cookie", jar.header()),
    ] {
        request.send().await.unwrap();
    }
    secrets
}

#[tokio::test]
async fn no_password_token_cookie_or_typed_name_is_logged_even_at_trace_level() {
    for format in ["text", "json"] {
        let tacit = Setup::default().set("log.level", "trace").set("log.format", format).start().await;
        let mut secrets = send_canaries(&tacit).await;
        secrets.push(CANARY.to_owned());
        assert!(tacit.get("/nothing").header("x-request-id", "the-last-one").send().await.is_ok());
        assert!(eventually(async || tacit.log().contains("the-last-one")).await);
        let log = tacit.log();
        for secret in &secrets {
            assert!(!log.contains(secret.as_str()), "{format}: {secret} in the log");
            // Neither its signature nor its random part alone.
            let tail = &secret[secret.len().saturating_sub(24)..];
            assert!(!log.contains(tail), "{format}: the end of {secret} in the log");
        }
    }
}

#[tokio::test]
async fn every_json_line_is_an_object_with_time_level_and_message() {
    let tacit = Setup::default().set("log.level", "trace").set("log.format", "json").start().await;
    send_canaries(&tacit).await;
    let log = tacit.log();
    assert!(log.lines().count() > 20);
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        crate::shapes::assert_time(&line["time"]);
        assert!(["error", "warn", "info", "debug", "trace"].contains(&line["level"].as_str().unwrap()), "{line}");
        assert!(line["message"].is_string(), "{line}");
    }
}

#[tokio::test]
async fn every_text_line_begins_with_time_and_level() {
    let tacit = Setup::default().set("log.level", "debug").start().await;
    send_canaries(&tacit).await;
    for line in tacit.log().lines() {
        let mut words = line.split(' ');
        crate::shapes::assert_time(&json!(words.next()));
        assert!(["error", "warn", "info", "debug"].contains(&words.next().unwrap_or_default()), "{line}");
        assert!(!line.contains('\u{1b}'), "{line}");
    }
}

#[tokio::test]
async fn a_security_event_names_its_request_its_address_its_outcome_and_whom_it_is_about() {
    let tacit = Setup::default().set("log.format", "json").start().await;
    let user = tacit.register("ada").await["user"]["id"].clone();
    let log_in = async |password: &str, id: &str| {
        let body = json!({"username": "ada", "password": password});
        let answer = tacit.post("/login").json(&body).header("x-request-id", id).send().await.unwrap();
        let mut jar = Jar::default();
        jar.apply(&answer);
        jar
    };
    let jar = log_in(crate::app::PASSWORD, "good-one").await;
    log_in("wrong", "bad-one").await;
    let session = crate::shapes::part(jar.get(ACCESS).unwrap(), 1)["sid"].clone();
    let sign_ins = events(&tacit, "sign_in", 2).await;
    let [good, bad] = sign_ins.as_slice() else { panic!("{sign_ins:?}") };
    assert_eq!((&good["outcome"], &good["request_id"]), (&json!("success"), &json!("good-one")));
    assert_eq!((&good["subject"], &good["session"]), (&user, &session));
    assert_eq!((&bad["outcome"], &bad["request_id"]), (&json!("failure"), &json!("bad-one")));
    assert_eq!(bad["reason"], "invalid_credentials");
    let logout = tacit.post("/logout").header("cookie", jar.header());
    logout.header("origin", "https://evil.example").header("x-request-id", "foreign-one").send().await.unwrap();
    let refused = events(&tacit, "cross_site", 1).await.remove(0);
    assert_eq!((&refused["outcome"], &refused["request_id"]), (&json!("refused"), &json!("foreign-one")));
    let logout = tacit.post("/logout").header("cookie", jar.header()).header("x-request-id", "last-one");
    logout.send().await.unwrap();
    let ended = events(&tacit, "session_ended", 1).await.remove(0);
    assert_eq!((&ended["session"], &ended["request_id"]), (&session, &json!("last-one")));
    for event in [good, bad, &refused, &ended] {
        assert_eq!(event["address"], "127.0.0.1", "{event}");
    }
}

#[tokio::test]
async fn the_cause_of_a_failure_is_in_the_log_with_the_id_that_the_client_was_told() {
    let tacit = Setup::default().set("log.format", "json").start().await;
    let jar = tacit.new_session("ada").await;
    tacit.home.database.execute("ALTER TABLE users RENAME TO users_away");
    let request = tacit.get("/me").header("cookie", jar.header()).header("x-request-id", "failed-one");
    assert_eq!(request.send().await.unwrap().status(), 503);
    let failed = events(&tacit, "database_unavailable", 1).await;
    assert!(failed.iter().any(|line| line["request_id"] == "failed-one"), "{failed:?}");
}
