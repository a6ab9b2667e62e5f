//! Many requests at once with one refresh token: one rotates, the others are signed in all the same.

use std::time::Duration;

use futures_util::future::join_all;

use super::{
    Answer, CLIENTS, Cookie, Dice, PROCESSES, Replicas, Service, Untouched, counted, generation, pass_window, present,
    replica, rotate, signed_in, visit, wide,
};
use crate::app::Home;

/// One rotated, all others got an access token only, and all are the user.
fn assert_one_winner(answers: &[Answer], token: &str) {
    let mut verdicts: Vec<_> = answers.iter().map(Answer::outcome).collect();
    verdicts.sort_unstable();
    let mut expected = vec![(200, "access-only"); answers.len() - 1];
    expected.push((200, "rotated"));
    assert_eq!(verdicts, expected);
    for answer in answers {
        assert_eq!(answer.body["username"], "ada");
        // A short-lived token may have less than a second left, which is as good as none.
        assert_ne!(answer.access(), Untouched);
    }
    let minted: Vec<_> = answers.iter().map(Answer::refresh).filter(Cookie::is_set).collect();
    assert_eq!(minted.len(), 1);
    assert_ne!(minted, [Cookie::Set(token.to_owned())]);
}

#[tokio::test]
async fn of_fifty_parallel_requests_one_rotates_and_all_are_signed_in() {
    let (tacit, first) = signed_in().await;
    let answers = join_all((0..CLIENTS).map(|_| present(&tacit, &first))).await;
    assert_one_winner(&answers, &first);
    assert_eq!(generation(&tacit.home), 1);
    assert_eq!(counted(&tacit, "tacit_refreshes_total{verdict=\"rotated\"}").await, "1");
    assert_eq!(counted(&tacit, "tacit_refreshes_total{verdict=\"access-only\"}").await, "49");

    let second = answers.iter().find(|answer| answer.refresh().is_set()).unwrap().token();
    pass_window(&tacit.home);
    let answers = join_all((0..CLIENTS).map(|_| present(&tacit, &second))).await;
    assert_one_winner(&answers, &second);
    assert_eq!(generation(&tacit.home), 2);
}

#[tokio::test]
async fn of_fifty_parallel_requests_to_two_replicas_one_rotates_and_all_are_signed_in() {
    let home = Home::new();
    let replicas = [replica().start_in(home.clone()).await, replica().start_in(home.clone()).await];
    let first = replicas[0].new_session("ada").await.refresh().to_owned();
    let second = rotate(&replicas[1], &first).await;
    pass_window(&home);
    let answers = join_all((0..CLIENTS).map(|client| present(&replicas[client % 2], &second))).await;
    assert_one_winner(&answers, &second);
    assert_eq!(generation(&home), 2);
    for replica in &replicas {
        assert!(!replica.log().contains("locked"), "{}", replica.log());
    }
}

#[tokio::test]
async fn replicas_that_start_at_once_on_a_new_database_all_serve() {
    for _ in 0..5 {
        let home = Home::new();
        let start = || replica().spawn_in(home.clone());
        let replicas = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..3).map(|_| scope.spawn(start)).collect();
            starting.into_iter().map(|replica| replica.join().expect("a replica")).collect::<Vec<_>>()
        });
        for replica in &replicas {
            replica.wait_until_ready().await;
        }
        let jar = replicas[0].new_session("ada").await;
        assert_eq!(visit(&replicas[2], &jar.header()).await.outcome(), (200, ""));
    }
}

#[tokio::test]
async fn an_access_token_that_really_ran_out_is_renewed_in_parallel_once() {
    let tacit = wide().set("tokens.access_ttl", "2s").start().await;
    let jar = tacit.new_session("ada").await;
    assert_eq!(visit(&tacit, &jar.header()).await.outcome(), (200, ""));
    // The test needs real time to pass: until exp + 1.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let cookies = jar.header();
    let answers = join_all((0..CLIENTS).map(|_| visit(&tacit, &cookies))).await;
    assert_one_winner(&answers, jar.refresh());
}

#[tokio::test]
async fn responses_that_arrive_in_any_order_never_lose_the_session() {
    const ROUNDS: usize = 100;
    for processes in PROCESSES {
        let tacit = Replicas::start(processes, replica).await;
        tacit.next().register("ada").await;
        let mut dice = Dice(0x5eed);
        let mut jars = Vec::new();
        for _ in 0..ROUNDS {
            let first = tacit.next().log_in("ada").await.refresh().to_owned();
            jars.push(burst(&tacit, &first, CLIENTS, &mut dice).await);
        }
        for _ in 0..2 {
            pass_window(&tacit.home);
            for held in &mut jars {
                *held = burst(&tacit, held, 4, &mut dice).await;
            }
        }
        let moved_on = "SELECT COUNT(*) AS value FROM sessions WHERE generation = 3";
        assert_eq!(tacit.home.database.number(moved_on), 100);
        for process in tacit.all() {
            assert!(!process.log().contains("locked"), "{}", process.log());
        }
    }
}

/// Requests in parallel; tells what the jar holds once it took the answers in some order.
async fn burst(tacit: &impl Service, sent: &str, requests: usize, dice: &mut Dice) -> String {
    let mut held = sent.to_owned();
    let mut answers = join_all((0..requests).map(|_| present(tacit, sent))).await;
    dice.shuffle(&mut answers);
    for answer in answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        held = answer.kept(&held);
    }
    held
}
