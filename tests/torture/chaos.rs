//! The faults: processes killed and restarted, and on PostgreSQL a network that breaks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::app::{Home, Setup, Tacit};
use crate::database;
use crate::proxy::{Network, Proxy};
use crate::tally::KILL;
use crate::world::{GRACE, World, below, pause};

/// Processes on one database.
const REPLICAS: usize = 2;

/// Breaks things, one at a time.
pub struct Chaos {
    home: Arc<Home>,
    /// There is no network to the embedded database.
    proxy: Option<Proxy>,
    replicas: Vec<Tacit>,
    world: Arc<World>,
}

impl Chaos {
    pub async fn start() -> Self {
        let home = Home::new();
        let proxy = database::is_postgres().then(|| Proxy::of(&home));
        let mut replicas = Vec::new();
        for _ in 0..REPLICAS {
            replicas.push(setup(&home, proxy.as_ref()).start_in(Arc::clone(&home)).await);
        }
        let world = Arc::new(World::new(replicas.iter().map(|tacit| tacit.url.clone()).collect()));
        Self { home, proxy, replicas, world }
    }

    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// One fault, after a while.
    pub async fn strike(&mut self) {
        pause(800).await;
        let replica = usize::try_from(below(2)).expect("0 or 1");
        match (below(10), &self.proxy) {
            (0, Some(proxy)) => {
                self.world.tally.fault("connections cut");
                proxy.cut();
            }
            (1, Some(proxy)) => {
                self.world.tally.fault("database away");
                proxy.set(Network::Away);
                pause(2000).await;
                proxy.set(Network::Open);
            }
            (2, Some(proxy)) => {
                self.world.tally.fault("database slow");
                proxy.set(Network::Slow(Duration::from_millis(below(60))));
                pause(3000).await;
                proxy.set(Network::Open);
            }
            (3, Some(proxy)) => {
                // What waits in them never arrives: a statement that came so late would be beyond the protocol.
                self.world.tally.fault("connections silent for ever");
                proxy.freeze();
            }
            (4, _) => {
                self.world.tally.fault("SIGTERM");
                self.replicas[replica].terminate();
                self.replicas[replica].wait();
                self.restart(replica).await;
            }
            _ => {
                self.world.tally.fault(KILL);
                self.replicas[replica].kill();
                self.restart(replica).await;
            }
        }
    }

    /// At another port, while the network may be bad.
    async fn restart(&mut self, replica: usize) {
        pause(200).await;
        let (setup, home) = (setup(&self.home, self.proxy.as_ref()), Arc::clone(&self.home));
        let started = tokio::task::spawn_blocking(move || setup.spawn_in(home)).await.expect("a start");
        self.world.moved(replica, &started.url);
        self.replicas[replica] = started;
    }

    /// Ends every fault, and waits until all replicas work.
    pub async fn mend(&mut self) {
        if let Some(proxy) = &self.proxy {
            proxy.set(Network::Open);
        }
        for tacit in &self.replicas {
            tacit.wait_until_ready().await;
        }
    }

    /// Compares what was answered with success with what the database holds.
    pub fn look_for_lost_writes(&self) {
        let (registered, ended) = self.world.tally.promised();
        let column = |sql| self.home.database.texts(sql).into_iter().flatten().collect::<BTreeSet<String>>();
        let users = column("SELECT username AS value FROM users");
        let revoked = column("SELECT id AS value FROM sessions WHERE revoked_at IS NOT NULL");
        for username in registered.difference(&users) {
            self.world.tally.lost(format!("the user {username}"));
        }
        for session in ended.difference(&revoked) {
            self.world.tally.lost(format!("the sign-out of {session}"));
        }
        // A rotation that is lost costs nobody a session, but the service says so.
        for line in self.logged().lines().filter(|line| line.contains("session_fast_forward")) {
            self.world.tally.lost(format!("a rotation: {line}"));
        }
    }

    /// What all processes have logged, those that were killed too.
    fn logged(&self) -> String {
        let files = std::fs::read_dir(self.home.directory.path()).expect("a folder").flatten().map(|file| file.path());
        let logs = files.filter(|file| file.extension().is_some_and(|extension| extension == "log"));
        logs.map(|file| std::fs::read_to_string(file).expect("a log")).collect()
    }
}

fn setup(home: &Home, proxy: Option<&Proxy>) -> Setup {
    let setup = Setup::default()
        .set("tokens.access_ttl", "4s")
        .set("sessions.grace", &format!("{}s", GRACE.as_secs()))
        .set("sessions.emit_deadline", "750ms")
        .set("database.acquire_timeout", "300ms")
        .set("server.shutdown_timeout", "2s");
    match proxy {
        Some(proxy) => setup.set("database.url", &proxy.url(home)),
        None => setup,
    }
}
