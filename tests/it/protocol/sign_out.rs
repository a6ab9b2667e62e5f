//! Signing out and signing in anew: what ends, what stays, and what the answers of the old session may do to a jar.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::{
    Answer, Cleared, PROCESSES, Replicas, Service, Untouched, all_say, garbage, pass_window, present, reason, reasons,
    refresh_cookie, replica, rotate, signed_in_on, thefts_reported, visit,
};
use crate::app::{Home, PASSWORD, eventually};
use crate::jar::{ACCESS, Jar};

async fn log_out(tacit: &impl Service, cookies: &str) -> Answer {
    let answer = Answer::of(tacit.next().post("/logout").header("cookie", cookies).send().await.unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.cookies(), (Cleared, Cleared));
    answer
}

/// Signs in with a browser that still holds these cookies.
async fn log_in_over(tacit: &impl Service, username: &str, cookies: &str) -> Answer {
    let sent = json!({"username": username, "password": PASSWORD});
    let answer =
        Answer::of(tacit.next().post("/login").header("cookie", cookies).json(&sent).send().await.unwrap()).await;
    assert_eq!(answer.status, 200);
    answer
}

#[tokio::test]
async fn a_logged_out_token_presented_again_is_no_theft() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let third = rotate(&tacit, &second).await;
        log_out(&tacit, &refresh_cookie(&third)).await;
        for token in [&third, &second, &first] {
            let answer = present(&tacit, token).await;
            assert_eq!(answer.outcome(), (401, "session_revoked"));
            assert_eq!(answer.cookies(), (Untouched, Untouched));
        }
        assert_eq!(reason(&tacit.home).as_deref(), Some("logout"));
        assert_eq!(thefts_reported(&tacit), 0);
    }
}

#[tokio::test]
async fn a_stale_branch_signs_out_too_without_rotating_and_once_is_as_good_as_twice() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let third = rotate(&tacit, &second).await;
        for _ in 0..2 {
            let answer = log_out(&tacit, &refresh_cookie(&first)).await;
            assert_eq!(answer.header("x-auth-refresh"), None);
        }
        assert_eq!(present(&tacit, &third).await.outcome(), (401, "session_revoked"));
        assert_eq!(super::generation(&tacit.home), 2);
        assert_eq!(thefts_reported(&tacit), 0);
    }
}

#[tokio::test]
async fn a_sign_out_ends_every_session_whose_token_it_is_shown_and_no_other() {
    for processes in PROCESSES {
        let tacit = Replicas::start(processes, replica).await;
        tacit.next().register("ada").await;
        let mut jars = Vec::new();
        for _ in 0..6 {
            jars.push(tacit.next().log_in("ada").await);
        }
        let [one, two, three, four, five, stays] = <[Jar; 6]>::try_from(jars).unwrap();
        let cookies = format!(
            "{}; {}; {ACCESS}={}",
            refresh_cookie(one.refresh()),
            refresh_cookie(two.refresh()),
            three.get(ACCESS).unwrap()
        );
        let answer = tacit
            .next()
            .post("/logout")
            .header("cookie", cookies)
            .bearer_auth(four.get(ACCESS).unwrap())
            .json(&json!({"refresh_token": five.refresh()}));
        assert_eq!(answer.send().await.unwrap().status(), 200);
        for jar in [one, two, three, four, five] {
            assert_eq!(present(&tacit, jar.refresh()).await.outcome(), (401, "session_revoked"));
            all_say(&tacit, &jar.header(), (401, "session_revoked")).await;
        }
        assert_eq!(present(&tacit, stays.refresh()).await.status, 200);
    }
}

#[tokio::test]
async fn a_sign_out_takes_an_expired_token_but_not_one_with_a_wrong_secret() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let forgery = garbage::forged(&first, |token| token.secret = [7; 16]);
        log_out(&tacit, &refresh_cookie(&forgery)).await;
        log_out(&tacit, &refresh_cookie("rubbish")).await;
        assert_eq!(reason(&tacit.home), None);
        let past = tacit::types::Timestamp::from_unix_seconds(1_700_000_000);
        log_out(&tacit, &refresh_cookie(&garbage::forged(&first, |token| token.expires_at = past))).await;
        assert_eq!(reason(&tacit.home).as_deref(), Some("logout"));
    }
}

