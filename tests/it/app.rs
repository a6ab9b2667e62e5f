//! The built binary, running for one test, and the callers that tests speak as.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::database::TestDatabase;
use crate::jar::Jar;

/// A password that every rule accepts.
pub const PASSWORD: &str = "correct horse battery staple";

/// How long anything may take before a test gives up on it.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Settings that make a service quick to test: cheap hashes, and nothing else that a test does not ask for.
const QUICK: [(&str, &str); 4] = [
    ("passwords.bcrypt_cost", "4"),
    ("server.workers", "2"),
    ("passwords.hash_queue", "400"),
    // Tests sign in far more often than people do; those of the throttle switch it on.
    ("throttle.enabled", "false"),
];

/// What a service is to be started with.
#[derive(Default)]
pub struct Setup {
    settings: Vec<(String, String)>,
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    shell: Option<String>,
}

/// A directory and a database that outlive a service which is killed and started again.
pub struct Home {
    pub directory: TempDir,
    pub database: TestDatabase,
}

impl Home {
    pub fn new() -> Arc<Self> {
        let directory = tempfile::tempdir().expect("a directory");
        let database = TestDatabase::create(directory.path());
        Arc::new(Self { directory, database })
    }
}

/// A running service.
pub struct Tacit {
    child: Child,
    /// Where it listens, without a slash at the end.
    pub url: String,
    /// Where gateways and operators ask: `server.internal_listen` if it is set, else the same.
    pub internal: String,
    pub home: Arc<Home>,
    pub http: Client,
    log: PathBuf,
}

impl Setup {
    /// One setting, as `section.key`.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// One environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// One argument behind `serve`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// A line of shell that runs first in the service's process, like one that sets a limit.
    pub fn shell(mut self, line: &str) -> Self {
        self.shell = Some(line.to_owned());
        self
    }

    /// Short windows, for tests of the protocol that wait for real.
    pub fn short_windows(self) -> Self {
        self.set("tokens.access_ttl", "60s").set("sessions.grace", "4s").set("sessions.emit_deadline", "1s")
    }

    /// Starts a service with a database of its own, and waits until it is ready.
    pub async fn start(self) -> Tacit {
        self.start_in(Home::new()).await
    }

    /// Starts a service in a home that was there before: a restart, or another replica.
    pub async fn start_in(self, home: Arc<Home>) -> Tacit {
        let tacit = self.spawn_in(home);
        tacit.wait_until_ready().await;
        tacit
    }

    /// Starts the process and waits only until it listens.
    pub fn spawn_in(self, home: Arc<Home>) -> Tacit {
        let log = home.directory.path().join(format!("{}.log", unique()));
        let mut command = tacit_command(&home, self.shell.as_deref());
        for (key, value) in QUICK {
            command.args(["--set", &format!("{key}={value}")]);
        }
        for (key, value) in &self.settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(&self.arguments);
        command.envs(self.environment.iter().cloned());
        command.stdout(Stdio::piped()).stderr(File::create(&log).expect("a log file"));
        let mut child = command.spawn().expect("the binary");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let first = lines.next().and_then(Result::ok).unwrap_or_default();
        let Some(url) = first.strip_prefix("Tacit listens on ") else {
            let _ = child.wait();
            panic!("the service did not start: {first} {}", std::fs::read_to_string(&log).unwrap_or_default());
        };
        let url = url.to_owned();
        let internal = if self.settings.iter().any(|(key, _)| key == "server.internal_listen") {
            let second = lines.next().and_then(Result::ok).expect("a second line");
            second.trim().strip_prefix("for gateways and operators: ").expect("a second address").to_owned()
        } else {
            url.clone()
        };
        // Whatever else it prints must have a reader, or it would block.
        std::thread::spawn(move || lines.for_each(drop));
        Tacit { child, url, internal, home, http: client(), log }
    }
}

/// An HTTP client that keeps no cookies and follows no redirect.
pub fn client() -> Client {
    Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(LIMIT).no_proxy().build().expect("a client")
}

fn unique() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed).to_string()
}

