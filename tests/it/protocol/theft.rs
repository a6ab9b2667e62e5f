//! Two hold what one should: whoever moves on first kills the other's branch, and the other's return ends the session.

use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use futures_util::future::join_all;

use super::{
    Cleared, PROCESSES, Replicas, Service, Untouched, counted, pass_window, present, reason, reasons, replica, rotate,
    signed_in, signed_in_on, signed_in_on_with, thefts_reported,
};
use crate::app::{Home, run};
use crate::database::TestDatabase;

/// Whoever holds one of these is found out, and the session stays ended.
async fn assert_all_dead(tacit: &impl Service, tokens: &[&str]) {
    for token in tokens {
        let answer = present(tacit, token).await;
        assert_eq!(answer.outcome(), (401, "token_reuse"));
        assert_eq!(answer.cookies(), (Cleared, Cleared));
    }
    assert_eq!(reason(&tacit.all()[0].home).as_deref(), Some("reuse"));
    assert_eq!(thefts_reported(tacit), 1);
}

#[tokio::test]
async fn a_token_two_generations_old_ends_the_session_at_once() {
    for processes in PROCESSES {
        for inside in [true, false] {
            let (tacit, first) = signed_in_on(processes).await;
            let second = rotate(&tacit, &first).await;
            pass_window(&tacit.home);
            let third = rotate(&tacit, &second).await;
            if !inside {
                pass_window(&tacit.home);
            }
            assert_eq!(reason(&tacit.home), None);
            assert_all_dead(&tacit, &[&first, &third, &second, &first]).await;
        }
    }
}

#[tokio::test]
async fn twenty_parallel_replays_are_one_security_event() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let third = rotate(&tacit, &second).await;
        for answer in join_all((0..20).map(|_| present(&tacit, &first))).await {
            assert_eq!(answer.outcome(), (401, "token_reuse"));
        }
        assert_all_dead(&tacit, &[&third]).await;
        assert_eq!(counted(&tacit, "tacit_refreshes_total{verdict=\"theft\"}").await, "1");
    }
}

/// A thief rotated a stolen token; the victim came back with it after the window.
async fn thief_was_first(processes: usize) -> (Replicas, String, String) {
    let (tacit, stolen) = signed_in_on(processes).await;
    let thief = rotate(&tacit, &stolen).await;
    let victim = present(&tacit, &stolen).await;
    assert_eq!(victim.outcome(), (200, "access-only"));
    assert_eq!(victim.refresh(), Untouched);
    pass_window(&tacit.home);
    let victim = present(&tacit, &stolen).await;
    assert_eq!(victim.outcome(), (200, "reissued"));
    let victim = victim.token();
    pass_window(&tacit.home);
    (tacit, thief, victim)
}

#[tokio::test]
async fn a_thief_who_rotated_first_is_found_out_when_the_victim_moves_on() {
    for processes in PROCESSES {
        let (tacit, thief, victim) = thief_was_first(processes).await;
        let next = rotate(&tacit, &victim).await;
        assert_all_dead(&tacit, &[&thief, &next, &victim]).await;
    }
}

#[tokio::test]
async fn a_thief_who_moves_on_is_found_out_when_the_victim_comes() {
    for processes in PROCESSES {
        let (tacit, thief, victim) = thief_was_first(processes).await;
        let next = rotate(&tacit, &thief).await;
        assert_all_dead(&tacit, &[&victim, &next, &thief]).await;
    }
}

#[tokio::test]
async fn a_thief_inside_the_window_gets_an_access_token_at_most() {
    for processes in PROCESSES {
        let (tacit, stolen) = signed_in_on(processes).await;
        rotate(&tacit, &stolen).await;
        let thief = present(&tacit, &stolen).await;
        assert_eq!(thief.outcome(), (200, "access-only"));
        assert_eq!(thief.refresh(), Untouched);
        let thief = super::grant(&tacit, &stolen).await;
        assert_eq!(thief.status, 200);
        let got = thief.body["refresh_token"].as_str();
        assert!(got.is_none_or(|token| token == stolen), "a new refresh token");
    }
}

