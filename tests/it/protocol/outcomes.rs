//! What an answer carries: status, code, header and cookies of every outcome.

use super::{
    Answer, Cleared, Untouched, generation, pass_window, present, race, reason, refresh_cookie, rotate, signed_in,
    visit, wide,
};
use crate::app::{Tacit, eventually};
use crate::jar::ACCESS;

/// No cache may keep it.
fn assert_private(answer: &Answer) {
    assert_eq!(answer.all("cache-control").collect::<Vec<_>>(), ["private, no-store"], "{answer:?}");
    assert!(answer.all("vary").flat_map(|value| value.split(", ")).any(|name| name.eq_ignore_ascii_case("cookie")));
}

fn assert_refused(answer: &Answer, code: &str, clears: bool) {
    assert_eq!(answer.outcome(), (401, code));
    assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Bearer")));
    assert_eq!(answer.header("x-auth-refresh"), None);
    if clears {
        assert_eq!(answer.cookies(), (Cleared, Cleared), "{code}");
        assert_private(answer);
    } else {
        assert_eq!(answer.cookies(), (Untouched, Untouched), "{code}");
    }
}

#[tokio::test]
async fn a_rotation_and_a_reissue_set_both_cookies_and_access_only_one() {
    let (tacit, first) = signed_in().await;
    let rotated = present(&tacit, &first).await;
    let access_only = present(&tacit, &first).await;
    pass_window(&tacit.home);
    let reissued = present(&tacit, &first).await;
    for (answer, verdict, sets_refresh) in
        [(rotated, "rotated", true), (access_only, "access-only", false), (reissued, "reissued", true)]
    {
        assert_eq!(answer.outcome(), (200, verdict));
        assert!(answer.access().is_set(), "{verdict}");
        assert_eq!(answer.refresh().is_set(), sets_refresh, "{verdict}");
        assert_private(&answer);
        for cookie in answer.all("set-cookie") {
            for attribute in ["; Path=/", "; Max-Age=", "; HttpOnly", "; SameSite=Lax"] {
                assert!(cookie.contains(attribute), "{cookie}");
            }
        }
    }
}

#[tokio::test]
async fn a_good_access_cookie_is_left_alone() {
    let (tacit, _) = signed_in().await;
    let jar = tacit.log_in("ada").await;
    let answer = visit(&tacit, &jar.header()).await;
    assert_eq!(answer.outcome(), (200, ""));
    assert_eq!(answer.cookies(), (Untouched, Untouched));
}

#[tokio::test]
async fn an_unusable_access_cookie_gives_way_to_the_refresh_cookie() {
    let (tacit, first) = signed_in().await;
    for access in ["rubbish", "a.b.c"] {
        let answer = visit(&tacit, &format!("{ACCESS}={access}; {}", refresh_cookie(&first))).await;
        assert_eq!(answer.status, 200);
        assert!(answer.access().is_set());
    }
}

#[tokio::test]
async fn an_access_cookie_of_an_ended_session_gives_way_to_a_refresh_cookie_of_a_living_one() {
    let (tacit, first) = signed_in().await;
    let ended = tacit.log_in("ada").await;
    let access = format!("{ACCESS}={}", ended.get(ACCESS).unwrap());
    assert_eq!(tacit.post_with("/logout", &ended).await.status(), 200);
    assert_refused(&visit(&tacit, &access).await, "session_revoked", false);
    let answer = visit(&tacit, &format!("{access}; {}", refresh_cookie(&first))).await;
    assert_eq!(answer.outcome(), (200, "rotated"));
    assert!(answer.access().is_set() && answer.refresh().is_set());
}

#[tokio::test]
async fn a_refresh_on_demand_answers_as_silent_refresh_does() {
    let (tacit, first) = signed_in().await;
    let refresh = async |token: &str| {
        Answer::of(tacit.post("/refresh").header("cookie", refresh_cookie(token)).send().await.unwrap()).await
    };
    let answer = refresh(&first).await;
    assert_eq!(answer.outcome(), (204, "rotated"));
    assert!(answer.access().is_set() && answer.refresh().is_set());
    assert_private(&answer);
    assert_eq!(refresh(&first).await.outcome(), (204, "access-only"));
    assert_refused(&refresh("rubbish").await, "invalid_token", false);
}

#[tokio::test]
async fn routes_that_are_not_for_signed_in_people_refresh_nothing() {
    let (tacit, first) = signed_in().await;
    for (method, path) in [
        ("POST", "/register"),
        ("POST", "/login"),
        ("POST", "/token"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("GET", "/docs"),
        ("GET", "/nowhere"),
        ("OPTIONS", "/protected"),
        ("PUT", "/protected"),
    ] {
        let request = tacit.request(method.parse().unwrap(), path).header("cookie", refresh_cookie(&first));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.cookies(), answer.header("x-auth-refresh")), ((Untouched, Untouched), None), "{path}");
    }
    assert_eq!(generation(&tacit.home), 0);
}

