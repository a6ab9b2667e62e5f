//! The throttle against guessing: whatever is tried, few passwords are checked, and nobody is locked out for ever.

mod address;
mod burst;
mod device;
mod operator;

use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::json;

use crate::app::{Home, PASSWORD, Setup, Tacit};
use crate::problems;

/// What the harness switches off for all other tests.
fn setup() -> Setup {
    Setup::default().set("throttle.enabled", "true")
}

/// The same where a slow machine must not outlast the first delay.
fn patient() -> Setup {
    setup().set("throttle.first_delay", "15m")
}

async fn log_in(tacit: &Tacit, name: &str, password: &str) -> Response {
    tacit.post("/login").json(&json!({"username": name, "password": password})).send().await.unwrap()
}

/// A wrong password; the status.
async fn guess(tacit: &Tacit, name: &str) -> u16 {
    log_in(tacit, name, "wrong").await.status().as_u16()
}

async fn use_up(tacit: &Tacit, name: &str) {
    for number in 1..=10 {
        assert_eq!(guess(tacit, name).await, 401, "guess {number}");
    }
    assert_eq!(guess(tacit, name).await, 429);
}

fn retry_after(answer: &Response) -> u64 {
    answer.headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

/// As if so many seconds had passed.
fn pass(home: &Home, seconds: i64) {
    home.database.age("throttles", "blocked_until", seconds);
    home.database.age("throttles", "resets_at", seconds);
}

#[tokio::test]
async fn of_a_hundred_guesses_at_once_ten_are_checked() {
    let tacit = patient().start().await;
    tacit.register("ada").await;
    let statuses = join_all((0..100).map(|_| guess(&tacit, "ada"))).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (10, 90), "{statuses:?}");
    assert_eq!(tacit.metric("tacit_throttled_total{key=\"account\"}").await, 90.0);
    assert_eq!(tacit.metric("tacit_sign_in_failures_total{reason=\"throttled\"}").await, 90.0);
}

#[tokio::test]
async fn every_path_and_every_spelling_of_a_name_share_one_budget() {
    let tacit = setup().start().await;
    let sent = json!({"username": "Straße", "email": "Ann@Bücher.example", "password": PASSWORD});
    assert_eq!(tacit.post("/register").json(&sent).send().await.unwrap().status(), 201);
    let token = tacit.token("strasse").await["access_token"].as_str().unwrap().to_owned();
    let send = async |way: usize, name: &str, password: &str| {
        let change = json!({"current_password": password, "username": "x", "new_password": "another good password"});
        let request = match way {
            0 => tacit.post("/login").json(&json!({"username": name, "password": password})),
            1 => tacit.post("/token").form(&[("grant_type", "password"), ("username", name), ("password", password)]),
            2 => tacit.post("/token").form(&[("username", name), ("password", password)]),
            3 => tacit.request(Method::PATCH, "/me").bearer_auth(&token).json(&change_name(password)),
            _ => tacit.post("/me/password").bearer_auth(&token).json(&without_name(change)),
        };
        request.send().await.unwrap()
    };
    let names = ["STRASSE", "straße", "ann@bücher.example", "ANN@xn--bcher-kva.EXAMPLE"];
    for number in 0..10 {
        let (way, name) = (number % 5, names[number % 4]);
        let status = send(way, name, "wrong").await.status();
        assert_eq!(status, if way == 1 { 400 } else { 401 }, "way {way}, {name}");
    }
    for way in 0..5 {
        for name in names {
            for password in ["wrong", PASSWORD] {
                let problem = problems::read(send(way, name, password).await).await;
                assert!(problem.is(429, "throttled"), "way {way}, {name}: {problem:?}");
            }
        }
    }
    let me = tacit.get("/me").bearer_auth(&token).send().await.unwrap();
    assert_eq!(me.status(), 200, "who is signed in stays signed in");
}

fn change_name(password: &str) -> serde_json::Value {
    json!({"current_password": password, "username": "other"})
}

fn without_name(mut change: serde_json::Value) -> serde_json::Value {
    change.as_object_mut().unwrap().remove("username");
    change
}

#[tokio::test]
async fn the_budget_holds_across_replicas_and_restarts() {
    let home = Home::new();
    let mut first = patient().start_in(home.clone()).await;
    let second = patient().start_in(home.clone()).await;
    first.register("ada").await;
    for _ in 0..5 {
        assert_eq!((guess(&first, "ada").await, guess(&second, "ADA").await), (401, 401));
    }
    assert_eq!((guess(&first, "ada").await, guess(&second, "ada").await), (429, 429));
    first.kill();
    drop(second);
    let third = patient().start_in(home).await;
    assert_eq!(log_in(&third, "ada", PASSWORD).await.status(), 429);
}