#[tokio::test]
async fn a_thief_outside_the_window_is_found_out_after_the_victim_moves_on() {
    for processes in PROCESSES {
        for replays_stolen in [false, true] {
            let (tacit, stolen) = signed_in_on(processes).await;
            let victim = rotate(&tacit, &stolen).await;
            pass_window(&tacit.home);
            let thief = present(&tacit, &stolen).await;
            assert_eq!(thief.outcome(), (200, "reissued"));
            let thief = thief.token();
            pass_window(&tacit.home);
            let next = rotate(&tacit, &victim).await;
            let replayed = if replays_stolen { &stolen } else { &thief };
            assert_all_dead(&tacit, &[replayed, &next]).await;
        }
    }
}

/// When the victim polls, seen from the thief's visit.
#[derive(Clone, Copy, Debug)]
enum Polls {
    Before,
    After,
    BeforeAndAfter,
}

#[tokio::test]
async fn a_thief_who_pumps_the_predecessor_is_found_out_within_five_refreshes() {
    for processes in PROCESSES {
        for polls in [Polls::Before, Polls::After, Polls::BeforeAndAfter] {
            let (tacit, stolen) = signed_in_on(processes).await;
            let mut held = stolen.clone();
            let mut refreshes = 0;
            let mut found_out = false;
            for _ in 0..20 {
                if matches!(polls, Polls::Before | Polls::BeforeAndAfter) {
                    let victim = present(&tacit, &held).await;
                    held = victim.kept(&held);
                    refreshes += 1;
                }
                if present(&tacit, &stolen).await.status == 401 {
                    found_out = true;
                    break;
                }
                if matches!(polls, Polls::After | Polls::BeforeAndAfter) {
                    let victim = present(&tacit, &held).await;
                    held = victim.kept(&held);
                    refreshes += 1;
                }
                pass_window(&tacit.home);
            }
            assert!(
                found_out && refreshes <= 5,
                "{polls:?}: found out: {found_out}, {refreshes} refreshes of the victim"
            );
            assert_eq!(reason(&tacit.home).as_deref(), Some("reuse"));
        }
    }
}

#[tokio::test]
async fn a_predecessor_that_comes_back_after_a_confirmed_reissue_is_theft() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let second = present(&tacit, &first).await.token();
        assert_eq!(present(&tacit, &second).await.outcome(), (200, "access-only"));
        pass_window(&tacit.home);
        assert_all_dead(&tacit, &[&first, &second]).await;
    }
}

/// The replayed session of the user ends; the user's second session and another user's are as given.
async fn replay(processes: usize, on_theft: &str, second_session: (u16, &str)) {
    let setup = || replica().set("sessions.on_theft", on_theft);
    let (tacit, first) = signed_in_on_with(processes, setup).await;
    let second_device = tacit.next().log_in("ada").await.refresh().to_owned();
    let stranger = tacit.next().new_session("eve").await.refresh().to_owned();
    let second = rotate(&tacit, &first).await;
    pass_window(&tacit.home);
    rotate(&tacit, &second).await;
    assert_eq!(present(&tacit, &first).await.outcome(), (401, "token_reuse"));
    assert_eq!(present(&tacit, &second_device).await.outcome(), second_session);
    assert_eq!(present(&tacit, &stranger).await.outcome(), (200, "rotated"));
    assert_eq!(thefts_reported(&tacit), 1);
}

#[tokio::test]
async fn a_theft_ends_the_replayed_session_only() {
    for processes in PROCESSES {
        replay(processes, "session", (200, "rotated")).await;
    }
}

#[tokio::test]
async fn a_theft_ends_every_session_of_the_user_if_so_configured() {
    for processes in PROCESSES {
        replay(processes, "user", (401, "token_reuse")).await;
    }
}

