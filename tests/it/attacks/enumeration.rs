//! Who has an account, and which client exists: nobody learns it from a refusal, neither from what it says nor from what
//! it costs.

use std::collections::BTreeMap;

use reqwest::{RequestBuilder, Response};
use serde_json::json;

use crate::app::{PASSWORD, Setup, Tacit, run};
use crate::clients::{Credentials, create};

/// bcrypt of "secret word" at cost 4.
const PLAIN_HASH: &str = "$2b$04$abcdefghijklmnopqrstuuP6/q0obcGuk6SuzN66aTZwHeRCLMzKO";

/// Names of one length, and whose they are.
const NAMES: [(&str, &str); 5] = [
    ("wrong-pass", "somebody's, with a wrong password"),
    ("unknown-00", "nobody's"),
    ("disabled-0", "a disabled account's, with its right password"),
    ("cheap-hash", "somebody's whose hash is cheaper than new ones"),
    ("plain-hash", "somebody's whose hash came from elsewhere"),
];

/// A service that hashes at cost 6, and these accounts.
async fn start() -> Tacit {
    let tacit = Setup::default().set("passwords.bcrypt_cost", "6").start().await;
    for (name, _) in NAMES.iter().filter(|(name, _)| *name != "unknown-00") {
        tacit.register(name).await;
    }
    assert!(run(&tacit.home, &["user", "disable", "disabled-0"], "").status.success());
    let set = |name: &str, hash: &str| {
        let sql = format!("UPDATE users SET password_hash = '{hash}' WHERE username = '{name}'");
        assert_eq!(tacit.home.database.execute(&sql), 1);
    };
    // As the command line, which the harness lets hash at cost 4, would have left it.
    set("cheap-hash", "$bcrypt-sha256$v=2,t=2b,r=4$abcdefghijklmnopqrstuu$abcdefghijklmnopqrstuvwxyz0123O");
    set("plain-hash", PLAIN_HASH);
    tacit
}

/// The password that shows the difference, if there is one: right for the disabled account only.
fn password_for(name: &str) -> &'static str {
    if name == "disabled-0" { PASSWORD } else { "correct horse battery stable" }
}

/// Every way to present a name and a password.
fn paths(tacit: &Tacit, name: &str, password: &str) -> Vec<(&'static str, RequestBuilder)> {
    let form = [("username", name), ("password", password)];
    let oauth = [("grant_type", "password"), ("username", name), ("password", password)];
    vec![
        ("/login", tacit.post("/login").json(&json!({"username": name, "password": password}))),
        ("/login of the page", tacit.post("/login").header("accept", "text/html").form(&form)),
        ("/token in OAuth's dialect", tacit.post("/token").form(&oauth)),
        ("/token in FastAPI's dialect", tacit.post("/token").form(&form)),
    ]
}

/// All of an answer that may not differ, with `secret` blotted out where a page repeats it.
async fn shown(answer: Response, secret: &str) -> (u16, BTreeMap<String, String>, String) {
    let status = answer.status().as_u16();
    let own = answer.headers().get("x-request-id").map(|id| id.to_str().unwrap().to_owned()).unwrap_or_default();
    let changing = ["date", "x-request-id"];
    let headers = answer.headers().iter().filter(|(name, _)| !changing.contains(&name.as_str()));
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
    let body = answer.text().await.unwrap().replace(secret, "NAME").replace(&own, "ID");
    (status, headers, body)
}

#[tokio::test]
async fn unknown_disabled_and_wrong_are_one_answer_in_status_headers_and_body() {
    let tacit = start().await;
    let long = "x".repeat(100);
    let mut seen: BTreeMap<&str, Vec<_>> = BTreeMap::new();
    for (name, whose) in NAMES {
        for (path, request) in paths(&tacit, name, password_for(name)) {
            seen.entry(path).or_default().push((whose, shown(request.send().await.unwrap(), name).await));
        }
        // Passwords that a library might choke on choke it for nobody.
        for password in ["a\0b", &long, "\u{1f600}", " "] {
            for (path, request) in paths(&tacit, name, password) {
                seen.entry(path).or_default().push((whose, shown(request.send().await.unwrap(), name).await));
            }
        }
    }
    for (path, answers) in seen {
        let (_, first) = &answers[0];
        assert!([400, 401].contains(&first.0), "{path}: {first:?}");
        for (whose, answer) in &answers {
            assert_eq!(answer, first, "{path}: {whose}");
        }
    }
}

/// How many rounds of bcrypt a refused sign-in cost.
async fn rounds(tacit: &Tacit, request: RequestBuilder) -> f64 {
    const METRIC: &str = "tacit_hash_rounds_total";
    let before = tacit.metric(METRIC).await;
    let status = request.send().await.unwrap().status();
    assert!([400, 401].contains(&status.as_u16()), "{status}");
    tacit.metric(METRIC).await - before
}

