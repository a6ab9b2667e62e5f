use futures_util::future::join_all;
use serde_json::json;

use super::{HEALTH_LIMIT, assert_well_again, health, most, open_files, raise_open_files};
use crate::app::{PASSWORD, Setup, eventually};
use crate::problems;

#[tokio::test]
async fn three_hundred_sign_ins_at_once_are_answered_and_everything_else_goes_on() {
    raise_open_files();
    let setup = Setup::default().set("passwords.bcrypt_cost", "10").set("passwords.hash_workers", "2");
    let tacit = setup.set("passwords.hash_queue", "8").start().await;
    let jar = tacit.new_session("ada").await;
    let files = open_files(&tacit);
    let sign_in = async || {
        let sent = json!({"username": "ada", "password": PASSWORD});
        crate::app::client().post(format!("{}/login", tacit.url)).json(&sent).send().await.expect("an answer")
    };
    let others = async {
        let (mut health_times, mut signed_in) = (Vec::new(), 0);
        for _ in 0..20 {
            health_times.push(health(&tacit).await);
            signed_in += u32::from(tacit.get_with("/verify", &jar).await.status() == 200);
        }
        (health_times, signed_in)
    };
    let (answers, (times, signed_in)) = tokio::join!(join_all((0..300).map(|_| sign_in())), others);
    let (mut opened, mut refused) = (0, 0);
    for answer in answers {
        if answer.status() == 200 {
            opened += 1;
        } else {
            assert!(problems::read(answer).await.is(503, "overloaded"));
            refused += 1;
        }
    }
    assert!(opened > 0 && refused > 0, "{opened} opened, {refused} refused");
    assert_eq!(signed_in, 20, "who is signed in already notices nothing");
    assert!(most(times.clone()) < HEALTH_LIMIT, "{times:?}");
    assert!(eventually(async || sign_in().await.status() == 200).await);
    assert_well_again(&tacit, files).await;
}
