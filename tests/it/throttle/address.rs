//! Guessing at many accounts from one address, and at one account from many.

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::json;

use super::{guess, log_in, pass, patient, retry_after, setup};
use crate::app::{PASSWORD, Tacit};

async fn forwarded(tacit: &Tacit, name: &str, forwarded_for: &str) -> Response {
    let sent = tacit.post("/login").json(&json!({"username": name, "password": "wrong"}));
    sent.header("x-forwarded-for", forwarded_for).send().await.unwrap()
}

#[tokio::test]
async fn one_address_fails_with_thirty_names_in_a_window() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    for number in 0..30 {
        assert_eq!(guess(&tacit, &format!("name{number}")).await, 401);
    }
    let answer = log_in(&tacit, "ada", PASSWORD).await;
    assert_eq!(answer.status(), 429);
    assert!((860..=900).contains(&retry_after(&answer)));
    assert_eq!(tacit.metric("tacit_throttled_total{key=\"address\"}").await, 1.0);
    assert_eq!(guess(&tacit, "NAME7").await, 401, "a name that it tried before is no further one");
    pass(&tacit.home, 900);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn one_address_fails_a_hundred_times_in_a_window() {
    let tacit = setup().start().await;
    for number in 0..100 {
        assert_eq!(guess(&tacit, &format!("name{}", number / 5)).await, 401);
    }
    assert_eq!(guess(&tacit, "name1").await, 429);
    assert_eq!(guess(&tacit, "another").await, 429);
    pass(&tacit.home, 900);
    assert_eq!(guess(&tacit, "another").await, 401);
}

#[tokio::test]
async fn an_office_full_of_people_who_know_their_passwords_is_not_throttled() {
    let tacit = setup().start().await;
    for number in 0..40 {
        let name = format!("person{number}");
        tacit.register(&name).await;
        assert_eq!(log_in(&tacit, &name, PASSWORD).await.status(), 200, "{name}");
    }
}

#[tokio::test]
async fn right_passwords_do_not_keep_the_failures_of_an_address_alive() {
    let tacit = setup().set("throttle.address_names", "3").set("throttle.address_failures", "5").start().await;
    tacit.register("ada").await;
    let fail = async || {
        for name in ["name1", "name2", "name1", "name2"] {
            assert_eq!(guess(&tacit, name).await, 401);
        }
    };
    fail().await;
    pass(&tacit.home, 840);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200, "it takes the last unit of both");
    pass(&tacit.home, 120);
    fail().await;
    assert_eq!((guess(&tacit, "name3").await, guess(&tacit, "name1").await), (401, 429));
}

#[tokio::test]
async fn five_hundred_spoofed_addresses_of_a_stranger_are_one_and_are_warned_of_once() {
    let tacit = setup().start().await;
    let mut checked = 0;
    for number in 0..500 {
        let address = format!("203.0.{}.{}", number / 250, number % 250);
        let status = forwarded(&tacit, &format!("name{number}"), &address).await.status();
        assert!(status == 401 || status == 429);
        checked += usize::from(status == 401);
    }
    assert_eq!(checked, 30);
    let log = tacit.log();
    let warnings: Vec<&str> = log.lines().filter(|line| line.contains("unknown_proxy")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains("warn") && warnings[0].contains("key=server.trusted_proxies"), "{}", warnings[0]);
}

#[tokio::test]
async fn behind_a_proxy_only_the_hop_that_it_saw_counts() {
    let tacit = setup().set("server.trusted_proxies", "127.0.0.1").start().await;
    let mut checked = 0;
    for number in 0..500 {
        let spoofed = format!("203.0.{}.{}, 198.51.100.7", number / 250, number % 250);
        let status = forwarded(&tacit, &format!("name{number}"), &spoofed).await.status();
        checked += usize::from(status == 401);
    }
    assert_eq!(checked, 30);
    assert_eq!(forwarded(&tacit, "name499", "198.51.100.8").await.status(), 401, "his neighbour");
    assert!(!tacit.log().contains("unknown_proxy"));
}

#[tokio::test]
async fn one_account_has_one_budget_for_five_hundred_addresses() {
    let tacit = patient().set("server.trusted_proxies", "127.0.0.1").start().await;
    tacit.register("ada").await;
    let mut checked = 0;
    for number in 0..500 {
        let address = format!("203.0.{}.{}", number / 250, number % 250);
        checked += usize::from(forwarded(&tacit, "ada", &address).await.status() == 401);
    }
    assert_eq!(checked, 10);
}

#[tokio::test]
async fn a_host_with_many_ipv6_addresses_is_one() {
    let tacit = setup().set("server.trusted_proxies", "127.0.0.1").start().await;
    for number in 0..30 {
        let address = format!("2001:db8:1:2::{number:x}");
        assert_eq!(forwarded(&tacit, &format!("name{number}"), &address).await.status(), 401);
    }
    assert_eq!(forwarded(&tacit, "another", "2001:db8:1:2:ffff::1").await.status(), 429);
    assert_eq!(forwarded(&tacit, "another", "2001:db8:1:3::1").await.status(), 401, "the network next door");
    // What ten networks of one site may do together, the site may: 300 names.
    for number in 0..269 {
        let address = format!("2001:db8:1:{:x}::1", 16 + number / 25);
        assert_eq!(forwarded(&tacit, &format!("more{number}"), &address).await.status(), 401, "{number}");
    }
    assert_eq!(forwarded(&tacit, "last", "2001:db8:1:ffff::1").await.status(), 429);
    assert_eq!(forwarded(&tacit, "last", "2001:db8:2:ffff::1").await.status(), 401, "another site");
}

#[tokio::test]
async fn of_two_hundred_names_tried_at_once_thirty_are_checked() {
    let tacit = setup().start().await;
    let names: Vec<String> = (0..200).map(|number| format!("name{number}")).collect();
    let statuses = join_all(names.iter().map(|name| guess(&tacit, name))).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!((count(401), count(429)), (30, 170), "{statuses:?}");
}

#[tokio::test]
async fn guesses_at_several_accounts_from_several_addresses_at_once_never_wait_for_each_other() {
    let tacit = patient().set("server.trusted_proxies", "127.0.0.1").start().await;
    let pairs: Vec<(String, String)> =
        (0..240).map(|number| (format!("name{}", number % 6), format!("2001:db8:1:{}::1", number % 5))).collect();
    let answers = join_all(pairs.iter().map(|(name, address)| forwarded(&tacit, name, address))).await;
    let count = |wanted: u16| answers.iter().filter(|answer| answer.status() == wanted).count();
    assert_eq!((count(401), count(429)), (60, 180), "ten for each of six accounts");
}
