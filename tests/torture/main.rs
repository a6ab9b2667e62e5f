//! Everything at once, for as long as one likes: honest browsers and token clients, thieves, kill -9, a bad network.
//!
//! `scripts/torture [minutes]` runs it; `cargo test --test torture -- 90` for 90 seconds. Fails when anybody honest was
//! signed out, a thief went unnoticed, or anything that was answered with success is gone; and when there was none of
//! these things to look at.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::format_collect,
    reason = "a test fails by panicking, and keeps time by itself"
)]

#[path = "../it/app.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod app;
#[path = "../it/database.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod database;
#[path = "../it/jar.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod jar;
#[path = "../it/faults/proxy.rs"]
#[expect(dead_code, reason = "the harness of tests/it, of which this needs a part")]
mod proxy;

mod browser;
mod chaos;
mod tally;
mod thief;
mod token_client;
mod world;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use chaos::Chaos;
use world::World;

/// How many of each there are, all at once.
const BROWSERS: u32 = 16;
const TOKEN_CLIENTS: u32 = 8;
const THIEVES: u32 = 8;

/// Less does not show a thief who goes unnoticed: he and his victim refresh eight times, a window or more apart.
const SHORTEST: Duration = Duration::from_secs(60);

/// How often a line is printed.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// How long the last requests may take once the time is up.
const LAST_REQUESTS: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let argument = std::env::args().nth(1).map(|argument| argument.parse().expect("a number of seconds"));
    let time = argument.map_or(SHORTEST, Duration::from_secs);
    if time < SHORTEST {
        eprintln!("a round takes at least {} seconds: less does not show an unnoticed thief", SHORTEST.as_secs());
        return ExitCode::FAILURE;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(torture(time))
}

async fn torture(time: Duration) -> ExitCode {
    let mut chaos = Chaos::start().await;
    let world = chaos.world();
    let mut clients = JoinSet::new();
    for _ in 0..BROWSERS {
        clients.spawn(browser::live(Arc::clone(&world)));
    }
    for _ in 0..TOKEN_CLIENTS {
        clients.spawn(token_client::live(Arc::clone(&world)));
    }
    for _ in 0..THIEVES {
        clients.spawn(thief::live(Arc::clone(&world)));
    }
    let progress = tokio::spawn(report(Arc::clone(&world)));

    let end = Instant::now() + time;
    while Instant::now() < end {
        chaos.strike().await;
    }
    chaos.mend().await;
    world.stop();
    if tokio::time::timeout(LAST_REQUESTS, async { while clients.join_next().await.is_some() {} }).await.is_err() {
        world.tally.wrong("a client never came to its end".to_owned());
    }
    progress.abort();
    chaos.look_for_lost_writes();
    println!("{}", world.tally.table());
    let unseen = world.tally.unseen();
    if !unseen.is_empty() {
        println!("NOT SEEN, so nothing is proven about it: {}", unseen.join(", "));
    }
    if unseen.is_empty() && world.tally.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn report(world: Arc<World>) {
    let started = Instant::now();
    loop {
        tokio::time::sleep(PROGRESS_EVERY).await;
        println!("{:>5} s  {}", started.elapsed().as_secs(), world.tally.line());
    }
}
