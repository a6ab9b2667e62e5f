//! Binding, serving, the background work of a replica, and shutting down.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_web::{HttpServer, rt, web};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::App;
use crate::error::Error;
use crate::routers::{Listener, Shared};
use crate::service;
use crate::services::{purge, revocations};
use crate::types::random_bytes;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long an idle connection is kept for the next request; longer than gateways keep theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a request's headers may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the revoked sessions are read from the database.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// How often old sessions are deleted, at least; up to as much again is added at random, so that replicas take turns.
const PURGE_EVERY: Duration = Duration::from_secs(1800);

/// Opens a listening socket.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Serves until SIGTERM or SIGINT, then lets open requests end.
///
/// `migrate`: bring the schema up to date as soon as the database can be reached.
pub fn serve(app: &Arc<App>, public: TcpListener, internal: Option<TcpListener>, migrate: bool) -> Result<(), Error> {
    let background = Background::start(app, migrate)?;
    let outcome = rt::System::new().block_on(run(Arc::clone(app), public, internal));
    background.stop();
    outcome.map_err(|error| Error::Internal(format!("the server stopped: {error}")))
}

async fn run(app: Arc<App>, public: TcpListener, internal: Option<TcpListener>) -> io::Result<()> {
    let config = app.config.server.clone();
    let shared = web::Data::new(Shared::new(app));
    let mut servers = Vec::new();
    let listeners = [(Some(public), Listener::Public), (internal, Listener::Internal)];
    for (socket, listener) in listeners {
        let Some(socket) = socket else { continue };
        let shared = shared.clone();
        let server = HttpServer::new(move || service!(shared.clone(), listener))
            .workers(config.workers)
            .keep_alive(KEEP_ALIVE)
            .client_request_timeout(HEADER_TIMEOUT)
            .shutdown_timeout(config.shutdown_timeout.as_secs())
            .disable_signals()
            .listen(socket)?
            .run();
        servers.push(server);
    }
    let handles: Vec<_> = servers.iter().map(actix_web::dev::Server::handle).collect();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    rt::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        log::info!(event = "shutdown"; "stopping: open requests may still end");
        for handle in &handles {
            // Not awaited one after the other: both listeners stop at once.
            drop(rt::spawn(handle.stop(true)));
        }
    });
    for outcome in futures_util::future::join_all(servers).await {
        outcome?;
    }
    log::info!(event = "stopped"; "stopped");
    Ok(())
}

/// The threads that read revocations and delete old sessions.
struct Background {
    stop: Vec<Sender<()>>,
    threads: Vec<JoinHandle<()>>,
}

impl Background {
    fn start(app: &Arc<App>, migrate: bool) -> Result<Self, Error> {
        let mut background = Self { stop: Vec::new(), threads: Vec::new() };
        let polling = Arc::clone(app);
        let mut failing = false;
        background.spawn("revocations", POLL_EVERY, Duration::ZERO, move |_| {
            let polled = if migrate && !polling.revocations.is_loaded() {
                polling.database.migrate().and_then(|_| revocations::poll(&polling))
            } else {
                revocations::poll(&polling)
            };
            match polled {
                Ok(()) if failing => {
                    failing = false;
                    log::info!(event = "revocation_poll", outcome = "success"; "revocations are read again");
                }
                Err(error) if !failing => {
                    failing = true;
                    log::error!(event = "revocation_poll", outcome = "failure"; "revocations cannot be read: {error}");
                }
                _ => {}
            }
        })?;
        let purging = Arc::clone(app);
        let jitter = PURGE_EVERY.mul_f64(f64::from(u32::from_ne_bytes(random_bytes())) / f64::from(u32::MAX));
        background.spawn("purge", PURGE_EVERY + jitter, jitter, move |keep_going| {
            match purge::purge(&purging, keep_going) {
                Ok(0) => {}
                Ok(count) => {
                    log::info!(event = "purge", outcome = "success", count = count; "old sessions were deleted");
                }
                Err(error) => log::warn!(event = "purge", outcome = "failure"; "old sessions stay for now: {error}"),
            }
        })?;
        Ok(background)
    }

    /// Runs `work` first after `delay` and then every `interval`, until stopped; work may ask whether to keep going.
    fn spawn(
        &mut self,
        name: &str,
        interval: Duration,
        delay: Duration,
        mut work: impl FnMut(&dyn Fn() -> bool) + Send + 'static,
    ) -> Result<(), Error> {
        let (stop, stopped) = channel::<()>();
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || {
                let mut wait = delay;
                while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(wait) {
                    work(&|| matches!(stopped.try_recv(), Err(TryRecvError::Empty)));
                    wait = interval;
                }
            })
            .map_err(|error| Error::Internal(format!("no background thread: {error}")))?;
        self.stop.push(stop);
        self.threads.push(thread);
        Ok(())
    }

    fn stop(self) {
        drop(self.stop);
        for thread in self.threads {
            if thread.join().is_err() {
                log::error!(event = "background_panic"; "a background thread had panicked");
            }
        }
    }
}
