//! A thief with a copy of a jar, and his victim: each goes on as if alone.

use std::sync::Arc;
use std::time::Duration;

use crate::jar::Jar;
use crate::world::{GRACE, World, below, code, pause};

/// Refreshes that both get before a theft counts as unnoticed.
const PATIENCE: u32 = 8;

/// Tries of either, answered or not.
const ATTEMPTS: u32 = 200;

/// One victim after the other.
pub async fn live(world: Arc<World>) {
    while world.goes_on() {
        let Some(mut victim) = world.new_session().await else { continue };
        for _ in 0..below(3) {
            step(&world, &mut victim).await;
            pause(5000).await;
        }
        let mut thief = victim.clone();
        let (one, other) = tokio::join!(go_on(&world, &mut victim), go_on(&world, &mut thief));
        if one == End::Noticed || other == End::Noticed {
            world.tally.thief(true);
        } else if one == End::Unnoticed && other == End::Unnoticed {
            world.tally.thief(false);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The session ended.
    Noticed,
    /// So many refreshes, and nobody noticed.
    Unnoticed,
    /// The time was up.
    Open,
}

/// What a refresh got.
enum Step {
    Refreshed,
    Refused,
    /// The service could not be asked.
    Nothing,
}

async fn step(world: &World, jar: &mut Jar) -> Step {
    let Some(answer) = world.refresh(jar).await else { return Step::Nothing };
    if answer.status() == 200 {
        jar.apply(&answer);
        return Step::Refreshed;
    }
    let status = answer.status();
    let code = code(answer).await;
    if code != "token_reuse" {
        world.tally.wrong(format!("a stolen session was answered with {status} {code}"));
    }
    Step::Refused
}

/// Refreshes once a window or later, as the access token runs out.
async fn go_on(world: &World, jar: &mut Jar) -> End {
    let mut refreshed = 0;
    for _ in 0..ATTEMPTS {
        if !world.goes_on() {
            return End::Open;
        }
        match step(world, jar).await {
            Step::Refused => return End::Noticed,
            Step::Refreshed if refreshed + 1 == PATIENCE => return End::Unnoticed,
            Step::Refreshed => refreshed += 1,
            Step::Nothing => {}
        }
        tokio::time::sleep(GRACE + Duration::from_millis(50 + below(1500))).await;
    }
    End::Open
}
