//! Several refresh cookies in one request: which of them counts, and which never reaches the engine.

use super::{
    Cleared, PROCESSES, Untouched, pass_window, present, reasons, refresh_cookie, rotate, signed_in, signed_in_on,
    thefts_reported, visit, wide,
};
use crate::app::Tacit;

/// Both orders of two refresh cookies.
fn orders(one: &str, other: &str) -> [String; 2] {
    let (one, other) = (refresh_cookie(one), refresh_cookie(other));
    [format!("{one}; {other}"), format!("{other}; {one}")]
}

#[tokio::test]
async fn a_stale_cookie_beside_a_fresh_one_is_no_theft_in_either_order() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let third = rotate(&tacit, &second).await;
        for cookies in orders(&first, &third) {
            assert_eq!(visit(&tacit, &cookies).await.outcome(), (200, "access-only"));
        }
        pass_window(&tacit.home);
        let [cookies, _] = orders(&first, &third);
        let answer = visit(&tacit, &cookies).await;
        assert_eq!(answer.outcome(), (200, "rotated"));
        assert_eq!(present(&tacit, &answer.token()).await.outcome(), (200, "access-only"));
        assert_eq!(thefts_reported(&tacit), 0);
    }
}

#[tokio::test]
async fn garbage_beside_a_good_cookie_does_not_matter() {
    let (tacit, first) = signed_in().await;
    let mut cut = first.clone();
    cut.pop();
    for garbage in ["rubbish", &cut] {
        for cookies in orders(garbage, &first) {
            assert_eq!(visit(&tacit, &cookies).await.status, 200);
        }
    }
}

#[tokio::test]
async fn of_two_living_sessions_the_later_absolute_end_counts_and_the_other_rests() {
    let tacit = wide().start().await;
    let older = tacit.new_session("ada").await;
    // Whole seconds stand in the token.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let newer = tacit.log_in("ada").await;
    for cookies in orders(older.refresh(), newer.refresh()) {
        assert_eq!(visit(&tacit, &cookies).await.status, 200);
    }
    let by_sign_in = "SELECT CAST(generation AS TEXT) AS value FROM sessions ORDER BY created_at";
    let generations: Vec<_> = tacit.home.database.texts(by_sign_in).into_iter().flatten().collect();
    assert_eq!(generations, ["0", "1"]);
}

/// What happens to the newest session.
fn end_newest(tacit: &Tacit, statement: &str) {
    let newest = "SELECT id AS value FROM sessions ORDER BY created_at DESC LIMIT 1";
    let id = tacit.home.database.texts(newest).remove(0).expect("an id");
    assert_eq!(tacit.home.database.execute(&format!("{statement} WHERE id = '{id}'")), 1);
}

#[tokio::test]
async fn when_the_best_session_is_gone_or_has_ended_another_ones_cookie_is_tried() {
    let tacit = wide().start().await;
    let living = tacit.new_session("ada").await;
    for ended in [
        "DELETE FROM sessions",
        "UPDATE sessions SET idle_timeout = -1",
        "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'logout'",
        "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'evicted'",
        "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'superseded'",
    ] {
        let newer = tacit.log_in("ada").await;
        end_newest(&tacit, ended);
        assert_eq!(present(&tacit, newer.refresh()).await.status, 401);
        for cookies in orders(living.refresh(), newer.refresh()) {
            let answer = visit(&tacit, &cookies).await;
            assert_eq!(answer.status, 200, "{ended}: {answer:?}");
            assert_ne!(answer.refresh(), Cleared);
        }
    }
}

#[tokio::test]
async fn two_ended_sessions_are_refused_as_the_best_one_is() {
    let tacit = wide().start().await;
    let older = tacit.new_session("ada").await;
    end_newest(&tacit, "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'evicted'");
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let newer = tacit.log_in("ada").await;
    end_newest(&tacit, "UPDATE sessions SET revoked_at = created_at, revoked_reason = 'superseded'");
    for cookies in orders(older.refresh(), newer.refresh()) {
        let answer = visit(&tacit, &cookies).await;
        assert_eq!(answer.outcome(), (401, "session_superseded"));
        assert_eq!(answer.cookies(), (Untouched, Untouched));
    }
    assert_eq!(reasons(&tacit.home).len(), 2);
}
