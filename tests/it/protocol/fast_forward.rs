//! The database lost commits, after a failover or a restore: the row catches up with the token.

use futures_util::future::join_all;

use super::{
    PROCESSES, Replicas, Service, Untouched, counted, generation, grant, pass_window, present, reason, rotate,
    signed_in_on,
};
use crate::app::Home;

/// Tokens of the generations 0, 1 and 2, and a database that has forgotten the last two rotations.
async fn restored(processes: usize) -> (Replicas, [String; 3]) {
    let (tacit, first) = signed_in_on(processes).await;
    let second = rotate(&tacit, &first).await;
    pass_window(&tacit.home);
    let third = rotate(&tacit, &second).await;
    lose_commits(&tacit.home);
    (tacit, [first, second, third])
}

fn lose_commits(home: &Home) {
    home.database.execute("UPDATE sessions SET generation = 0, previous_branch = NULL, rotated_at = NULL, phase = 0");
}

#[tokio::test]
async fn a_token_of_a_later_generation_becomes_current_and_nothing_is_minted() {
    for processes in PROCESSES {
        let (tacit, [_, second, third]) = restored(processes).await;
        let answer = present(&tacit, &third).await;
        assert_eq!(answer.outcome(), (200, "fast-forward"));
        assert!(answer.access().is_set());
        assert_eq!(answer.refresh(), Untouched);
        assert_eq!(generation(&tacit.home), 2);
        assert!(tacit.all().iter().any(|process| process.log().contains("event=session_fast_forward")));

        assert_eq!(present(&tacit, &third).await.outcome(), (200, "access-only"));
        // A request one generation behind, of whichever branch.
        assert_eq!(present(&tacit, &second).await.outcome(), (200, "access-only"));
        pass_window(&tacit.home);
        rotate(&tacit, &third).await;
        assert_eq!(counted(&tacit, "tacit_refreshes_total{verdict=\"fast-forward\"}").await, "1");
    }
}

#[tokio::test]
async fn parallel_requests_one_generation_behind_are_no_theft() {
    for processes in PROCESSES {
        for _ in 0..5 {
            let (tacit, [_, second, third]) = restored(processes).await;
            let tokens = [&second, &third];
            let answers = join_all((0..20).map(|request| present(&tacit, tokens[request % 2]))).await;
            for answer in answers {
                assert_eq!(answer.status, 200, "{answer:?}");
                assert_eq!(answer.refresh(), Untouched);
            }
            assert_eq!((generation(&tacit.home), reason(&tacit.home)), (2, None));
            pass_window(&tacit.home);
            rotate(&tacit, &third).await;
        }
    }
}

#[tokio::test]
async fn a_client_that_keeps_its_tokens_keeps_them_over_a_fast_forward() {
    for processes in PROCESSES {
        let (tacit, [.., third]) = restored(processes).await;
        let answer = grant(&tacit, &third).await;
        assert_eq!((answer.status, answer.body["rotated"].as_bool()), (200, Some(false)));
        assert_eq!(answer.body["refresh_token"], third.as_str());
        assert_eq!(generation(&tacit.home), 2);
    }
}

#[tokio::test]
async fn a_token_two_generations_behind_is_theft_after_a_fast_forward_too() {
    for processes in PROCESSES {
        let (tacit, [first, _, third]) = restored(processes).await;
        assert_eq!(present(&tacit, &third).await.outcome(), (200, "fast-forward"));
        assert_eq!(present(&tacit, &first).await.outcome(), (401, "token_reuse"));
    }
}
