//! Several tabs of one browser, in real time.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{Dice, PROCESSES, Service, counted, present, replica, signed_in_on_with};

const POLLING: Duration = Duration::from_secs(60);

/// Polls with what the jar holds, until the time is up; tells how many answers there were.
async fn tab(tacit: &impl Service, jar: &Mutex<String>, until: Instant, seed: u64) -> usize {
    let mut dice = Dice(seed);
    let mut answers = 0;
    while Instant::now() < until {
        let sent = jar.lock().unwrap().clone();
        let answer = present(tacit, &sent).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answers += 1;
        let lost = dice.below(10) == 0;
        if !lost && answer.refresh().is_set() {
            *jar.lock().unwrap() = answer.token();
        }
        tokio::time::sleep(Duration::from_millis(50) + dice.milliseconds(250)).await;
    }
    answers
}

async fn two_tabs(processes: usize) {
    let (tacit, first) = signed_in_on_with(processes, || replica().short_windows()).await;
    let jar = Mutex::new(first);
    let until = Instant::now() + POLLING;
    let (one, other) = tokio::join!(tab(&tacit, &jar, until, 11), tab(&tacit, &jar, until, 12));
    assert!(one > 20 && other > 20, "{one} and {other} answers");
    let rotated = counted(&tacit, "tacit_refreshes_total{verdict=\"rotated\"}").await;
    assert!(rotated.parse::<u32>().unwrap() >= 2, "{rotated}");
    assert_eq!(tacit.home.database.number("SELECT COUNT(*) AS value FROM sessions"), 1);
}

#[tokio::test]
async fn two_tabs_that_poll_and_lose_a_tenth_of_all_answers_stay_signed_in() {
    join_all(PROCESSES.map(two_tabs)).await;
}