#[tokio::test]
async fn a_sign_out_reaches_the_access_tokens_on_every_replica_within_a_second_or_so() {
    let home = Home::new();
    let (one, other) = (replica().start_in(home.clone()).await, replica().start_in(home.clone()).await);
    let jar = one.new_session("ada").await;
    assert_eq!(visit(&other, &jar.header()).await.outcome(), (200, ""));
    log_out(&one, &jar.header()).await;
    assert_eq!(visit(&one, &jar.header()).await.outcome(), (401, "session_revoked"));
    let started = Instant::now();
    let access = format!("{ACCESS}={}", jar.get(ACCESS).unwrap());
    assert!(eventually(async || visit(&other, &access).await.outcome() == (401, "session_revoked")).await);
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    // One that starts later knows it from the start.
    let late = replica().start_in(home.clone()).await;
    assert_eq!(visit(&late, &access).await.outcome(), (401, "session_revoked"));
}

#[tokio::test]
async fn a_sign_in_supersedes_the_session_whose_cookie_the_browser_still_held() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        // Also with a branch that is no longer current.
        let answer = log_in_over(&tacit, "ada", &refresh_cookie(&first)).await;
        for token in [&first, &second] {
            let old = present(&tacit, token).await;
            assert_eq!(old.outcome(), (401, "session_superseded"));
            assert_eq!(old.cookies(), (Untouched, Untouched));
        }
        assert_eq!(present(&tacit, &answer.token()).await.status, 200);
        assert_eq!(reasons(&tacit.home), [Some("superseded".to_owned()), None]);
    }
}

#[tokio::test]
async fn a_sign_in_supersedes_another_users_session_in_the_same_browser() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        tacit.next().register("eve").await;
        log_in_over(&tacit, "eve", &refresh_cookie(&first)).await;
        assert_eq!(present(&tacit, &first).await.outcome(), (401, "session_superseded"));
    }
}

#[tokio::test]
async fn a_refused_sign_in_supersedes_nothing() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let sent = json!({"username": "ada", "password": "wrong horse battery staple"});
        let answer =
            tacit.next().post("/login").header("cookie", refresh_cookie(&first)).json(&sent).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        assert_eq!(Answer::of(answer).await.cookies(), (Untouched, Untouched));
        rotate(&tacit, &first).await;
    }
}

#[tokio::test]
async fn polls_of_the_old_session_during_a_sign_in_leave_the_new_one_in_the_jar() {
    for processes in PROCESSES {
        for _ in 0..5 {
            let (tacit, first) = signed_in_on(processes).await;
            let cookies = refresh_cookie(&first);
            let polls = join_all((0..20).map(|_| visit(&tacit, &cookies)));
            let (signed_in, polls) = tokio::join!(log_in_over(&tacit, "ada", &cookies), polls);
            let new = signed_in.token();
            for poll in polls {
                // Whatever arrives after the sign-in's answer must not take the new session out of the jar.
                match poll.outcome() {
                    (200, _) => {}
                    (401, "session_superseded") => assert_eq!(poll.cookies(), (Untouched, Untouched)),
                    other => panic!("{other:?}"),
                }
            }
            let late = present(&tacit, &first).await;
            assert_eq!((late.outcome(), late.cookies()), ((401, "session_superseded"), (Untouched, Untouched)));
            assert_eq!(present(&tacit, &new).await.status, 200);
        }
    }
}

#[tokio::test]
async fn ending_the_current_session_from_the_list_clears_the_cookies_and_another_one_does_not() {
    for processes in PROCESSES {
        let tacit = Replicas::start(processes, replica).await;
        let jar = tacit.next().new_session("ada").await;
        let other = tacit.next().log_in("ada").await;
        let listed = tacit.next().get_with("/sessions", &jar).await.json::<serde_json::Value>().await.unwrap();
        let id_of = |current: bool| {
            let sessions = listed["sessions"].as_array().unwrap();
            sessions.iter().find(|session| session["current"] == current).unwrap()["id"].as_str().unwrap().to_owned()
        };
        for (current, token, cookie) in [(false, other.refresh(), Untouched), (true, jar.refresh(), Cleared)] {
            let request = tacit.next().request(reqwest::Method::DELETE, &format!("/sessions/{}", id_of(current)));
            let answer = Answer::of(request.header("cookie", jar.header()).send().await.unwrap()).await;
            assert_eq!((answer.status, answer.cookies()), (200, (cookie.clone(), cookie)));
            assert_eq!(present(&tacit, token).await.outcome(), (401, "session_revoked"));
        }
    }
}

#[tokio::test]
async fn a_sign_out_whose_request_would_refresh_sets_no_new_cookies() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let request = tacit.next().post("/logout/all").header("cookie", refresh_cookie(&first));
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!((answer.status, answer.cookies()), (200, (Cleared, Cleared)));
        assert_eq!(present(&tacit, &first).await.outcome(), (401, "session_revoked"));
    }
}
