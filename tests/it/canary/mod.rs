//! Marked passwords, tokens, cookies, secrets and names go wherever they could be sent; afterwards they are nowhere but
//! where they belong.

mod commands;
mod flows;
mod marks;
mod places;
mod requests;

use crate::app::{Home, Setup, Tacit, eventually};
use crate::database::is_postgres;
use marks::{Marks, marked_secret};

/// What is asked for once everything else was: its line is the log's last.
const LAST: &str = "the-last-one";

/// Settings with marks in them: they are the operator's secrets.
fn settings(home: &Home) -> Vec<(&'static str, String)> {
    let mut url = home.database.url();
    if is_postgres() {
        // The server trusts everybody, whatever the password.
        let (user, host) = url.split_once('@').expect("a user");
        url = format!("{user}:{}@{host}", marked_secret("database"));
    }
    vec![
        ("database.url", url),
        ("tokens.secret", format!("{}-Zk3vQ8sL1xT0pWm9eRy7", marked_secret("jwt"))),
        ("sessions.secret", format!("{}-w5Tq8Lk2Zr7Nx4Vc9Bm1", marked_secret("refresh-key"))),
        ("log.level", "trace".to_owned()),
    ]
}

async fn serve(home: &std::sync::Arc<Home>, more: &[(&str, &str)]) -> Tacit {
    let mut setup = Setup::default();
    for (key, value) in settings(home) {
        setup = setup.set(key, &value);
    }
    for (key, value) in more {
        setup = setup.set(key, value);
    }
    setup.start_in(home.clone()).await
}

async fn look_everywhere(more: &[(&str, &str)]) {
    let home = Home::new();
    let mut marks = Marks::default();
    let mut tacit = serve(&home, more).await;
    flows::run(&tacit, &mut marks).await;
    let sent = requests::send_to_every_route(&tacit, &mut marks).await;
    assert!(sent > 1000, "only {sent} requests");
    commands::run_all(&tacit, &mut marks, more).await;
    let last = tacit.get("/nothing").header("x-request-id", LAST).send().await.unwrap();
    assert_eq!(last.status(), 404);
    assert!(eventually(async || tacit.log().contains(LAST)).await);
    assert!(tacit.log().lines().count() > sent, "at trace level every request has a line");

    places::check_metrics(&tacit, &marks).await;
    places::check_logs(&tacit, &marks);
    places::check_database(&home, &marks);
    places::check_files(&home, &marks);
    tacit.terminate();
    assert!(tacit.wait().success());
    places::check_logs(&tacit, &marks);
    places::check_database(&home, &marks);
    places::check_files(&home, &marks);
}

#[tokio::test]
async fn no_secret_and_no_typed_name_is_anywhere_it_does_not_belong_with_text_logs() {
    look_everywhere(&[("log.format", "text")]).await;
}

#[tokio::test]
async fn no_secret_and_no_typed_name_is_anywhere_it_does_not_belong_with_json_logs_and_throttled() {
    look_everywhere(&[("log.format", "json"), ("throttle.enabled", "true")]).await;
}
