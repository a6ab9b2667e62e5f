//! Many password checks of one account at the same moment: who knows the password waits and gets in.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{guess, log_in, patient, setup, use_up};
use crate::app::{Home, PASSWORD, Tacit, eventually};
use crate::raw;

async fn statuses(tacit: &Tacit, count: usize) -> Vec<StatusCode> {
    join_all((0..count).map(async |_| log_in(tacit, "ada", PASSWORD).await.status())).await
}

fn failures(tacit: &Tacit) -> i64 {
    tacit
        .home
        .database
        .number("SELECT CAST(COALESCE(SUM(failures), 0) AS BIGINT) AS value FROM throttles WHERE kind = 'account'")
}

#[tokio::test]
async fn forty_sign_ins_at_once_with_the_right_password_all_get_in_and_leave_no_unit_taken() {
    // At cost 4 a hash is over before the next attempt asks.
    let tacit = setup().set("passwords.bcrypt_cost", "7").set("passwords.hash_workers", "4").start().await;
    tacit.register("ada").await;
    let seen = statuses(&tacit, 40).await;
    assert!(seen.iter().all(|status| *status == 200), "{seen:?}");
    assert_eq!(tacit.metric("tacit_sign_ins_total{route=\"/login\"}").await, 40.0);
    assert_eq!(failures(&tacit), 0);
    assert!(!tacit.log().contains("throttled"));
}

#[tokio::test]
async fn with_one_failure_left_right_passwords_still_get_in_all_at_once() {
    let tacit = setup().set("passwords.bcrypt_cost", "7").set("passwords.hash_workers", "4").start().await;
    tacit.register("ada").await;
    for _ in 0..9 {
        assert_eq!(guess(&tacit, "ada").await, 401);
    }
    let seen = statuses(&tacit, 20).await;
    assert!(seen.iter().all(|status| *status == 200), "{seen:?}");
    assert_eq!((failures(&tacit), guess(&tacit, "ada").await, guess(&tacit, "ada").await), (9, 401, 429));
}

#[tokio::test]
async fn no_way_of_checking_a_password_is_throttled_by_the_others() {
    let tacit = setup().set("passwords.bcrypt_cost", "7").set("passwords.hash_workers", "4").start().await;
    tacit.register("ada").await;
    let bearer = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    let send = async |way: usize| {
        let form = [("username", "ada"), ("password", PASSWORD)];
        let confirmed = json!({"current_password": PASSWORD, "username": "ada"});
        let request = match way % 4 {
            0 => tacit.post("/login").json(&json!({"username": "ADA", "password": PASSWORD})),
            1 => tacit.post("/token").form(&form),
            2 => tacit.post("/login").form(&form).header("accept", "text/html"),
            _ => tacit.request(Method::PATCH, "/me").bearer_auth(&bearer).json(&confirmed),
        };
        request.send().await.unwrap().status().as_u16()
    };
    let seen = join_all((0..40).map(send)).await;
    // The pages' form is answered with 303. A rename raises the user's version: to the next its account has changed (409),
    // or its caller's token is stale (401).
    let (renames, sign_ins): (Vec<_>, Vec<_>) = seen.iter().enumerate().partition(|(way, _)| way % 4 == 3);
    assert!(sign_ins.iter().all(|(way, status)| **status == if way % 4 == 2 { 303 } else { 200 }), "{seen:?}");
    assert!(renames.iter().all(|(_, status)| [200, 401, 409].contains(status)), "{seen:?}");
    assert_eq!(failures(&tacit), 0);
}

#[tokio::test]
async fn of_a_hundred_guesses_at_once_at_two_replicas_ten_are_checked() {
    let home = Home::new();
    let first = patient().start_in(home.clone()).await;
    let second = patient().start_in(home).await;
    first.register("ada").await;
    let seen = join_all((0..100).map(|number| guess(if number % 2 == 0 { &first } else { &second }, "ada"))).await;
    let count = |wanted: u16| seen.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 90), "{seen:?}");
    assert_eq!(log_in(&first, "ada", PASSWORD).await.status(), 429);
}