/// Every reason, the code it is told as, and whether the cookies are cleared.
const REASONS: [(&str, &str, bool); 7] = [
    ("logout", "session_revoked", false),
    ("superseded", "session_superseded", false),
    ("evicted", "session_revoked", true),
    ("password", "session_revoked", true),
    ("admin", "session_revoked", true),
    ("disabled", "user_disabled", true),
    ("reuse", "token_reuse", true),
];

#[tokio::test]
async fn every_reason_of_a_revocation_has_its_code_and_its_cookies() {
    let tacit = wide().start().await;
    tacit.register("ada").await;
    for (reason, code, clears) in REASONS {
        let jar = tacit.log_in("ada").await;
        assert_eq!(visit(&tacit, &jar.header()).await.status, 200);
        tacit.home.database.execute(&format!(
            "UPDATE sessions SET revoked_at = created_at, revoked_reason = '{reason}' WHERE revoked_at IS NULL"
        ));
        // Its access token is good for nothing any more within about a second, also without its refresh token.
        let access = format!("{ACCESS}={}", jar.get(ACCESS).unwrap());
        assert!(eventually(async || visit(&tacit, &access).await.status == 401).await, "{reason}");
        assert_refused(&visit(&tacit, &access).await, code, clears);
        assert_refused(&visit(&tacit, &jar.header()).await, code, clears);
        assert_refused(&present(&tacit, jar.refresh()).await, code, clears);
    }
}

#[tokio::test]
async fn an_idle_session_and_one_past_its_absolute_limit_have_expired() {
    for (column, seconds) in [("created_at", 15 * 86_400), ("expires_at", 91 * 86_400)] {
        let (tacit, first) = signed_in().await;
        tacit.home.database.age("sessions", column, seconds);
        assert_refused(&present(&tacit, &first).await, "session_expired", true);
        assert_eq!(reason(&tacit.home), None);
    }
    let (tacit, first) = signed_in().await;
    let second = rotate(&tacit, &first).await;
    tacit.home.database.age("sessions", "rotated_at", 14 * 86_400 + 1);
    assert_refused(&present(&tacit, &second).await, "session_expired", true);
}

#[tokio::test]
async fn a_session_of_a_disabled_user_ends_when_it_is_seen() {
    let (tacit, first) = signed_in().await;
    tacit.home.database.execute("UPDATE users SET disabled = TRUE");
    assert_refused(&present(&tacit, &first).await, "user_disabled", true);
    assert_eq!(reason(&tacit.home).as_deref(), Some("disabled"));
    tacit.home.database.execute("UPDATE users SET disabled = FALSE");
    assert_refused(&present(&tacit, &first).await, "user_disabled", true);
}

#[tokio::test]
async fn an_unknown_session_and_garbage_leave_the_cookies() {
    let (tacit, first) = signed_in().await;
    assert_refused(&present(&tacit, "rubbish").await, "invalid_token", false);
    tacit.home.database.execute("DELETE FROM sessions");
    assert_refused(&present(&tacit, &first).await, "session_unknown", false);
}

fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.outcome(), (503, "database_unavailable"));
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert_eq!(answer.cookies(), (Untouched, Untouched));
}

#[tokio::test]
async fn a_failed_database_is_503_and_touches_no_cookie() {
    let (tacit, first) = signed_in().await;
    tacit.home.database.execute("ALTER TABLE sessions RENAME TO sessions_away");
    assert_unavailable(&present(&tacit, &first).await);
    let granted = super::grant(&tacit, &first).await;
    assert_eq!((granted.status, granted.body["error"].as_str()), (503, Some("temporarily_unavailable")));
    tacit.home.database.execute("ALTER TABLE sessions_away RENAME TO sessions");
    rotate(&tacit, &first).await;
}

async fn two_generations() -> (Tacit, [String; 3]) {
    let (tacit, first) = signed_in().await;
    let second = rotate(&tacit, &first).await;
    pass_window(&tacit.home);
    let third = rotate(&tacit, &second).await;
    pass_window(&tacit.home);
    (tacit, [first, second, third])
}

#[tokio::test]
async fn a_swap_that_never_succeeds_gives_the_current_token_and_its_predecessor_an_access_token() {
    let (tacit, [_, predecessor, current]) = two_generations().await;
    race::outrun_always(&tacit.home);
    for token in [&current, &predecessor] {
        let answer = present(&tacit, token).await;
        assert_eq!(answer.outcome(), (200, "access-only"));
        assert!(answer.access().is_set());
        assert_eq!(answer.refresh(), Untouched);
    }
    race::end(&tacit.home);
    assert_eq!(generation(&tacit.home), 2);
    rotate(&tacit, &current).await;
}

#[tokio::test]
async fn a_swap_that_never_succeeds_is_503_for_any_other_token() {
    let (tacit, [oldest, _, current]) = two_generations().await;
    race::outrun_always(&tacit.home);
    assert_unavailable(&present(&tacit, &oldest).await);
    race::end(&tacit.home);

    // The row fell behind the token.
    tacit.home.database.execute("UPDATE sessions SET generation = 1");
    race::outrun_always(&tacit.home);
    assert_unavailable(&present(&tacit, &current).await);
    assert_eq!(reason(&tacit.home), None);
}
