//! Clients that keep the refresh token themselves: the same engine behind /token.

use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::join_all;

use super::{
    Answer, Dice, PROCESSES, Replicas, Service, Untouched, grant, pass, pass_window, reason, refresh_cookie, replica,
    signed_in_on,
};
use crate::app::PASSWORD;

fn refresh_token(answer: &Answer) -> Option<&str> {
    answer.body["refresh_token"].as_str()
}

fn rotated(answer: &Answer) -> Option<bool> {
    answer.body["rotated"].as_bool()
}

async fn rotate(tacit: &impl Service, token: &str) -> String {
    let answer = grant(tacit, token).await;
    assert_eq!((answer.status, rotated(&answer)), (200, Some(true)), "{answer:?}");
    refresh_token(&answer).unwrap().to_owned()
}

fn assert_refused(answer: &Answer, code: &str) {
    assert_eq!(answer.status, 400);
    assert_eq!((answer.body["error"].as_str(), answer.body["code"].as_str()), (Some("invalid_grant"), Some(code)));
    assert_eq!(answer.cookies(), (Untouched, Untouched));
}

#[tokio::test]
async fn a_refresh_rotates_and_then_repeats_the_presented_token_while_the_window_is_young() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        assert_ne!(second, first);
        for token in [&first, &second] {
            let answer = grant(&tacit, token).await;
            assert_eq!((answer.status, rotated(&answer)), (200, Some(false)));
            assert_eq!(refresh_token(&answer), Some(token.as_str()));
            assert_eq!(answer.cookies(), (Untouched, Untouched));
            assert!(answer.body["access_token"].is_string());
        }
        // Past a quarter of the window: the client keeps its own.
        pass(&tacit.home, 11);
        for token in [&first, &second] {
            let answer = grant(&tacit, token).await;
            assert_eq!((answer.status, rotated(&answer)), (200, Some(false)));
            assert_eq!(answer.body.get("refresh_token"), None);
        }
    }
}

#[tokio::test]
async fn a_lost_answer_is_reissued_after_the_window() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let second = rotate(&tacit, &first).await;
        assert_eq!(rotated(&grant(&tacit, &second).await), Some(false));
        // Reissued and seen: a predecessor still under way gets another branch of what is current.
        let late = grant(&tacit, &first).await;
        assert_eq!(late.status, 200);
        let branch = refresh_token(&late).unwrap();
        assert!(branch != first && branch != second);
        let answer = grant(&tacit, branch).await;
        assert_eq!((answer.status, refresh_token(&answer)), (200, Some(branch)));
        pass_window(&tacit.home);
        rotate(&tacit, branch).await;
    }
}

#[tokio::test]
async fn an_answer_delayed_past_the_next_rotation_puts_no_dead_token_into_the_store() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let mut store = rotate(&tacit, &first).await;
        pass(&tacit.home, 36);
        // At 0.9 of the window, and read by the client only later.
        let delayed = [grant(&tacit, &store).await, grant(&tacit, &first).await];
        pass_window(&tacit.home);
        store = rotate(&tacit, &store).await;
        for answer in delayed {
            assert_eq!(answer.status, 200);
            if let Some(token) = refresh_token(&answer) {
                token.clone_into(&mut store);
            }
        }
        pass_window(&tacit.home);
        store = rotate(&tacit, &store).await;
        pass_window(&tacit.home);
        rotate(&tacit, &store).await;
        assert_eq!(reason(&tacit.home), None);
    }
}

#[tokio::test]
async fn eight_refreshes_that_overwrite_one_store_in_any_order_always_succeed() {
    for processes in PROCESSES {
        const SESSIONS: usize = 20;
        const ROUNDS: usize = 10;
        let tacit = Replicas::start(processes, replica).await;
        tacit.next().register("ada").await;
        let mut stores = Vec::new();
        for _ in 0..SESSIONS {
            let signed_in = tacit.next().token("ada").await;
            stores.push(Mutex::new(signed_in["refresh_token"].as_str().unwrap().to_owned()));
        }
        let mut dice = Dice(0xca5e);
        for _ in 0..ROUNDS {
            for store in &stores {
                let delays: Vec<_> = (0..8).map(|_| (dice.milliseconds(12), dice.milliseconds(12))).collect();
                join_all(delays.iter().map(|(before, after)| overwrite(&tacit, store, *before, *after))).await;
            }
            pass_window(&tacit.home);
        }
        assert_eq!(tacit.home.database.number("SELECT COUNT(*) AS value FROM sessions WHERE revoked_at IS NULL"), 20);
    }
}

/// Reads the store, refreshes, and writes the store, with nobody in step.
async fn overwrite(tacit: &impl Service, store: &Mutex<String>, before: Duration, after: Duration) {
    tokio::time::sleep(before).await;
    let token = store.lock().unwrap().clone();
    let answer = grant(tacit, &token).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    tokio::time::sleep(after).await;
    if let Some(token) = refresh_token(&answer) {
        token.clone_into(&mut store.lock().unwrap());
    }
}

#[tokio::test]
async fn the_token_endpoint_neither_reads_nor_sets_cookies() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        for form in [
            vec![("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)],
            vec![("grant_type", "refresh_token"), ("refresh_token", "rubbish")],
        ] {
            let request = tacit.next().post("/token").header("cookie", refresh_cookie(&first)).form(&form);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!((answer.cookies(), answer.header("x-auth-refresh")), ((Untouched, Untouched), None));
        }
        assert_eq!(super::present(&tacit, &first).await.outcome(), (200, "rotated"));
    }
}

#[tokio::test]
async fn theft_stays_theft() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let third = rotate(&tacit, &second).await;
        for token in [&first, &third, &second] {
            assert_refused(&grant(&tacit, token).await, "token_reuse");
        }
        assert_eq!(reason(&tacit.home).as_deref(), Some("reuse"));
    }
}

#[tokio::test]
async fn a_refusal_names_its_reason() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        assert_refused(&grant(&tacit, "rubbish").await, "invalid_token");
        assert_eq!(tacit.next().post("/logout").form(&[("refresh_token", &first)]).send().await.unwrap().status(), 200);
        assert_refused(&grant(&tacit, &first).await, "session_revoked");
        let idle = tacit.next().log_in("ada").await;
        tacit.home.database.age("sessions", "created_at", 15 * 86_400);
        assert_refused(&grant(&tacit, idle.refresh()).await, "session_expired");
        tacit.home.database.execute("DELETE FROM sessions");
        assert_refused(&grant(&tacit, &first).await, "session_unknown");
    }
}
