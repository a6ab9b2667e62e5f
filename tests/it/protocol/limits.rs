//! What changes under a living session: its user's role and password, and how many sessions there may be.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    Answer, Cleared, Cookie, PROCESSES, Replicas, Service, Untouched, all_say, counted, grant, pass_window, present,
    reasons, refresh_cookie, replica, rotate, signed_in_on, visit,
};
use crate::app::{PASSWORD, eventually, run};
use crate::jar::{ACCESS, REFRESH};

const NEW_PASSWORD: &str = "another horse battery staple";

async fn change_password(tacit: &impl Service, cookies: &str) -> Answer {
    let sent = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    Answer::of(tacit.next().post("/me/password").header("cookie", cookies).json(&sent).send().await.unwrap()).await
}

#[tokio::test]
async fn a_changed_password_ends_every_other_session_and_gives_the_acting_client_a_new_one() {
    for processes in PROCESSES {
        for by_access_cookie in [true, false] {
            let tacit = Replicas::start(processes, replica).await;
            let acting = tacit.next().new_session("ada").await;
            let other = tacit.next().log_in("ada").await;
            let stranger = tacit.next().new_session("eve").await;
            let sent = if by_access_cookie { acting.header() } else { acting.without_access().header() };

            let answer = change_password(&tacit, &sent).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert!(answer.access().is_set());
            assert_eq!(present(&tacit, &answer.token()).await.status, 200);

            let old = present(&tacit, acting.refresh()).await;
            assert_eq!((old.outcome(), old.cookies()), ((401, "session_superseded"), (Untouched, Untouched)));
            all_say(&tacit, &other.header(), (401, "session_revoked")).await;
            for cookies in [other.header(), refresh_cookie(other.refresh())] {
                let ended = visit(&tacit, &cookies).await;
                assert_eq!((ended.outcome(), ended.cookies()), ((401, "session_revoked"), (Cleared, Cleared)));
            }
            assert_eq!(present(&tacit, stranger.refresh()).await.status, 200);
            let told: Vec<_> = reasons(&tacit.home).into_iter().flatten().collect();
            assert_eq!(told, ["superseded", "password"]);
        }
    }
}

#[tokio::test]
async fn a_changed_password_gives_a_bearer_caller_the_tokens_of_a_new_session() {
    for processes in PROCESSES {
        let tacit = Replicas::start(processes, replica).await;
        tacit.next().register("ada").await;
        let signed_in = tacit.next().token("ada").await;
        let token = |body: &serde_json::Value, name: &str| body[name].as_str().expect("a token").to_owned();
        let sent = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
        let request = tacit.next().post("/me/password").bearer_auth(token(&signed_in, "access_token")).json(&sent);
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.cookies()), (200, (Untouched, Untouched)));
        assert_eq!(grant(&tacit, &token(&answer.body, "refresh_token")).await.status, 200);
        let old = grant(&tacit, &token(&signed_in, "refresh_token")).await;
        assert_eq!((old.status, old.body["code"].as_str()), (400, Some("session_superseded")));
    }
}

#[tokio::test]
async fn an_operators_new_password_disabling_or_deleting_ends_the_sessions_within_a_second_or_so() {
    for processes in PROCESSES {
        for (command, code) in
            [("set-password", "session_revoked"), ("disable", "user_disabled"), ("delete", "user_disabled")]
        {
            let tacit = Replicas::start(processes, replica).await;
            let jar = tacit.next().new_session("ada").await;
            let done = run(&tacit.home, &["user", command, "ada"], NEW_PASSWORD);
            assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
            // The access token alone, which no query checks.
            let access = format!("{ACCESS}={}", jar.get(ACCESS).unwrap());
            for process in tacit.all() {
                assert!(eventually(async || visit(process, &access).await.status == 401).await);
            }
            let answer = visit(&tacit, &jar.header()).await;
            assert_eq!((answer.outcome(), answer.cookies()), ((401, code), (Cleared, Cleared)));
        }
    }
}

