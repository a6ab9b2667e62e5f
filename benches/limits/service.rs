//! The release binary, running for one measurement.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::database::TestDatabase;
use super::load::{Connection, request};

pub const PASSWORD: &str = "correct horse battery staple";

/// A running process that printed where it listens.
pub struct Running {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("a process");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = lines.next().expect("a line").unwrap();
        let address = first.rsplit("http://").next().unwrap().replace("localhost", "127.0.0.1");
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }

    /// The yardstick, whose answers carry so many bytes of padding.
    pub fn bare(padding: usize) -> Self {
        Self::start(Command::new(std::env::current_exe().unwrap()).args(["bare", &padding.to_string()]))
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, in kilobytes.
    pub fn resident_kilobytes(&self) -> u64 {
        self.kilobytes("VmRSS")
    }

    /// How long its threads have worked so far, in milliseconds.
    pub fn processor_millis(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.id())).unwrap();
        let nanos = |thread: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
            let statistic = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
            statistic.split(' ').next()?.parse().ok()
        };
        threads.filter_map(nanos).sum::<u64>() as f64 / 1e6
    }

    /// A value of the process's status, in kilobytes: `VmHWM` is the most memory that it ever had.
    pub fn kilobytes(&self, name: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A directory and a database for services that come and go.
pub struct Home {
    pub directory: TempDir,
    pub database: TestDatabase,
}

impl Home {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let database = TestDatabase::create(directory.path());
        Self { directory, database }
    }

    /// Runs a command of the binary; what it printed.
    pub fn command(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
        command.env_clear().current_dir(self.directory.path());
        command.args(["--set", &format!("database.url={}", self.database.url())]).args(arguments);
        let done = command.output().expect("the binary");
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("UTF-8")
    }

    /// Starts the service with settings.
    pub fn start(&self, settings: &[(&str, &str)]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tacit"));
        command.env_clear().current_dir(self.directory.path());
        command.args(["serve", "--listen", "127.0.0.1:0", "--set", &format!("database.url={}", self.database.url())]);
        // Many clients at once sign in to one account, which looks like guessing.
        command.args(["--set", "throttle.enabled=false"]);
        for (key, value) in settings {
            command.args(["--set", &format!("{key}={value}")]);
        }
        let running = Running::start(&mut command);
        let ready = request("GET", "/readyz", &[], "");
        let deadline = Instant::now() + Duration::from_secs(20);
        while Connection::open(&running.address).status(&ready) != 200 {
            assert!(Instant::now() < deadline, "never ready");
        }
        running
    }
}

/// Registers a user.
pub fn register(service: &Running, username: &str) {
    let body = format!(r#"{{"username":"{username}","password":"{PASSWORD}"}}"#);
    let sent = request("POST", "/register", &[("Content-Type", "application/json")], &body);
    assert_eq!(Connection::open(&service.address).status(&sent), 201);
}

/// A request to /token with the right password.
pub fn token_request(username: &str) -> Vec<u8> {
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    request("POST", "/token", &form, &format!("username={username}&password={PASSWORD}"))
}

/// A member of an answer's JSON body.
pub fn member(body: &str, name: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).expect("JSON");
    body[name].as_str().expect(name).to_owned()
}
