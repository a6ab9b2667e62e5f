//! PostgreSQL itself is stopped, and started again: a cluster of the test's own.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use diesel::prelude::*;
use futures_util::future::join_all;
use tempfile::TempDir;

use super::is_root;
use super::outage::{assert_away, assert_heals, on, works};
use super::witness::{Told, Witness, assert_none_lost};
use crate::app::{Home, LIMIT};
use crate::database;

/// Clients at work when the server is stopped.
const CLIENTS: usize = 6;

/// Answers with success until the server is stopped.
const ENOUGH: u32 = 100;

/// Where no outgoing connection gets its port: the server has to find its own free again.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Where PostgreSQL's own programs are: the newest that Debian installed, or those of PATH.
fn programs() -> PathBuf {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path());
    let version = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = installed.max_by_key(version).map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders = newest.into_iter().chain(std::env::split_paths(&path));
    folders
        .find(|folder| folder.join("initdb").exists())
        .expect("initdb is neither below /usr/lib/postgresql nor in PATH: install the package `postgresql`")
}

struct Cluster {
    programs: PathBuf,
    /// Below /tmp: PostgreSQL's user has to reach it, and a socket's path is short.
    directory: TempDir,
    port: u16,
    server: Option<Child>,
}

impl Cluster {
    fn start() -> Self {
        let directory = tempfile::tempdir_in("/tmp").expect("a directory");
        if is_root() {
            // It refuses to run as root.
            let given = Command::new("chown").arg("postgres:").arg(directory.path()).status().expect("chown");
            assert!(given.success(), "there is no user postgres: install the package `postgresql`");
        }
        let mut ports = PORTS.cycle().skip(usize::try_from(std::process::id()).unwrap() % PORTS.len());
        let port =
            ports.by_ref().take(PORTS.len()).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok());
        let mut cluster = Self { programs: programs(), directory, port: port.expect("a free port"), server: None };
        let made = cluster.run("initdb", &["-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]);
        assert!(made, "initdb failed: {}", cluster.log());
        cluster.go_on();
        cluster
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// One of PostgreSQL's programs on this cluster, as its owner.
    fn command(&self, program: &str) -> Command {
        let owner = self.directory.path().metadata().expect("a directory");
        let log = std::fs::File::options().append(true).create(true).open(self.log_file()).expect("a log file");
        let mut command = Command::new(self.programs.join(program));
        command.arg("-D").arg(self.directory.path().join("data")).current_dir(self.directory.path());
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log file")).stderr(log);
        if is_root() {
            command.uid(owner.uid()).gid(owner.gid());
        }
        command
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        self.command(program).args(arguments).status().expect("a program of PostgreSQL").success()
    }

    /// Starts the server and waits until it accepts connections.
    fn go_on(&mut self) {
        let mut command = self.command("postgres");
        command
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1", "-k"])
            .arg(self.directory.path());
        self.server = Some(command.spawn().expect("postgres"));
        let deadline = Instant::now() + LIMIT;
        while PgConnection::establish(&self.url()).is_err() {
            assert!(Instant::now() < deadline, "PostgreSQL does not start: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn stop(&mut self, mode: &str) {
        let Some(mut server) = self.server.take() else { return };
        let stopped = self.run("pg_ctl", &["stop", "-w", "-m", mode]);
        if !stopped {
            let _ = server.kill();
        }
        let _ = server.wait();
    }

    fn log_file(&self) -> PathBuf {
        self.directory.path().join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.stop("immediate");
    }
}

#[tokio::test]
async fn a_postgresql_that_is_stopped_and_started_again_is_503_meanwhile_and_loses_nothing_that_was_answered() {
    if !database::is_postgres() {
        return; // The embedded database has no server.
    }
    // "immediate" is a crash: it comes back by its log of writes.
    for mode in ["immediate", "fast"] {
        let mut cluster = Cluster::start();
        let tacit = on(&cluster.url()).argument("--migrate").start_in(Home::new()).await;
        let jar = tacit.new_session("ada").await;
        assert!(works(&tacit, &jar).await);

        let told = Told::default();
        let names: Vec<String> = (0..CLIENTS).map(|client| format!("client-{client}")).collect();
        let clients = join_all(names.iter().map(|name| Witness::press_on_until_cut_off(&tacit, name, &told)));
        let stopping = async {
            let deadline = Instant::now() + LIMIT;
            while told.sum() < ENOUGH && Instant::now() < deadline {
                tokio::task::yield_now().await;
            }
            tokio::task::spawn_blocking(move || {
                cluster.stop(mode);
                cluster
            })
            .await
            .expect("a stop")
        };
        let (pressed, mut cluster) = tokio::join!(clients, stopping);
        let witnesses: Vec<Witness> = pressed.into_iter().flatten().collect();
        let answered = assert_away(&tacit, &jar).await;

        cluster.go_on();
        let healed = assert_heals(&tacit, &jar).await;
        println!("{mode}: {told:?}, the last 503 came after {answered:.1?}, healed {healed:.1?} after the return");
        assert!(told.has_all());
        assert_none_lost(&tacit, &witnesses).await;
    }
}
