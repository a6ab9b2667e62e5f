//! A gateway that drops Set-Cookie is noticed: the successor never comes back, its predecessor does.

use super::behind_a_gateway;
use crate::app::{Tacit, refreshed};
use crate::jar::Jar;

const LOST: &str = "tacit_cookie_never_came_back_total";

async fn ask(tacit: &Tacit, jar: &Jar, uri: &str) -> reqwest::Response {
    let request = tacit.get("/verify").header("cookie", jar.without_access().header());
    request.header("x-forwarded-host", "app.example.com").header("x-forwarded-uri", uri).send().await.unwrap()
}

async fn lost(tacit: &Tacit) -> u32 {
    format!("{}", tacit.metric(LOST).await).parse().unwrap()
}

fn lines(tacit: &Tacit) -> Vec<String> {
    tacit.log().lines().filter(|line| line.contains("event=cookie_lost")).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_cookie_that_never_came_back_is_counted_and_logged_with_the_place_that_lost_it() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    assert_eq!(refreshed(&ask(&tacit, &jar, "/loses?secret=canary").await), Some("rotated"));
    assert_eq!(refreshed(&ask(&tacit, &jar, "/other").await), Some("access-only"));
    assert_eq!((lost(&tacit).await, lines(&tacit).len()), (0, 0), "inside the window nothing is lost yet");
    tacit.home.database.age("sessions", "rotated_at", 10);
    assert_eq!(refreshed(&ask(&tacit, &jar, "/other?secret=canary").await), Some("reissued"));
    assert_eq!(lost(&tacit).await, 1);
    let line = lines(&tacit).pop().expect("a line");
    assert!(line.contains("host=app.example.com path=/loses place_of=rotation"), "{line}");
    assert!(!tacit.log().contains("canary"));
    // Inside the window of the reissue the predecessor is given the same again, and that is no further loss.
    assert_eq!(refreshed(&ask(&tacit, &jar, "/other").await), Some("reissued"));
    assert_eq!(lost(&tacit).await, 1);
}

#[tokio::test]
async fn the_place_of_this_request_is_logged_if_another_replica_rotated() {
    let mut first = behind_a_gateway().await;
    let jar = first.new_session("ada").await;
    assert_eq!(refreshed(&ask(&first, &jar, "/loses").await), Some("rotated"));
    first.kill();
    let tacit =
        super::trusting().set("server.public_url", &first.url).start_in(std::sync::Arc::clone(&first.home)).await;
    tacit.home.database.age("sessions", "rotated_at", 10);
    assert_eq!(refreshed(&ask(&tacit, &jar, "/other").await), Some("reissued"));
    let line = lines(&tacit).pop().expect("a line");
    assert!(line.contains("path=/other place_of=\"this request\""), "{line}");
}

#[tokio::test]
async fn cookies_that_come_back_are_not_lost() {
    let tacit = behind_a_gateway().await;
    let mut jar = tacit.new_session("ada").await;
    for _ in 0..3 {
        jar.apply(&ask(&tacit, &jar, "/a").await);
        tacit.home.database.age("sessions", "rotated_at", 10);
    }
    assert_eq!((lost(&tacit).await, lines(&tacit).len()), (0, 0));
}
