//! A device that signed in before: nobody can lock its owner out.

use serde_json::json;

use super::{guess, log_in, setup, use_up};
use crate::app::{PASSWORD, Tacit};
use crate::jar::{DEVICE, Jar, set_cookies};

async fn log_in_from(tacit: &Tacit, device: &str, name: &str, password: &str) -> reqwest::Response {
    let sent = tacit.post("/login").json(&json!({"username": name, "password": password}));
    sent.header("cookie", format!("{DEVICE}={device}")).send().await.unwrap()
}

#[tokio::test]
async fn the_owner_signs_in_from_a_known_device_during_an_attack() {
    let tacit = setup().start().await;
    let jar = tacit.new_session("ada").await;
    let device = jar.get(DEVICE).unwrap().to_owned();
    for number in 0..20 {
        guess(&tacit, &format!("name{number}")).await;
    }
    use_up(&tacit, "ada").await;
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 429, "an unknown client");
    let answer = log_in_from(&tacit, &device, "ADA", PASSWORD).await;
    assert_eq!(answer.status(), 200);
    let mut again = Jar::default();
    again.apply(&answer);
    assert_eq!(again.get(DEVICE).unwrap(), device, "the device stays the same");
    assert_eq!(tacit.get_with("/protected", &jar.without_access()).await.status(), 200, "a refresh goes on");
    assert_eq!(tacit.get_with("/me", &again).await.status(), 200);
}

#[tokio::test]
async fn a_device_passes_the_limits_of_its_address() {
    let tacit = setup().set("throttle.address_failures", "12").start().await;
    let device = tacit.new_session("ada").await.get(DEVICE).unwrap().to_owned();
    use_up(&tacit, "eve").await;
    assert_eq!((guess(&tacit, "eva").await, guess(&tacit, "evi").await, guess(&tacit, "evo").await), (401, 401, 429));
    assert_eq!(log_in_from(&tacit, &device, "ada", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn a_device_has_a_counter_of_its_own_and_no_other_budget() {
    let tacit = setup().start().await;
    let device = tacit.new_session("ada").await.get(DEVICE).unwrap().to_owned();
    for _ in 0..10 {
        assert_eq!(log_in_from(&tacit, &device, "ada", "wrong").await.status(), 401);
    }
    assert_eq!(log_in_from(&tacit, &device, "ada", PASSWORD).await.status(), 429);
    assert_eq!(tacit.metric("tacit_throttled_total{key=\"device\"}").await, 1.0);
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200, "from elsewhere");
}

#[tokio::test]
async fn a_device_cookie_is_good_for_its_own_account_only_and_signs_nobody_in() {
    let tacit = setup().start().await;
    let device = tacit.new_session("eve").await.get(DEVICE).unwrap().to_owned();
    tacit.register("ada").await;
    use_up(&tacit, "ada").await;
    let (id, tag) = device.split_once('.').unwrap();
    for forged in
        [device.clone(), format!("{id}."), format!("x.{tag}"), format!(".{tag}"), "x".to_owned(), ".".to_owned()]
    {
        assert_eq!(log_in_from(&tacit, &forged, "ada", PASSWORD).await.status(), 429, "{forged}");
    }
    let mut jar = Jar::default();
    jar.put(DEVICE, &device);
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 401);
    assert_eq!(tacit.post_with("/refresh", &jar).await.status(), 401);
}

#[tokio::test]
async fn behind_https_the_device_cookie_is_secure_and_bound_to_the_host() {
    let tacit = setup().set("server.public_url", "https://auth.example.com").start().await;
    tacit.register("ada").await;
    let cookies = set_cookies(&log_in(&tacit, "ada", PASSWORD).await);
    assert_eq!(cookies.len(), 3);
    assert!(cookies[2].starts_with("__Host-Http-tacit-device="), "{}", cookies[2]);
    assert!(cookies[2].ends_with("; Path=/; Max-Age=34560000; HttpOnly; SameSite=Lax; Secure"), "{}", cookies[2]);
}

#[tokio::test]
async fn a_changed_password_makes_every_device_unknown_but_the_one_that_changed_it() {
    const NEW: &str = "an entirely new password";
    let tacit = setup().start().await;
    let mut jar = tacit.new_session("ada").await;
    let old = jar.get(DEVICE).unwrap().to_owned();
    let elsewhere = log_in(&tacit, "ada", PASSWORD).await;
    let mut hoarded = Jar::default();
    hoarded.apply(&elsewhere);
    let change = json!({"current_password": PASSWORD, "new_password": NEW});
    let changed = tacit.post("/me/password").json(&change).header("cookie", jar.header()).send().await.unwrap();
    assert_eq!(changed.status(), 200);
    jar.apply(&changed);
    use_up(&tacit, "ada").await;
    for device in [&old, hoarded.get(DEVICE).unwrap()] {
        assert_eq!(log_in_from(&tacit, device, "ada", NEW).await.status(), 429);
    }
    assert_eq!(log_in_from(&tacit, jar.get(DEVICE).unwrap(), "ada", NEW).await.status(), 200);
}

#[tokio::test]
async fn a_sign_out_leaves_the_device_known() {
    let tacit = setup().start().await;
    let mut jar = tacit.new_session("ada").await;
    let answer = tacit.post_with("/logout", &jar).await;
    jar.apply(&answer);
    assert!(jar.get(DEVICE).is_some());
    use_up(&tacit, "ada").await;
    assert_eq!(log_in_from(&tacit, jar.get(DEVICE).unwrap(), "ada", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn the_sign_in_pages_form_meets_the_same_throttle_and_makes_the_device_known() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    let form = async |cookie: &str, password: &str| {
        let sent =
            tacit.post("/login").form(&[("username", "ada"), ("password", password)]).header("accept", "text/html");
        sent.header("cookie", cookie).send().await.unwrap()
    };
    let signed_in = form("", PASSWORD).await;
    assert_eq!(signed_in.status(), 303);
    let mut jar = Jar::default();
    jar.apply(&signed_in);
    for _ in 0..10 {
        assert_eq!(form("", "wrong").await.status(), 401);
    }
    let refused = form("", PASSWORD).await;
    assert_eq!(refused.status(), 429);
    assert!(refused.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    assert!(refused.headers().contains_key("retry-after") && set_cookies(&refused).is_empty());
    let known = format!("{DEVICE}={}", jar.get(DEVICE).unwrap());
    assert_eq!(form(&known, PASSWORD).await.status(), 303);
}