#[tokio::test]
async fn who_waits_too_long_gets_503_and_nobody_waits_for_a_blocked_account() {
    let tacit = setup().set("passwords.bcrypt_cost", "12").set("passwords.hash_workers", "1").start().await;
    tacit.register("ada").await;
    let seen = statuses(&tacit, 160).await;
    let count = |wanted: u16| seen.iter().filter(|status| status.as_u16() == wanted).count();
    assert!(count(200) > 0 && count(503) > 0 && count(200) + count(503) == 160, "{seen:?}");
    assert!(eventually(async || failures(&tacit) == 0).await);
    use_up(&tacit, "ada").await;
    assert!(statuses(&tacit, 20).await.iter().all(|status| *status == 429));
}

#[tokio::test]
async fn sixty_people_behind_one_address_who_sign_in_at_once_all_get_in() {
    let tacit = setup().set("passwords.bcrypt_cost", "7").set("passwords.hash_workers", "4").start().await;
    let names: Vec<String> = (0..60).map(|number| format!("person{number}")).collect();
    for name in &names {
        tacit.register(name).await;
    }
    let seen = join_all(names.iter().map(async |name| log_in(&tacit, name, PASSWORD).await.status())).await;
    assert!(seen.iter().all(|status| *status == 200), "{seen:?}");
    let left = "SELECT CAST(COALESCE(SUM(failures), 0) AS BIGINT) AS value FROM throttles";
    assert_eq!(tacit.home.database.number(left), 0);
    assert!(!tacit.log().contains("throttled"));
}

/// One sign-in with the right password, over a connection of its own.
async fn send_and_keep(tacit: &Tacit) -> TcpStream {
    let mut stream = raw::connect(tacit).await;
    let body = json!({"username": "ada", "password": PASSWORD}).to_string();
    let kind = "Content-Type: application/json";
    let sent = format!("POST /login HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(sent.as_bytes()).await.unwrap();
    stream
}

async fn waiting(tacit: &Tacit) -> f64 {
    tacit.metric("tacit_sign_ins_waiting").await
}

#[tokio::test]
async fn clients_that_reset_their_connections_while_they_wait_take_no_unit_and_no_place() {
    let slow = setup().set("passwords.bcrypt_cost", "10").set("passwords.hash_workers", "1");
    let tacit = slow.set("throttle.account_failures", "100").start().await;
    tacit.register("ada").await;
    // Two at most go ahead at once; they stay, and so have their units back in the end.
    let mut patient = Vec::new();
    for _ in 0..3 {
        patient.push(send_and_keep(&tacit).await);
    }
    let mut impatient = Vec::new();
    for _ in 0..400 {
        impatient.push(send_and_keep(&tacit).await);
    }
    assert!(eventually(async || waiting(&tacit).await > 200.0).await, "{}", waiting(&tacit).await);
    for stream in impatient {
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
    assert!(eventually(async || waiting(&tacit).await == 0.0).await, "{}", waiting(&tacit).await);
    for mut stream in patient {
        assert_eq!(raw::receive_head(&mut stream).await.status, 200);
    }
    assert!(eventually(async || log_in(&tacit, "ada", PASSWORD).await.status() == 200).await);
    assert!(failures(&tacit) <= 40, "{} of 400: only who had a turn", failures(&tacit));
}

#[tokio::test]
async fn a_client_that_closes_its_side_is_answered_and_gets_its_unit_back() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    for _ in 0..12 {
        let mut stream = send_and_keep(&tacit).await;
        stream.shutdown().await.unwrap();
        assert_eq!(raw::receive_head(&mut stream).await.status, 200);
    }
    assert_eq!((failures(&tacit), tacit.metric("tacit_sign_ins_total{route=\"/login\"}").await), (0, 12.0));
}