#[tokio::test]
async fn a_theft_that_cannot_end_every_session_ends_none_and_is_found_again() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on_with(processes, || replica().set("sessions.on_theft", "user")).await;
        let second_device = tacit.next().log_in("ada").await.refresh().to_owned();
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        rotate(&tacit, &second).await;
        super::race::fail(&tacit.home, "NEW.revoked_reason = 'reuse' AND OLD.generation = 0");
        let answer = present(&tacit, &first).await;
        assert_eq!((answer.outcome(), answer.cookies()), ((503, "database_unavailable"), (Untouched, Untouched)));
        assert_eq!((reasons(&tacit.home), thefts_reported(&tacit)), (vec![None, None], 0));
        super::race::end(&tacit.home);
        assert_eq!(present(&tacit, &first).await.outcome(), (401, "token_reuse"));
        assert_eq!(present(&tacit, &second_device).await.outcome(), (401, "token_reuse"));
        assert_eq!(thefts_reported(&tacit), 1);
    }
}

#[tokio::test]
async fn a_theft_that_a_logout_outran_leaves_the_logouts_reason_and_the_cookies() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on(processes).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        let third = rotate(&tacit, &second).await;
        // The logout commits between the read and the write of the request that takes the replay for theft.
        super::race::outrun_by_a_logout(&tacit.home, "NEW.revoked_reason = 'reuse'");
        let answer = present(&tacit, &first).await;
        assert_eq!(answer.outcome(), (401, "session_revoked"));
        assert_eq!(answer.cookies(), (Untouched, Untouched));
        assert_eq!(present(&tacit, &third).await.outcome(), (401, "session_revoked"));
        assert_eq!(reasons(&tacit.home), [Some("logout".to_owned())]);
        assert_eq!(thefts_reported(&tacit), 0);
    }
}

#[tokio::test]
async fn a_theft_that_a_logout_outran_ends_no_other_session_either() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on_with(processes, || replica().set("sessions.on_theft", "user")).await;
        let second_device = tacit.next().log_in("ada").await.refresh().to_owned();
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        rotate(&tacit, &second).await;
        super::race::outrun_by_a_logout(&tacit.home, "NEW.revoked_reason = 'reuse' AND OLD.generation = 2");
        assert_eq!(present(&tacit, &first).await.outcome(), (401, "session_revoked"));
        super::race::end(&tacit.home);
        assert_eq!(present(&tacit, &second_device).await.outcome(), (200, "rotated"));
        assert_eq!(thefts_reported(&tacit), 0);
    }
}

/// The transaction of a sign-in that has not committed yet, on a connection of its own.
fn sign_in_under_way(home: &Home) -> Box<dyn SimpleConnection> {
    let columns = "user_id, secret_hash, created_at, authenticated_at, expires_at, idle_timeout";
    let insert = format!(
        "UPDATE users SET last_signed_in_at = last_signed_in_at; \
         INSERT INTO sessions (id, {columns}) SELECT '00000000-0000-4000-8000-000000000001', {columns} FROM sessions"
    );
    let mut connection: Box<dyn SimpleConnection> = match &home.database {
        TestDatabase::Sqlite(path) => {
            let mut file = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("the database file");
            file.batch_execute("PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE").expect("the write lock");
            Box::new(file)
        }
        TestDatabase::Postgres { .. } => {
            let mut server = PgConnection::establish(&home.database.url()).expect("the test's database");
            server.batch_execute("BEGIN").expect("a transaction");
            Box::new(server)
        }
    };
    connection.batch_execute(&insert).expect("a session");
    connection
}

#[tokio::test]
async fn a_sign_in_that_is_under_way_does_not_escape_a_theft_that_ends_every_session() {
    let setup = || replica().set("sessions.on_theft", "user").set("database.acquire_timeout", "10s");
    let (tacit, first) = signed_in_on_with(2, setup).await;
    let second = rotate(&tacit, &first).await;
    pass_window(&tacit.home);
    rotate(&tacit, &second).await;
    let mut under_way = sign_in_under_way(&tacit.home);
    let commit = async {
        // Long enough for a theft that does not wait to be over.
        tokio::time::sleep(Duration::from_millis(500)).await;
        under_way.batch_execute("COMMIT").expect("an end");
    };
    let (replayed, ()) = tokio::join!(present(&tacit, &first), commit);
    assert_eq!(replayed.outcome(), (401, "token_reuse"));
    let reuse = || Some("reuse".to_owned());
    assert_eq!(reasons(&tacit.home), [reuse(), reuse()]);
}

