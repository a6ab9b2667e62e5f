//! Too much of everything: the service stays up, goes on answering others, keeps its memory, and is well again in seconds.
//!
//! Bounds on time stand at ten times what is asked for, against hanging only; `scripts/bench floods` has the exact values.

mod connections;
mod sessions;
mod sign_ins;
mod sizes;
mod tokens;

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;

use crate::app::{Tacit, eventually};
use crate::raw;

/// /healthz is asked for within 100 ms.
const HEALTH_LIMIT: Duration = Duration::from_secs(1);

/// A thousand connections need as many files on this side too.
fn raise_open_files() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("a higher limit on open files");
    assert!(limit.maximum.is_none_or(|most| most >= 4096), "these tests need `ulimit -Hn 4096`, and it is {limit:?}");
}

/// So many connections to a service.
async fn connect(tacit: &Tacit, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    for _ in 0..count {
        streams.push(raw::connect(tacit).await);
    }
    streams
}

/// How long /healthz takes, from a connection of its own.
async fn health(tacit: &Tacit) -> Duration {
    let started = Instant::now();
    let answer = crate::app::client().get(format!("{}/healthz", tacit.url)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    started.elapsed()
}

/// Of several times, the one that nine of ten stay below.
fn most(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() * 9 / 10]
}

/// A value of the process's status, in kilobytes: `VmRSS` is its memory, `VmHWM` the most that it ever was.
fn kilobytes(tacit: &Tacit, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", tacit.pid())).expect("a running process");
    let line = status.lines().find(|line| line.starts_with(name)).expect(name);
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

/// Files that the process has open, connections among them.
fn open_files(tacit: &Tacit) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", tacit.pid())).expect("a running process").count()
}

/// The service is as it was: quick, without the connections, and nobody panicked.
async fn assert_well_again(tacit: &Tacit, files: usize) {
    assert!(eventually(async || open_files(tacit) <= files + 40).await, "{} files, before {files}", open_files(tacit));
    let mut times = Vec::new();
    for _ in 0..20 {
        times.push(health(tacit).await);
    }
    assert!(most(times.clone()) < HEALTH_LIMIT, "{times:?}");
    assert!(tacit.metric("tacit_panics_total").await < 1.0);
}
