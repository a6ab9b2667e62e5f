//! What operators and their tools ask: GET /healthz, /readyz, /metrics and /, and the second listener.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Setup, Tacit, client, eventually, tacit_command};
use crate::problems;
use crate::shapes::members;

#[tokio::test]
async fn a_living_service_says_ok() {
    let tacit = Tacit::start().await;
    let answer = tacit.get("/healthz").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    problems::assert_plain_security_headers(answer.headers());
    assert_eq!(answer.json::<Value>().await.unwrap(), json!({"status": "ok"}));
}

#[tokio::test]
async fn a_service_is_ready_with_its_database_its_schema_and_its_revocations() {
    let tacit = Tacit::start().await;
    let ready: Value = tacit.get("/readyz").send().await.unwrap().json().await.unwrap();
    assert_eq!(members(&ready), ["revocation_poll_age", "status"]);
    assert_eq!(ready["status"], "ready");
    assert!(ready["revocation_poll_age"].as_u64().unwrap() < 10);
    // As if an older binary's database was brought back.
    tacit.home.database.execute("ALTER TABLE __diesel_schema_migrations RENAME TO kept");
    assert!(problems::read(tacit.get("/readyz").send().await.unwrap()).await.is(503, "not_ready"));
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    tacit.home.database.execute("DROP TABLE IF EXISTS __diesel_schema_migrations");
    tacit.home.database.execute("ALTER TABLE kept RENAME TO __diesel_schema_migrations");
    assert!(eventually(async || tacit.get("/readyz").send().await.unwrap().status() == 200).await);
}

#[tokio::test]
async fn metrics_count_what_happened_and_name_nobody() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    tacit.token("ada").await;
    let wrong = json!({"username": "ada", "password": "wrong"});
    tacit.post("/login").json(&wrong).send().await.unwrap();
    tacit.get_with("/protected", &jar.without_access()).await;
    tacit.get("/nothing/canary-path?canary-query=1").send().await.unwrap();
    tacit.request("CANARYMETHOD".parse().unwrap(), "/me").send().await.unwrap();
    assert_eq!(tacit.metric("tacit_registrations_total").await, 1.0);
    assert_eq!(tacit.metric("tacit_sign_ins_total{route=\"/login\"}").await, 1.0);
    assert_eq!(tacit.metric("tacit_sign_ins_total{route=\"/token\"}").await, 1.0);
    assert_eq!(tacit.metric("tacit_sign_in_failures_total{reason=\"invalid_credentials\"}").await, 1.0);
    assert_eq!(tacit.metric("tacit_refreshes_total{verdict=\"rotated\"}").await, 1.0);
    let answer = tacit.get("/metrics").send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for secret in ["canary", "CANARY", "ada", "rt1_", "eyJ", PASSWORD] {
        assert!(!text.contains(secret), "{secret}");
    }
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        assert!(name.starts_with("tacit_") && value.parse::<f64>().is_ok(), "{line}");
    }
}

/// Every series there is: name and labels.
async fn series(tacit: &Tacit) -> BTreeSet<String> {
    let text = tacit.get("/metrics").send().await.unwrap().text().await.unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').expect("a name and a value").0.to_owned()).collect()
}

#[tokio::test]
async fn ten_thousand_paths_methods_and_names_add_no_label_values() {
    const ROUTES: [&str; 9] =
        ["", "/me", "/login", "/token", "/sessions", "/verify/role", "/verify/envoy", "/docs", "/assets/tacit"];
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let send = async |number: usize| {
        let route = ROUTES[number % ROUTES.len()];
        let path = if number.is_multiple_of(2) { format!("{route}/p{number}") } else { format!("{route}?p={number}") };
        let method = ["GET", "POST", "DELETE", "PATCH"][number / ROUTES.len() % 4];
        let method = if number.is_multiple_of(5) { format!("M{number}") } else { method.to_owned() };
        let request = tacit.request(method.parse().unwrap(), &path).header("user-agent", number.to_string());
        let request = match number % 3 {
            0 => request.json(&json!({"username": format!("u{number}"), "password": "x"})),
            1 => request.bearer_auth(number),
            _ => request.header("cookie", jar.header()),
        };
        assert!(request.send().await.unwrap().status().as_u16() < 500);
    };
    let names = async |from: usize, to: usize| {
        for first in (from..to).step_by(50) {
            join_all((first..first + 50).map(&send)).await;
        }
    };
    // Each kind of request at least once: their combinations repeat after 180.
    names(0, 400).await;
    series(&tacit).await;
    let before = series(&tacit).await;
    assert!(before.len() < 600, "{}", before.len());
    names(400, 10_400).await;
    assert_eq!(series(&tacit).await.difference(&before).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[tokio::test]
async fn the_root_says_what_this_is_and_where_its_documentation_stands() {
    let tacit = Tacit::start().await;
    let body: Value = tacit.get("/").send().await.unwrap().json().await.unwrap();
    assert_eq!(body, json!({"name": "tacit", "docs": format!("{}/docs", tacit.url)}));
}

/// A service with a second listener: its process and both addresses.
struct Split {
    child: Child,
    public: String,
    internal: String,
}

impl Split {
    fn start(home: &Home) -> Self {
        let mut child = tacit_command(home, None)
            .args(["--set", "server.internal_listen=127.0.0.1:0", "serve", "--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut address = || {
            let line = lines.next().expect("a line").expect("UTF-8");
            format!("http://{}", line.split("http://").nth(1).unwrap_or_else(|| panic!("no address in {line}")))
        };
        let (public, internal) = (address(), address());
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, public, internal }
    }
}

impl Drop for Split {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn with_a_second_listener_each_answers_its_own_paths_and_404_to_the_others() {
    let home = Home::new();
    let split = Split::start(&home);
    let http = client();
    let status =
        async |base: &str, path: &str| http.get(format!("{base}{path}")).send().await.unwrap().status().as_u16();
    assert!(eventually(async || status(&split.internal, "/readyz").await == 200).await);
    for path in
        ["/verify", "/verify/", "/verify/access", "/verify/role/admin", "/verify/envoy/x", "/metrics", "/readyz"]
    {
        assert_eq!(status(&split.public, path).await, 404, "{path} on the public listener");
        assert_ne!(status(&split.internal, path).await, 404, "{path} on the internal listener");
    }
    for path in ["/me", "/login", "/token", "/", "/docs", "/openapi.json", "/protected"] {
        assert_ne!(status(&split.public, path).await, 404, "{path} on the public listener");
        assert_eq!(status(&split.internal, path).await, 404, "{path} on the internal listener");
    }
    for base in [&split.public, &split.internal] {
        assert_eq!(status(base, "/healthz").await, 200);
    }
}

#[tokio::test]
async fn below_a_base_path_everything_answers_there_and_nowhere_else() {
    let tacit = Setup::default().set("server.base_path", "/auth").start().await;
    let bare = tacit.url.strip_suffix("/auth").expect("the base path in the address").to_owned();
    let jar = tacit.new_session("ada").await;
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    for path in ["/me", "/healthz", "/login", "/authme", "/token"] {
        let answer = tacit.http.get(format!("{bare}{path}")).send().await.unwrap();
        assert!(problems::read(answer).await.is(404, "not_found"), "{path}");
    }
    let index = tacit.http.get(format!("{bare}/auth")).send().await.unwrap();
    assert_eq!(index.json::<Value>().await.unwrap()["docs"], format!("{}/docs", tacit.url));
    let token = tacit.post("/token").send().await.unwrap();
    assert_eq!(token.headers()["cache-control"], "no-store");
}
