//! What an operator sees of the throttle, and clears.

use serde_json::Value;

use super::{guess, log_in, pass, setup, use_up};
use crate::app::{Home, PASSWORD, Setup, run};

fn command(home: &Home, arguments: &[&str]) -> String {
    let output = run(home, arguments, "");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn an_operator_lists_what_is_blocked_and_clears_an_account() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    use_up(&tacit, "ada").await;
    use_up(&tacit, "nobody").await;
    let listed: Value = serde_json::from_str(&command(&tacit.home, &["throttle", "list", "--json"])).unwrap();
    let blocked: Vec<&Value> =
        listed.as_array().unwrap().iter().filter(|row| !row["blocked_until"].is_null()).collect();
    assert_eq!(blocked.len(), 2, "{listed}");
    assert!(blocked.iter().all(|row| row["kind"] == "account" && row["failures"] == 10), "{listed}");
    let text = command(&tacit.home, &["throttle", "list"]);
    assert!(text.lines().next().unwrap().contains("blocked") && !text.contains("nobody"), "{text}");
    for name in ["ADA", "nobody"] {
        assert_eq!(command(&tacit.home, &["throttle", "clear", name]), "1 counters cleared.\n");
        assert_eq!(guess(&tacit, name).await, 401);
    }
    assert_eq!(log_in(&tacit, "ada", PASSWORD).await.status(), 200);
}

#[tokio::test]
async fn an_operator_clears_an_address_or_everything() {
    let tacit = setup().set("throttle.address_names", "2").start().await;
    for arguments in [["throttle", "clear", "--address", "127.0.0.1"].as_slice(), &["throttle", "clear", "--all"]] {
        assert_eq!(
            (guess(&tacit, "a.a").await, guess(&tacit, "b.b").await, guess(&tacit, "c.c").await),
            (401, 401, 429)
        );
        command(&tacit.home, arguments);
        assert_eq!(guess(&tacit, "c.c").await, 401);
        command(&tacit.home, &["throttle", "clear", "--all"]);
    }
    assert_eq!(tacit.home.database.number("SELECT COUNT(*) AS value FROM throttles"), 0);
    let refused = run(&tacit.home, &["throttle", "clear"], "");
    assert_eq!(refused.status.code(), Some(2));
}

#[tokio::test]
async fn the_purge_deletes_what_is_forgotten_and_nothing_else() {
    let tacit = setup().start().await;
    use_up(&tacit, "old").await;
    pass(&tacit.home, 3600);
    use_up(&tacit, "new").await;
    command(&tacit.home, &["purge"]);
    let blocked = "SELECT COUNT(*) AS value FROM throttles WHERE kind = 'account'";
    assert_eq!(tacit.home.database.number(blocked), 1);
    assert_eq!(guess(&tacit, "new").await, 429);
}

#[tokio::test]
async fn switched_off_it_counts_nothing_and_knows_no_device() {
    let tacit = Setup::default().start().await;
    let jar = tacit.new_session("ada").await;
    assert!(jar.get(crate::jar::DEVICE).is_none());
    for _ in 0..40 {
        assert_eq!(guess(&tacit, "ada").await, 401);
    }
    assert_eq!(tacit.home.database.number("SELECT COUNT(*) AS value FROM throttles"), 0);
}