#[tokio::test]
async fn a_changed_role_is_in_the_next_token_within_a_second_or_so() {
    for processes in PROCESSES {
        let tacit = Replicas::start(processes, replica).await;
        let jar = tacit.next().new_session("ada").await;
        assert_eq!(visit(&tacit, &jar.header()).await.body["role"], "user");
        let done = run(&tacit.home, &["user", "set-role", "ada", "editor"], "");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let started = Instant::now();
        for process in tacit.all() {
            let knows = async || visit(process, &jar.header()).await.body["role"] == "editor";
            assert!(eventually(knows).await);
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        // The old token is stale: the refresh cookie decided, and without one it counts as expired.
        assert_eq!(counted(&tacit, "tacit_refreshes_total{verdict=\"rotated\"}").await, "1");
        for process in tacit.all() {
            let stale = visit(process, &format!("{ACCESS}={}", jar.get(ACCESS).unwrap())).await;
            assert_eq!((stale.outcome(), stale.cookies()), ((401, "token_expired"), (Untouched, Untouched)));
        }
    }
}

#[tokio::test]
async fn one_sign_in_too_many_evicts_the_oldest_session() {
    for processes in PROCESSES {
        let tacit = Replicas::start(processes, || replica().set("sessions.max_per_user", "2")).await;
        let oldest = tacit.next().new_session("ada").await;
        let second = tacit.next().log_in("ada").await;
        let third = tacit.next().log_in("ada").await;
        all_say(&tacit, &oldest.header(), (401, "session_revoked")).await;
        for cookies in [oldest.header(), refresh_cookie(oldest.refresh())] {
            let answer = visit(&tacit, &cookies).await;
            assert_eq!((answer.outcome(), answer.cookies()), ((401, "session_revoked"), (Cleared, Cleared)));
        }
        for jar in [second, third] {
            assert_eq!(present(&tacit, jar.refresh()).await.status, 200);
        }
        assert_eq!(reasons(&tacit.home), [Some("evicted".to_owned()), None, None]);
    }
}

#[tokio::test]
async fn one_sign_in_too_many_is_refused_if_so_configured() {
    for processes in PROCESSES {
        let limited = || replica().set("sessions.max_per_user", "1").set("sessions.on_limit", "deny");
        let tacit = Replicas::start(processes, limited).await;
        let only = tacit.next().new_session("ada").await;
        let sent = json!({"username": "ada", "password": PASSWORD});
        let answer = Answer::of(tacit.next().post("/login").json(&sent).send().await.unwrap()).await;
        assert_eq!((answer.outcome(), answer.cookies()), ((403, "session_limit"), (Untouched, Untouched)));
        let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
        let answer = Answer::of(tacit.next().post("/token").form(&form).send().await.unwrap()).await;
        assert_eq!((answer.status, answer.body["error"].as_str()), (400, Some("invalid_grant")));
        assert_eq!(present(&tacit, only.refresh()).await.status, 200);
    }
}

#[tokio::test]
async fn a_sign_in_that_takes_the_place_of_its_own_session_is_none_too_many() {
    for processes in PROCESSES {
        for on_limit in ["evict", "deny"] {
            let limited = || replica().set("sessions.max_per_user", "2").set("sessions.on_limit", on_limit);
            let tacit = Replicas::start(processes, limited).await;
            let other_device = tacit.next().new_session("ada").await;
            let replaced = tacit.next().log_in("ada").await;
            let sent = json!({"username": "ada", "password": PASSWORD});
            let request = tacit.next().post("/login").header("cookie", refresh_cookie(replaced.refresh())).json(&sent);
            let answer = Answer::of(request.send().await.unwrap()).await;
            assert_eq!(answer.status, 200, "{on_limit}");
            assert!(matches!(answer.refresh(), Cookie::Set(_)));
            assert_eq!(present(&tacit, replaced.refresh()).await.outcome(), (401, "session_superseded"), "{on_limit}");
            assert_eq!(present(&tacit, other_device.refresh()).await.status, 200, "{on_limit}");
        }
    }
}

#[tokio::test]
async fn with_one_session_a_user_the_replaced_one_is_superseded_and_not_evicted() {
    for processes in PROCESSES {
        // An evicted session's late answers would clear the cookies of the new one.
        let tacit = Replicas::start(processes, || replica().set("sessions.max_per_user", "1")).await;
        let replaced = tacit.next().new_session("ada").await;
        let sent = json!({"username": "ada", "password": PASSWORD});
        let request = tacit.next().post("/login").header("cookie", replaced.header()).json(&sent);
        assert_eq!(request.send().await.unwrap().status(), 200);
        all_say(&tacit, &replaced.header(), (401, "session_superseded")).await;
        let late = visit(&tacit, &replaced.header()).await;
        assert_eq!((late.outcome(), late.cookies()), ((401, "session_superseded"), (Untouched, Untouched)));
    }
}

/// How long the refresh cookie is kept, in seconds.
fn max_age(answer: &Answer) -> i64 {
    let cookie = answer.all("set-cookie").find(|cookie| cookie.starts_with(REFRESH)).expect("a refresh cookie");
    let behind = cookie.split("Max-Age=").nth(1).expect("a Max-Age");
    behind.split(';').next().unwrap_or(behind).parse().expect("a number")
}

#[tokio::test]
async fn a_refresh_extends_the_idle_limit_and_never_the_absolute_one() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let day = 86_400;
        tacit.home.database.age("sessions", "created_at", 13 * day);
        tacit.home.database.age("sessions", "expires_at", 13 * day);
        let second = rotate(&tacit, &first).await;
        tacit.home.database.age("sessions", "created_at", 13 * day);
        tacit.home.database.age("sessions", "rotated_at", 13 * day);
        let answer = present(&tacit, &second).await;
        assert_eq!(answer.outcome(), (200, "rotated"));
        let kept = max_age(&answer);
        assert!((14 * day - 60..=14 * day).contains(&kept), "{kept}");
        // Close to the absolute limit the cookie does not outlive it.
        tacit.home.database.age("sessions", "expires_at", 76 * day);
        pass_window(&tacit.home);
        let answer = present(&tacit, &answer.token()).await;
        let kept = max_age(&answer);
        assert!((day - 60..=day).contains(&kept), "{kept}");
    }
}