#[tokio::test]
async fn right_wrong_and_unknown_look_the_same_once_throttled() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    use_up(&tacit, "ada").await;
    use_up(&tacit, "nobody").await;
    let mut seen = Vec::new();
    for (name, password) in [("ada", PASSWORD), ("ada", "wrong"), ("nobody", PASSWORD), ("NOBODY", "wrong")] {
        let answer = log_in(&tacit, name, password).await;
        assert!((1..=30).contains(&retry_after(&answer)));
        let mut problem = problems::read(answer).await;
        assert!(!problem.headers.contains_key("set-cookie"));
        problem.body["request_id"] = json!(null);
        seen.push((problem.status, problem.body.to_string()));
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(guess(&tacit, "somebody.else").await, 401, "others are not affected");
}

#[tokio::test]
async fn the_token_endpoint_tells_oauth_clients_to_come_back_later() {
    let tacit = setup().start().await;
    use_up(&tacit, "ada").await;
    for form in [
        &[("grant_type", "password"), ("username", "ada"), ("password", "x")][..],
        &[("username", "ada"), ("password", "x")],
    ] {
        let problem = problems::read(tacit.post("/token").form(form).send().await.unwrap()).await;
        assert!(problem.is(429, "throttled"));
        assert_eq!(problem.body["error"], "temporarily_unavailable");
        assert_eq!(problem.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn the_delay_doubles_up_to_its_limit_and_a_quiet_window_ends_it() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    use_up(&tacit, "ada").await;
    let mut waited = 30;
    for delay in [60, 120, 240, 480, 900, 900] {
        pass(&tacit.home, waited);
        assert_eq!(guess(&tacit, "ada").await, 401, "one guess after {waited} s");
        let answer = log_in(&tacit, "ada", PASSWORD).await;
        assert_eq!(answer.status(), 429);
        assert!((delay - 20..=delay).contains(&retry_after(&answer)), "{} after {delay}", retry_after(&answer));
        waited = i64::try_from(delay).unwrap();
    }
    pass(&tacit.home, 900);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200, "never for ever");
    pass(&tacit.home, 1800);
    use_up(&tacit, "ada").await;
}

#[tokio::test]
async fn a_window_forgets_failures_that_were_too_few() {
    let tacit = setup().start().await;
    for _ in 0..9 {
        assert_eq!(guess(&tacit, "ada").await, 401);
    }
    pass(&tacit.home, 900);
    use_up(&tacit, "ada").await;
}

#[tokio::test]
async fn a_right_password_gives_back_its_own_unit_and_no_other() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    for _ in 0..9 {
        assert_eq!(guess(&tacit, "ada").await, 401);
    }
    for _ in 0..15 {
        assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
    }
    assert_eq!(guess(&tacit, "ada").await, 401);
    assert_eq!(guess(&tacit, "ada").await, 429);
}

#[tokio::test]
async fn a_right_password_does_not_keep_old_failures_alive() {
    let tacit = setup().set("passwords.bcrypt_cost", "7").set("passwords.hash_workers", "4").start().await;
    tacit.register("ada").await;
    for _ in 0..9 {
        assert_eq!(guess(&tacit, "ada").await, 401);
    }
    pass(&tacit.home, 840);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
    let at_once = join_all((0..10).map(|_| log_in(&tacit, "ada", PASSWORD))).await;
    assert!(at_once.iter().all(|answer| answer.status() == 200));
    pass(&tacit.home, 120);
    use_up(&tacit, "ada").await;
    // Once delayed, it forgets a quiet window later: what is given back in it does not begin another.
    pass(&tacit.home, 30);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
    pass(&tacit.home, 840);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
    pass(&tacit.home, 70);
    use_up(&tacit, "ada").await;
}

#[tokio::test]
async fn neither_table_nor_log_holds_the_typed_name_or_its_password() {
    let tacit = setup().start().await;
    for name in ["canary-name", "canary@example.com", "canary\0impossible"] {
        for _ in 0..11 {
            log_in(&tacit, name, "canary-password").await;
        }
    }
    let rows = tacit.home.database.texts("SELECT id || ' ' || kind AS value FROM throttles");
    assert!(rows.len() >= 7, "{rows:?}");
    for row in rows.into_iter().flatten() {
        assert!(!row.contains("canary") && !row.contains("127.0.0.1"), "{row}");
    }
    let log = tacit.log();
    assert!(log.contains("throttled") && !log.contains("canary"), "{log}");
}

#[tokio::test]
async fn while_the_counters_cannot_be_asked_nobody_is_checked() {
    let tacit = setup().start().await;
    let jar = tacit.new_session("ada").await;
    tacit.home.database.execute("ALTER TABLE throttles RENAME TO away");
    for password in ["wrong", PASSWORD] {
        let problem = problems::read(log_in(&tacit, "ada", password).await).await;
        assert!(problem.is(503, "database_unavailable"), "{problem:?}");
    }
    assert_eq!(tacit.get_with("/protected", &jar.without_access()).await.status(), 200, "a refresh asks none");
    tacit.home.database.execute("ALTER TABLE away RENAME TO throttles");
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
}