#[tokio::test]
async fn sign_ins_beside_a_theft_are_ended_by_it_or_begin_after_it() {
    for processes in PROCESSES {
        let (tacit, first) = signed_in_on_with(processes, || replica().set("sessions.on_theft", "user")).await;
        let second = rotate(&tacit, &first).await;
        pass_window(&tacit.home);
        rotate(&tacit, &second).await;
        let sign_ins = join_all((0..30).map(async |number| {
            tokio::time::sleep(Duration::from_millis(number)).await;
            tacit.next().log_in("ada").await
        }));
        let theft = async {
            tokio::time::sleep(Duration::from_millis(15)).await;
            present(&tacit, &first).await
        };
        let (_, replayed) = tokio::join!(sign_ins, theft);
        assert_eq!(replayed.outcome(), (401, "token_reuse"));
        let escaped = "SELECT COUNT(*) AS value FROM sessions WHERE revoked_at IS NULL AND created_at < \
                       (SELECT MAX(revoked_at) FROM sessions)";
        assert_eq!(tacit.home.database.number(escaped), 0);
        assert_eq!(thefts_reported(&tacit), 1);
    }
}

#[tokio::test]
async fn a_theft_that_races_a_logout_is_told_as_what_came_first() {
    for processes in PROCESSES {
        for _ in 0..5 {
            let (tacit, first) = signed_in_on(processes).await;
            let second = rotate(&tacit, &first).await;
            pass_window(&tacit.home);
            let third = rotate(&tacit, &second).await;
            let log_out = async {
                let cookie = super::refresh_cookie(&third);
                assert_eq!(tacit.next().post("/logout").header("cookie", cookie).send().await.unwrap().status(), 200);
            };
            let (replayed, ()) = tokio::join!(present(&tacit, &first), log_out);
            let reason = reason(&tacit.home).expect("ended");
            let reused = reason == "reuse";
            let (code, cookie) = if reused { ("token_reuse", Cleared) } else { ("session_revoked", Untouched) };
            assert_eq!(replayed.outcome(), (401, code));
            assert_eq!(replayed.cookies(), (cookie.clone(), cookie));
            assert_eq!(thefts_reported(&tacit), usize::from(reused));
        }
    }
}

#[tokio::test]
async fn an_operator_is_told_which_token_would_count_as_theft() {
    let (tacit, first) = signed_in().await;
    let explain = |token: &str| {
        let output = run(&tacit.home, &["--set", "sessions.grace=40s", "token", "explain", token], "");
        let said = String::from_utf8(output.stdout).expect("UTF-8");
        (output.status.success(), said.contains("count as theft"), said.contains("It is the predecessor"))
    };
    let second = rotate(&tacit, &first).await;
    assert_eq!(explain(&second), (true, false, false));
    assert_eq!(explain(&first), (true, false, true));
    pass_window(&tacit.home);
    let reissued = present(&tacit, &first).await.token();
    assert_eq!(present(&tacit, &reissued).await.outcome(), (200, "access-only"));
    assert_eq!(explain(&first), (true, false, true), "confirmed, and the window is open");
    pass_window(&tacit.home);
    assert_eq!(explain(&first), (false, true, false), "confirmed, and the window has passed");
    rotate(&tacit, &reissued).await;
    assert_eq!(explain(&second), (false, true, false), "of the generation before, and of another branch");
    assert_eq!(explain(&reissued), (true, false, true));
    assert_eq!(explain(&first), (false, true, false), "two generations old");
    // It was only looked at.
    assert_eq!(reason(&tacit.home), None);
    assert_eq!(present(&tacit, &second).await.outcome(), (401, "token_reuse"));
    assert_eq!(explain(&second), (false, false, false), "its session has ended");
}
