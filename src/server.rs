//! Binding, serving, the background work of a replica, and shutting down.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use actix_web::{HttpServer, rt, web};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{AccessKeys, App};
use crate::error::Error;
use crate::routers::{Listener, Shared};
use crate::service;
use crate::services::{audit, purge, revocations};
use crate::types::random_bytes;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// How long an idle connection is kept for the next request; longer than gateways keep theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a request's headers may take to arrive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a peer may leave an answer unread before its connection is dropped.
#[cfg(target_os = "linux")]
const SEND_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the revoked sessions are read from the database.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// A poll may take this many times `database.acquire_timeout`: the wait for a connection, and a few quick reads.
const POLL_TIMEOUT_FACTOR: u32 = 2;

/// How often refusals are written into the audit trail: what `kill -9` can lose of them.
const AUDIT_EVERY: Duration = Duration::from_secs(1);

/// How often old sessions are deleted, at least; up to as much again is added at random, so that replicas take turns.
const PURGE_EVERY: Duration = Duration::from_secs(1800);

/// Opens a listening socket.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = socket2::Socket::new(socket2::Domain::for_address(address), socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    // Accepted connections inherit it. Elsewhere the system's own patience decides.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(SEND_TIMEOUT))?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets the process have as many connections as the system allows: the usual soft limit of 1024 files is for programs that
/// use `select`, and a thousand slow clients would use it up.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
    {
        log::warn!(event = "open_files_unchanged"; "the limit on open files stays: {error}");
    }
}