/// The binary in a home of its own, knowing nothing of the machine's environment; `shell` is run first.
pub fn tacit_command(home: &Home, shell: Option<&str>) -> Command {
    let binary = env!("CARGO_BIN_EXE_tacit");
    let mut command = match shell {
        None => Command::new(binary),
        Some(line) => {
            let mut command = Command::new("/bin/bash");
            command.args(["-c", &format!("{line}; exec \"$0\" \"$@\""), binary]);
            command
        }
    };
    command
        .env_clear()
        .current_dir(home.directory.path())
        .args(["--set", &format!("database.url={}", home.database.url())]);
    command
}

/// Runs a command of the binary to its end, with `input` on its standard input.
pub fn run(home: &Home, arguments: &[&str], input: &str) -> Output {
    let mut child = tacit_command(home, None)
        .args(["--set", "passwords.bcrypt_cost=4"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    // A command that reads no input may be gone already.
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    child.wait_with_output().expect("an end")
}

impl Tacit {
    /// A service with nothing special.
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    pub async fn wait_until_ready(&self) {
        let ready = async || {
            self.http.get(format!("{}/readyz", self.internal)).send().await.is_ok_and(|answer| answer.status() == 200)
        };
        assert!(eventually(ready).await, "never ready: {}", self.log());
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// GET with a jar's cookies.
    pub async fn get_with(&self, path: &str, jar: &Jar) -> Response {
        self.get(path).header("cookie", jar.header()).send().await.expect("an answer")
    }

    /// POST with a jar's cookies, and no body.
    pub async fn post_with(&self, path: &str, jar: &Jar) -> Response {
        self.post(path).header("cookie", jar.header()).send().await.expect("an answer")
    }

    /// Registers a user with [`PASSWORD`].
    pub async fn register(&self, username: &str) -> Value {
        let answer =
            self.post("/register").json(&json!({"username": username, "password": PASSWORD})).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        answer.json().await.expect("JSON")
    }

    /// Signs in with cookies.
    pub async fn log_in(&self, username: &str) -> Jar {
        let answer =
            self.post("/login").json(&json!({"username": username, "password": PASSWORD})).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let mut jar = Jar::default();
        jar.apply(&answer);
        jar
    }

    /// Registers a user and signs it in.
    pub async fn new_session(&self, username: &str) -> Jar {
        self.register(username).await;
        self.log_in(username).await
    }

    /// Signs in at /token; the answer's body.
    pub async fn token(&self, username: &str) -> Value {
        let form = [("grant_type", "password"), ("username", username), ("password", PASSWORD)];
        let answer = self.post("/token").form(&form).send().await.unwrap();
        assert_eq!(answer.status(), 200);
        answer.json().await.expect("JSON")
    }

    /// Makes an administrator with the command line.
    pub async fn new_admin(&self, username: &str) -> Jar {
        let created = run(&self.home, &["user", "create", username, "--role", "admin"], PASSWORD);
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        self.log_in(username).await
    }

    /// What the service has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// The value of a metric, labels included in its name; 0 if it does not exist yet.
    pub async fn metric(&self, name: &str) -> f64 {
        let text = self.http.get(format!("{}/metrics", self.internal)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next()).map_or(0.0, |value| value.parse().expect("a number"))
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// kill -9
    pub fn kill(&mut self) {
        self.child.kill().expect("a running child");
        self.child.wait().expect("an end");
    }

    /// Sends SIGTERM, without waiting.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.pid().to_string()]).status().expect("kill");
        assert!(sent.success());
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return status;
            }
            assert!(Instant::now() < deadline, "the service does not stop");
            std::thread::yield_now();
        }
    }
}

impl Drop for Tacit {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until it holds, within [`LIMIT`].
pub async fn eventually(mut holds: impl AsyncFnMut() -> bool) -> bool {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if holds().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// The `code` of a problem document, with its status.
pub async fn problem(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let kind = answer.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(kind.as_deref(), Some("application/problem+json; charset=utf-8"), "status {status}");
    let body: Value = answer.json().await.expect("JSON");
    assert_eq!(body["status"], status);
    (status, body["code"].as_str().expect("a code").to_owned())
}

/// The header that says how a request was refreshed.
pub fn refreshed(answer: &Response) -> Option<&str> {
    answer.headers().get("x-auth-refresh").map(|value| value.to_str().expect("ASCII"))
}
