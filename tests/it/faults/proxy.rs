//! A network between Tacit and PostgreSQL that tests can break: a TCP proxy on a thread of its own.

use std::net::{Ipv4Addr, SocketAddr, TcpListener as StdListener};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

use crate::app::Home;

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// All is well.
    Open,
    /// Every piece of data is late.
    Slow(Duration),
    /// Connections are accepted and kept, and nothing is forwarded any more.
    Stalled,
    /// Connections are closed at once.
    Away,
}

#[derive(Clone)]
struct Rules {
    network: Network,
    /// Connections with a lower number carry nothing any more, whatever the network does.
    frozen_below: u64,
    /// Connections with a lower number are closed.
    cut_below: u64,
    /// A connection on which the client sends this is cut, once it was forwarded (or before).
    cut_on: Option<(Vec<u8>, Cut)>,
}

/// When a connection is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never sees the statement.
    Before,
    /// The server runs the statement, and its answer is lost.
    After,
}

/// The proxy; it is gone when this value is.
pub struct Proxy {
    address: SocketAddr,
    rules: watch::Sender<Rules>,
    opened: watch::Receiver<u64>,
    runtime: Option<Runtime>,
}

impl Proxy {
    /// A proxy in front of the server that a database lies on.
    pub fn of(home: &Home) -> Self {
        let url = url::parse(&home.database.url());
        let listener = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let address = listener.local_addr().expect("an address");
        let first = Rules { network: Network::Open, frozen_below: 0, cut_below: 0, cut_on: None };
        let (rules, followed) = watch::channel(first);
        let (count, opened) = watch::channel(0);
        // Not the test's runtime, which a blocking step of the test would stop.
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        runtime.spawn(async move {
            let listener = TcpListener::from_std(listener).expect("a listener");
            while let Ok((client, _)) = listener.accept().await {
                let number = *count.borrow();
                count.send_replace(number + 1);
                tokio::spawn(carry(client, url.server.clone(), number, followed.clone()));
            }
        });
        Self { address, rules, opened, runtime: Some(runtime) }
    }

    /// The database's URL by way of this proxy.
    pub fn url(&self, home: &Home) -> String {
        let url = url::parse(&home.database.url());
        format!("postgres://{}@{}/{}", url.user, self.address, url.database)
    }

    /// Changes the network for all connections, those that are open too. [`Network::Away`] cuts them.
    pub fn set(&self, network: Network) {
        let below = if network == Network::Away { self.next() } else { 0 };
        self.rules.send_modify(|rules| {
            rules.network = network;
            rules.cut_below = rules.cut_below.max(below);
        });
    }

    /// Closes all connections that are open; new ones work.
    pub fn cut(&self) {
        let below = self.next();
        self.rules.send_modify(|rules| rules.cut_below = below);
    }

    /// All connections that are open stay so and never carry anything again; new ones work.
    pub fn freeze(&self) {
        let below = self.next();
        self.rules.send_modify(|rules| rules.frozen_below = below);
    }

    /// Cuts the connection on which the client sends `text`.
    pub fn cut_on(&self, text: &str, cut: Cut) {
        self.rules.send_modify(|rules| rules.cut_on = Some((text.as_bytes().to_vec(), cut)));
    }

    fn next(&self) -> u64 {
        *self.opened.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Carries bytes both ways, as the rules allow, until either side or a rule ends it.
async fn carry(mut client: TcpStream, server: String, number: u64, mut rules: watch::Receiver<Rules>) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    loop {
        let now = rules.borrow_and_update().clone();
        if now.network == Network::Away || number < now.cut_below {
            return;
        }
        let open = now.network != Network::Stalled && number >= now.frozen_below;
        let delay = if let Network::Slow(delay) = now.network { delay } else { Duration::ZERO };
        tokio::select! {
            changed = rules.changed() => if changed.is_err() { return },
            read = client.read(&mut up), if open => {
                let sent = match read { Ok(count) if count > 0 => &up[..count], _ => return };
                let cut = now.cut_on.filter(|(text, _)| sent.windows(text.len()).any(|window| window == text));
                if matches!(cut, Some((_, Cut::Before))) {
                    return;
                }
                tokio::time::sleep(delay).await;
                if server.write_all(sent).await.is_err() {
                    return;
                }
                if cut.is_some() {
                    // Its answer shows that the server is done.
                    let _ = server.read(&mut down).await;
                    return;
                }
            }
            read = server.read(&mut down), if open => {
                let sent = match read { Ok(count) if count > 0 => &down[..count], _ => return };
                tokio::time::sleep(delay).await;
                if client.write_all(sent).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// Just enough of a URL.
mod url {
    pub struct Parts {
        pub user: String,
        pub server: String,
        pub database: String,
    }

    pub fn parse(url: &str) -> Parts {
        let rest = url.strip_prefix("postgres://").expect("a PostgreSQL URL");
        let (authority, database) = rest.split_once('/').expect("a database's name");
        let (user, server) = authority.rsplit_once('@').expect("a user");
        Parts { user: user.to_owned(), server: server.to_owned(), database: database.to_owned() }
    }
}
