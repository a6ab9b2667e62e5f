//! A flood of refusals makes few rows, and slows nobody down.

use futures_util::future::join_all;
use serde_json::json;

use super::{once_written, trail};
use crate::app::{PASSWORD, Setup, Tacit, eventually};

/// Rows that a replica makes in a window, and one for the dropped of each kind; twice, since a window may end in between.
const BOUND: i64 = 2 * (500 + 30);

async fn cross_site(tacit: &Tacit, address: &str) {
    let request = tacit.post("/logout").header("origin", "https://evil.example").header("x-forwarded-for", address);
    assert_eq!(request.send().await.unwrap().status(), 403);
}

fn rows(tacit: &Tacit) -> i64 {
    tacit.home.database.number("SELECT count(*) AS value FROM audit_events")
}

#[tokio::test]
async fn a_flood_from_everywhere_is_bounded_counted_and_hides_no_change() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
    for batch in 0..40_u8 {
        let requests = (0..50_u8).map(|number| format!("198.51.{batch}.{number}"));
        join_all(requests.map(async |address| cross_site(&tacit, &address).await)).await;
    }
    tacit.new_session("ada").await;
    let dropped = async || tacit.metric("tacit_audit_dropped_total").await;
    assert!(dropped().await >= 2000.0 - 1000.0, "{}", dropped().await);
    // As many rows as `tacit audit` does not show at once.
    let written = |event: &str| -> i64 {
        let sum = "SELECT CAST(COALESCE(SUM(times), 0) AS BIGINT) AS value FROM audit_events WHERE event =";
        tacit.home.database.number(&format!("{sum} '{event}'"))
    };
    assert!(eventually(async || written("cross_site") + written("audit_dropped") >= 2000).await);
    assert_eq!(written("cross_site") + written("audit_dropped"), 2000, "named or counted, each is there");
    let told = trail(&tacit.home, &["--event", "audit_dropped"]);
    assert_eq!(written("audit_dropped").to_string(), format!("{:.0}", dropped().await));
    assert!(told.iter().all(|row| row["reason"] == "cross_site"), "{told:?}");
    assert!(rows(&tacit) <= BOUND, "{}", rows(&tacit));
    assert!(tacit.log().contains("event=audit_dropped"));
    let changes = trail(&tacit.home, &["--user", "ada"]);
    assert_eq!(super::names(&changes), ["user_registered", "sign_in"]);
}

#[tokio::test]
async fn one_address_that_tries_many_names_leaves_room_for_others() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
    let guess = async |name: String, address: &str| {
        let body = json!({"username": name, "password": "wrong"});
        let answer = tacit.post("/login").json(&body).header("x-forwarded-for", address).send().await.unwrap();
        assert_eq!(answer.status(), 401);
    };
    for batch in 0..10 {
        let one = |number: u8| (format!("name-{batch}-{number}"), format!("2001:db8::{batch}:{number:x}"));
        join_all((0..20).map(one).map(async |(name, address)| guess(name, &address).await)).await;
    }
    guess("victim".to_owned(), "192.0.2.1").await;
    let failures = once_written(&tacit.home, "sign_in", 201).await;
    assert!(failures.len() <= 2 * 34, "{}", failures.len());
    let many: Vec<_> = failures.iter().filter(|row| row["address"] == "2001:db8::/64").collect();
    assert!((1..=2).contains(&many.len()), "{many:?}");
    assert_eq!(many[0]["details"], json!({"accounts": "many"}));
    assert_eq!(trail(&tacit.home, &["--user", "victim"]).len(), 1);
    assert_eq!(tacit.metric("tacit_audit_dropped_total").await, 0.0);
}

#[tokio::test]
async fn a_thousand_failures_on_one_account_are_a_row_or_two() {
    let tacit = Setup::default().set("throttle.enabled", "true").set("throttle.first_delay", "15m").start().await;
    tacit.register("ada").await;
    let body = json!({"username": "ada", "password": "wrong"});
    for _ in 0..20 {
        join_all((0..50).map(async |_| tacit.post("/login").json(&body).send().await.unwrap().status())).await;
    }
    once_written(&tacit.home, "sign_in", 10).await;
    let throttled = once_written(&tacit.home, "throttled", 990).await;
    // Which counter refuses may change, and a window may end in between.
    assert!(throttled.len() <= 6, "{throttled:?}");
    assert_eq!(trail(&tacit.home, &["--user", "ada", "--event", "throttled"]), throttled);
    assert!(!throttled[0].to_string().contains(PASSWORD));
}
