use futures_util::future::join_all;
use serde_json::json;

use super::{HEALTH_LIMIT, assert_well_again, health, most, open_files, raise_open_files};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually};
use crate::problems;

const AT_ONCE: usize = 300;

/// As many people as sign in at once, all with the password of the one that there is.
fn add_people(home: &Home) -> Vec<String> {
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {AT_ONCE})");
    let columns = "password_hash, role, created_at, updated_at";
    let made = home.database.execute(&format!(
        "{numbers} INSERT INTO users (id, username, username_canonical, {columns})
         SELECT '00000000-0000-4000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2), 'person' || i, 'person' || i, {columns}
         FROM users, n"
    ));
    assert_eq!(made, AT_ONCE);
    (1..=AT_ONCE).map(|number| format!("person{number}")).collect()
}

#[tokio::test]
async fn three_hundred_sign_ins_at_once_are_answered_and_everything_else_goes_on() {
    let tacit = Setup::default().set("passwords.bcrypt_cost", "10").set("passwords.hash_workers", "2");
    let tacit = tacit.set("passwords.hash_queue", "8").start().await;
    let refused = flood(&tacit, &vec!["ada".to_owned(); AT_ONCE]).await;
    assert!(refused > 0, "a full queue refuses");
}

#[tokio::test]
async fn three_hundred_sign_ins_at_once_to_one_account_or_from_one_address_are_never_taken_for_guesses() {
    let setup = Setup::default().set("throttle.enabled", "true");
    let tacit = setup.set("passwords.bcrypt_cost", "10").set("passwords.hash_workers", "2").start().await;
    flood(&tacit, &vec!["ada".to_owned(); AT_ONCE]).await;
    flood(&tacit, &add_people(&tacit.home)).await;
    assert!(!tacit.log().contains("throttled"));
}

/// All of them sign in at once, the first of all being signed in already; how many were refused.
async fn flood(tacit: &Tacit, names: &[String]) -> usize {
    raise_open_files();
    let jar = if tacit.home.database.number("SELECT count(*) AS value FROM users") == 0 {
        tacit.new_session("ada").await
    } else {
        tacit.log_in("ada").await
    };
    let files = open_files(tacit);
    let sign_in = async |name: &str| {
        let sent = json!({"username": name, "password": PASSWORD});
        crate::app::client().post(format!("{}/login", tacit.url)).json(&sent).send().await.expect("an answer")
    };
    let others = async {
        let (mut health_times, mut signed_in) = (Vec::new(), 0);
        for _ in 0..20 {
            health_times.push(health(tacit).await);
            signed_in += u32::from(tacit.get_with("/verify", &jar).await.status() == 200);
        }
        (health_times, signed_in)
    };
    let (answers, (times, signed_in)) = tokio::join!(join_all(names.iter().map(|name| sign_in(name))), others);
    let (mut opened, mut refused) = (0, 0);
    for answer in answers {
        if answer.status() == 200 {
            opened += 1;
        } else {
            assert!(problems::read(answer).await.is(503, "overloaded"));
            refused += 1;
        }
    }
    assert!(opened > 0, "{refused} refused");
    assert_eq!(signed_in, 20, "who is signed in already notices nothing");
    assert!(most(times.clone()) < HEALTH_LIMIT, "{times:?}");
    assert!(eventually(async || sign_in("ada").await.status() == 200).await);
    assert_well_again(tacit, files).await;
    refused
}
