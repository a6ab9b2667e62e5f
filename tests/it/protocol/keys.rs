//! Secrets change under load, and nobody is signed out.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tacit::services::refresh_token::RefreshToken;
use tokio::sync::RwLock;

use super::{ACCESS_SECRET, REFRESH_SECRET, garbage, pass_window, replica, visit};
use crate::app::{Home, LIMIT, Setup, Tacit, eventually, tacit_command};
use crate::jar::{ACCESS, Jar, REFRESH};

const NEW_ACCESS_SECRET: &str = "hT6rY2qN9xB4vM8kZ1wC5jL7fP3dS0gA";
const NEW_REFRESH_SECRET: &str = "Jd8Kf5sQ2zX7cV1bN4mR9tG6yH3wL0pU";

/// What one replica is started with: what signs, and what still verifies.
fn with_keys(signing: [&str; 2], previous: Option<[&str; 2]>) -> Setup {
    let [access, refresh] = signing;
    let setup = replica().set("tokens.secret", access).set("sessions.secret", refresh);
    match previous {
        None => setup,
        Some([access, refresh]) => {
            setup.set("tokens.previous_secrets", access).set("sessions.previous_secrets", refresh)
        }
    }
}

/// Two replicas behind a balancer that never asks one which is being restarted.
struct Deployment {
    home: Arc<Home>,
    replicas: [RwLock<Tacit>; 2],
}

impl Deployment {
    async fn start(setup: impl Fn() -> Setup) -> Self {
        let home = Home::new();
        let replicas = [setup().start_in(home.clone()).await, setup().start_in(home.clone()).await];
        Self { home, replicas: replicas.map(RwLock::new) }
    }

    /// Restarts one replica after the other, while the other serves.
    async fn roll(&self, setup: impl Fn() -> Setup) {
        for replica in &self.replicas {
            let mut replica = replica.write().await;
            let (setup, home) = (setup(), self.home.clone());
            // The clients go on meanwhile.
            *replica = tokio::task::spawn_blocking(|| setup.spawn_in(home)).await.expect("a replica");
            replica.wait_until_ready().await;
        }
    }

    /// One of the replicas that serve, in turn.
    async fn visit(&self, turn: usize, cookie: &str) -> super::Answer {
        let (one, other) = (&self.replicas[turn % 2], &self.replicas[(turn + 1) % 2]);
        let replica = match one.try_read() {
            Ok(replica) => replica,
            Err(_) => other.read().await,
        };
        visit(&*replica, cookie).await
    }
}

/// A browser that goes on polling with both cookies, every other time without the access cookie.
async fn poll(deployment: &Deployment, jar: &Mutex<Jar>, stop: &AtomicBool) -> usize {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) && turn < 10_000 {
        let sent = jar.lock().unwrap().clone();
        let sent = if turn % 2 == 0 { sent.without_access() } else { sent };
        let answer = deployment.visit(turn, &sent.header()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        for (name, cookie) in HashMap::from([(ACCESS, answer.access()), (REFRESH, answer.refresh())]) {
            if let super::Cookie::Set(value) = cookie {
                jar.lock().unwrap().put(name, &value);
            }
        }
        turn += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    turn
}

/// Lets the window pass, and waits until every client has rotated.
async fn everybody_rotates(home: &Home) {
    let generations = || home.database.texts("SELECT CAST(generation AS TEXT) AS value FROM sessions ORDER BY id");
    let before = generations();
    pass_window(home);
    let rotated = async || generations().iter().zip(&before).all(|(now, before)| now != before);
    assert!(eventually(rotated).await, "somebody never rotated");
}

/// Whether a jar holds tokens of the new keys.
fn has_moved_on(jar: &Mutex<Jar>) -> bool {
    let keys = garbage::keys(NEW_REFRESH_SECRET);
    RefreshToken::decode_expired(&keys, jar.lock().unwrap().refresh()).is_ok()
}

#[tokio::test]
async fn keys_rotated_under_load_sign_nobody_out() {
    const OLD: [&str; 2] = [ACCESS_SECRET, REFRESH_SECRET];
    const NEW: [&str; 2] = [NEW_ACCESS_SECRET, NEW_REFRESH_SECRET];
    let deployment = Deployment::start(|| with_keys(OLD, None)).await;
    let mut jars = Vec::new();
    for name in ["ada", "eve", "joe", "liz"] {
        jars.push(Mutex::new(deployment.replicas[0].read().await.new_session(name).await));
    }
    let stop = AtomicBool::new(false);
    let polling = futures_util::future::join_all(jars.iter().map(|jar| poll(&deployment, jar, &stop)));
    let rotating = async {
        everybody_rotates(&deployment.home).await;
        deployment.roll(|| with_keys(OLD, Some(NEW))).await;
        everybody_rotates(&deployment.home).await;
        deployment.roll(|| with_keys(NEW, Some(OLD))).await;
        everybody_rotates(&deployment.home).await;
        assert!(eventually(async || jars.iter().all(has_moved_on)).await, "somebody never moved on");
        deployment.roll(|| with_keys(NEW, None)).await;
        everybody_rotates(&deployment.home).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (polls, ()) = tokio::join!(polling, rotating);
    assert!(polls.iter().all(|polls| *polls > 10), "{polls:?}");
}

#[tokio::test]
async fn two_refresh_keys_with_one_id_refuse_to_start() {
    let id = garbage::keys(REFRESH_SECRET).signing_id();
    let twin = (0..100_000)
        .map(|number| format!("{NEW_REFRESH_SECRET}{number}"))
        .find(|secret| garbage::keys(secret).signing_id() == id)
        .expect("one of 256");
    let home = Home::new();
    let mut service = tacit_command(&home, None)
        .args(["--set", &format!("sessions.secret={REFRESH_SECRET}")])
        .args(["--set", &format!("sessions.previous_secrets={twin}")])
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the binary");
    let deadline = Instant::now() + LIMIT / 2;
    let mut ended = None;
    while ended.is_none() && Instant::now() < deadline {
        ended = service.try_wait().expect("a child");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let _ = service.kill();
    let _ = service.wait();
    assert_eq!(ended.map(|status| status.success()), Some(false), "it serves");
}