#[tokio::test]
async fn unknown_disabled_and_wrong_cost_the_same_hashing_whatever_hash_is_stored() {
    let tacit = start().await;
    for (name, whose) in NAMES {
        for (path, request) in paths(&tacit, name, password_for(name)) {
            assert_eq!(rounds(&tacit, request).await, 64.0, "{path}: {whose}");
        }
    }
    // A name that nobody can have, and an address that nobody has.
    for name in ["a\0b", "nobody@example.com", "@", "  "] {
        for (path, request) in paths(&tacit, name, "correct horse battery stable") {
            assert_eq!(rounds(&tacit, request).await, 64.0, "{path}: {name:?}");
        }
    }
    // A hash that nobody can read is nobody's, and as dear; the second one has a digit that no digest ends in.
    for unreadable in ["!", "$bcrypt-sha256$v=2,t=2b,r=6$abcdefghijklmnopqrstuu$abcdefghijklmnopqrstuvwxyz01234"] {
        let sql = format!("UPDATE users SET password_hash = '{unreadable}' WHERE username = 'wrong-pass'");
        assert_eq!(tacit.home.database.execute(&sql), 1);
        for (path, request) in paths(&tacit, "wrong-pass", PASSWORD) {
            assert_eq!(rounds(&tacit, request).await, 64.0, "{path}: {unreadable}");
        }
    }
}

#[tokio::test]
async fn a_wrong_current_password_costs_as_much_as_a_wrong_sign_in() {
    let tacit = Setup::default().set("passwords.bcrypt_cost", "6").start().await;
    let jar = tacit.new_session("ada").await;
    let set = format!("UPDATE users SET password_hash = '{PLAIN_HASH}'");
    for hash in [None, Some(set)] {
        if let Some(sql) = hash {
            assert_eq!(tacit.home.database.execute(&sql), 1);
        }
        let body = json!({"current_password": "wrong", "new_password": "another battery of horses"});
        let request = tacit.post("/me/password").header("cookie", jar.header()).json(&body);
        assert_eq!(rounds(&tacit, request).await, 64.0);
    }
}

#[tokio::test]
async fn unknown_disabled_and_wrong_clients_are_one_answer_in_status_headers_and_body() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "backend", &["--grant", "client_credentials"]);
    let off = create(&tacit.home, "disabled", &["--grant", "client_credentials"]);
    assert!(run(&tacit.home, &["client", "disable", "disabled"], "").status.success());
    let wrong = Credentials { secret: off.secret.clone(), ..client };
    let unknown = Credentials { id: "00000000-0000-4000-8000-000000000000".to_owned(), secret: off.secret.clone() };
    let mut seen: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for (credentials, whose) in [(&wrong, "a wrong secret"), (&unknown, "an unknown id"), (&off, "a disabled client")] {
        let in_form = [("client_id", credentials.id.as_str()), ("client_secret", &credentials.secret)];
        for path in ["/token", "/introspect", "/revoke"] {
            let fields = [("grant_type", "client_credentials"), ("token", "x")];
            for (method, request) in [
                ("Basic", credentials.on(tacit.post(path)).form(&fields)),
                ("form", tacit.post(path).form(&[fields.as_slice(), &in_form].concat())),
            ] {
                let answer = shown(request.send().await.unwrap(), &credentials.id).await;
                seen.entry(format!("{method} at {path}")).or_default().push((whose, answer));
            }
        }
        let answer = shown(credentials.on(tacit.get("/revocations")).send().await.unwrap(), &credentials.id).await;
        seen.entry("/revocations".to_owned()).or_default().push((whose, answer));
    }
    for (path, answers) in seen {
        for (whose, answer) in &answers {
            assert_eq!(answer.0, 401, "{path}: {whose}");
            assert_eq!(answer, &answers[0].1, "{path}: {whose}");
        }
    }
}

#[tokio::test]
async fn a_malformed_sign_in_is_refused_the_same_way_before_anybody_is_looked_up() {
    let tacit = start().await;
    let long = "x".repeat(1025);
    for body in [
        json!({"username": "NAME"}),
        json!({"username": "NAME", "password": ""}),
        json!({"username": "NAME", "password": long}),
        json!({"username": "NAME", "password": 1}),
        json!({"username": "NAME", "password": null}),
    ] {
        let mut answers = Vec::new();
        for (name, _) in NAMES {
            let sent = body.to_string().replace("NAME", name);
            let request = tacit.post("/login").header("content-type", "application/json").body(sent);
            answers.push(shown(request.send().await.unwrap(), name).await);
        }
        assert_eq!(answers[0].0, 400, "{body:.60}");
        answers.dedup();
        assert_eq!(answers.len(), 1, "{body:.60}");
    }
}