/// Serves until SIGTERM or SIGINT, then lets open requests end.
///
/// `migrate`: bring the schema up to date as soon as the database can be reached.
pub fn serve(app: &Arc<App>, public: TcpListener, internal: Option<TcpListener>, migrate: bool) -> Result<(), Error> {
    raise_open_files();
    let background = Background::start(app, migrate)?;
    audit::note_keys(app);
    let outcome = rt::System::new().block_on(run(Arc::clone(app), public, internal));
    background.stop();
    if let Err(error) = in_time(app, app.config.database.acquire_timeout, audit::flush) {
        log::error!(event = "audit_lost", outcome = "failure"; "refusals were not written into the audit trail: {error}");
    }
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
    // A file that may not grow (`ulimit -f`) is then an error of the statement that writes, and not the process's end.
    let _file_too_large = signal(SignalKind::from_raw(rustix::process::Signal::XFSZ.as_raw()))?;
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

/// The threads that read revocations and keys, write the audit trail and delete old sessions.
struct Background {
    stopping: Arc<AtomicBool>,
    /// Each wakes a thread that waits for its next turn.
    wake: Vec<Sender<()>>,
    /// Every thread holds a sender; once all have ended, receiving fails.
    running: Sender<()>,
    ended: Receiver<()>,
    /// How long they may take to end.
    patience: Duration,
}

impl Background {
    fn start(app: &Arc<App>, migrate: bool) -> Result<Self, Error> {
        let (running, ended) = channel();
        let patience = app.config.database.acquire_timeout;
        let mut background = Self { stopping: Arc::default(), wake: Vec::new(), running, ended, patience };
        let polling = Arc::clone(app);
        let mut turns = Turns::default();
        background.spawn("revocations", POLL_EVERY, Duration::ZERO, move || {
            let polled = if migrate && !polling.revocations.is_loaded() {
                // However long that takes: there is nothing to serve yet.
                polling.database.migrate().and_then(|_| revocations::poll(&polling))
            } else {
                let limit = polling.config.database.acquire_timeout * POLL_TIMEOUT_FACTOR;
                in_time(&polling, limit, revocations::poll)
            };
            match turns.news(polled) {
                Some(Ok(())) => {
                    log::info!(event = "revocation_poll", outcome = "success"; "revocations are read again");
                }
                Some(Err(error)) => {
                    log::error!(event = "revocation_poll", outcome = "failure"; "revocations cannot be read: {error}");
                }
                None => {}
            }
        })?;
        let reading = Arc::clone(app);
        let every = AccessKeys::POLL_EVERY;
        let wake = background.spawn("keys", every, every, move || reading.access_keys.poll())?;
        app.access_keys.wake_by(wake);
        let auditing = Arc::clone(app);
        let mut turns = Turns::default();
        background.spawn("audit", AUDIT_EVERY, AUDIT_EVERY, move || {
            let limit = auditing.config.database.acquire_timeout * POLL_TIMEOUT_FACTOR;
            match turns.news(in_time(&auditing, limit, audit::flush)) {
                Some(Ok(())) => {
                    log::info!(event = "audit_trail", outcome = "success"; "refusals are written into the audit trail again");
                }
                Some(Err(error)) => {
                    log::error!(event = "audit_trail", outcome = "failure"; "refusals wait for the audit trail: {error}");
                }
                None => {}
            }
        })?;
        let purging = Arc::clone(app);
        let stopping = Arc::clone(&background.stopping);
        let jitter = PURGE_EVERY.mul_f64(f64::from(u32::from_ne_bytes(random_bytes())) / f64::from(u32::MAX));
        background.spawn("purge", PURGE_EVERY + jitter, jitter, move || {
            let stopping = Arc::clone(&stopping);
            let clock = purging.clock.clone();
            let until = clock.instant() + PURGE_EVERY / 2;
            let pause = move |time| {
                std::thread::park_timeout(time);
                !stopping.load(Ordering::Relaxed) && clock.instant() < until
            };
            match in_time(&purging, PURGE_EVERY, move |app| purge::purge(app, pause)) {
                Ok(0) => {}
                Ok(count) => {
                    log::info!(event = "purge", outcome = "success", count = count; "old sessions were deleted");
                }
                Err(error) => {
                    log::warn!(event = "purge", outcome = "failure"; "old sessions stay for now: {error}");
                }
            }
        })?;
        Ok(background)
    }

    /// Runs `work` first after `delay` and then every `interval`, and when it is woken, until stopped.
    fn spawn(
        &mut self,
        name: &str,
        interval: Duration,
        delay: Duration,
        mut work: impl FnMut() + Send + 'static,
    ) -> Result<Sender<()>, Error> {
        let (wake, woken) = channel::<()>();
        let (running, stopping) = (self.running.clone(), Arc::clone(&self.stopping));
        spawn_thread(name, move || {
            let _running = running;
            let mut wait = delay;
            while woken.recv_timeout(wait) != Err(RecvTimeoutError::Disconnected) && !stopping.load(Ordering::Relaxed) {
                work();
                wait = interval;
            }
        })?;
        self.wake.push(wake.clone());
        Ok(wake)
    }

    /// Ends the threads; one that waits for a silent database is cut off: each statement is whole or nothing.
    fn stop(self) {
        self.stopping.store(true, Ordering::Relaxed);
        for wake in &self.wake {
            // One that ended already needs no waking.
            let _ = wake.send(());
        }
        drop(self.running);
        if self.ended.recv_timeout(self.patience) == Err(RecvTimeoutError::Timeout) {
            log::warn!(event = "background_cut_off"; "background work was cut off");
        }
    }
}

/// Work that is done every second: a line tells that it began to fail and that it works again, and none of the turns between.
#[derive(Default)]
struct Turns {
    failing: bool,
}

impl Turns {
    /// This turn's outcome, unless the last turn ended alike.
    fn news(&mut self, outcome: Result<(), Error>) -> Option<Result<(), Error>> {
        let failed_before = std::mem::replace(&mut self.failing, outcome.is_err());
        (self.failing != failed_before).then_some(outcome)
    }
}

/// Runs `work` on a thread of its own. Past `limit` the thread is left alone, and the database gets a new pool.
pub fn in_time<T: Send + 'static>(
    app: &Arc<App>,
    limit: Duration,
    work: impl FnOnce(&App) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let pool_number = app.database.pool_number();
    let (done, outcome) = channel();
    let working = Arc::clone(app);
    spawn_thread("background work", move || drop(done.send(work(&working))))?;
    match outcome.recv_timeout(limit) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            app.database.replace_pool(pool_number);
            Err(Error::Database("the database did not answer in time".to_owned()))
        }
        Err(RecvTimeoutError::Disconnected) => Err(Error::Internal("background work panicked".to_owned())),
    }
}

fn spawn_thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Error> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map(drop)
        .map_err(|error| Error::Internal(format!("no background thread: {error}")))
}
