//! Answers that never arrive, or arrive late: the client still holds the predecessor, and is served.

use std::time::Duration;

use super::{
    PROCESSES, Untouched, generation, pass, pass_window, present, reason, replica, rotate, signed_in_on,
    signed_in_on_with,
};

#[tokio::test]
async fn a_lost_answer_is_made_up_for_at_once_and_after_the_window() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let _lost = rotate(&tacit, &first).await;

        let retried = present(&tacit, &first).await;
        assert_eq!(retried.outcome(), (200, "access-only"));
        assert!(retried.access().is_set());
        assert_eq!(retried.refresh(), Untouched);

        pass_window(&tacit.home);
        let reissued = present(&tacit, &first).await;
        assert_eq!(reissued.outcome(), (200, "reissued"));
        assert!(reissued.access().is_set());
        assert_eq!(generation(&tacit.home), 1);

        let second = reissued.token();
        assert_eq!(present(&tacit, &second).await.outcome(), (200, "access-only"));
        pass_window(&tacit.home);
        rotate(&tacit, &second).await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_made_up_for_after_a_window_that_passes_in_real_time() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on_with(processes, || replica().short_windows()).await;
        rotate(&tacit, &first).await;
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "access-only"));
        // The window of 4 seconds.
        tokio::time::sleep(Duration::from_millis(4200)).await;
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "reissued"));
    }
}

#[tokio::test]
async fn twenty_lost_answers_in_a_row_are_survived_in_one_row() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        rotate(&tacit, &first).await;
        let mut last = None;
        for _ in 0..20 {
            pass_window(&tacit.home);
            let answer = present(&tacit, &first).await;
            assert_eq!(answer.outcome(), (200, "reissued"));
            // Again at once: still the same window.
            last = Some(present(&tacit, &first).await);
            assert_eq!(last.as_ref().unwrap().outcome(), (200, "reissued"));
        }
        assert_eq!(tacit.home.database.number("SELECT COUNT(*) AS value FROM sessions"), 1);
        assert_eq!(generation(&tacit.home), 1);
        pass_window(&tacit.home);
        rotate(&tacit, &last.unwrap().token()).await;
    }
}

#[tokio::test]
async fn every_branch_of_a_reissue_works_until_one_moves_on() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let lost = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let one = present(&tacit, &first).await.token();
        let other = present(&tacit, &first).await.token();
        assert_ne!(one, other);
        for token in [&one, &other, &lost] {
            assert_eq!(present(&tacit, token).await.outcome(), (200, "access-only"));
        }
        pass_window(&tacit.home);
        let next = rotate(&tacit, &other).await;
        assert_eq!(present(&tacit, &next).await.outcome(), (200, "access-only"));
        assert_eq!(reason(&tacit.home), None);
    }
}

#[tokio::test]
async fn a_client_that_discards_every_cookie_is_served_until_the_absolute_end() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "rotated"));
        for _ in 0..30 {
            let at_once = present(&tacit, &first).await;
            assert_eq!(at_once.status, 200);
            pass_window(&tacit.home);
            assert_eq!(present(&tacit, &first).await.outcome(), (200, "reissued"));
        }
        tacit.home.database.age("sessions", "expires_at", 91 * 86_400);
        assert_eq!(present(&tacit, &first).await.outcome(), (401, "session_expired"));
    }
}

#[tokio::test]
async fn a_cookie_held_back_longer_than_the_window_does_no_harm_when_it_arrives() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let held_back = rotate(&tacit, &first).await;
        for _ in 0..3 {
            assert_eq!(present(&tacit, &first).await.outcome(), (200, "access-only"));
        }
        pass_window(&tacit.home);
        let reissued = present(&tacit, &first).await;
        assert_eq!(reissued.outcome(), (200, "reissued"));
        assert_eq!(present(&tacit, &reissued.token()).await.outcome(), (200, "access-only"));

        // Now it arrives, and takes the newer one's place in the jar.
        assert_eq!(present(&tacit, &held_back).await.outcome(), (200, "access-only"));
        // A request that was under way with the first one meanwhile.
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "access-only"));
        pass_window(&tacit.home);
        let next = rotate(&tacit, &held_back).await;
        pass_window(&tacit.home);
        rotate(&tacit, &next).await;
    }
}

#[tokio::test]
async fn after_a_confirmed_reissue_the_predecessor_gets_an_access_token_only_inside_the_window() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let second = present(&tacit, &first).await.token();
        assert_eq!(present(&tacit, &second).await.outcome(), (200, "access-only"));
        assert_eq!(tacit.home.database.number("SELECT CAST(phase AS BIGINT) AS value FROM sessions"), 2);
        let late = present(&tacit, &first).await;
        assert_eq!(late.outcome(), (200, "access-only"));
        assert_eq!(late.refresh(), Untouched);
        assert_eq!(reason(&tacit.home), None);
    }
}

#[tokio::test]
async fn a_predecessor_reissued_without_a_write_leaves_the_row_as_it_is() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        present(&tacit, &first).await.token();
        let rotated_at = "SELECT CAST(rotated_at AS TEXT) AS value FROM sessions";
        let before = tacit.home.database.texts(rotated_at);
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "reissued"));
        assert_eq!(tacit.home.database.texts(rotated_at), before);
        // Past a quarter of the window it opens anew.
        pass(&tacit.home, 11);
        assert_eq!(present(&tacit, &first).await.outcome(), (200, "reissued"));
        assert!(tacit.home.database.texts(rotated_at) > before);
    }
}
