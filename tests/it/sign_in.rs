//! Registering, signing in, being signed in, signing out.

use serde_json::{Value, json};

use crate::app::{PASSWORD, Tacit, problem, refreshed};

#[tokio::test]
async fn a_person_registers_signs_in_is_refreshed_and_signs_out() {
    let tacit = Tacit::start().await;
    let registered = tacit.register("ada").await;
    assert_eq!(registered["message"], "User ada registered successfully");
    let mut jar = tacit.log_in("ada").await;

    let answer = tacit.get_with("/protected", &jar).await;
    assert_eq!(refreshed(&answer), None);
    assert_eq!(answer.json::<Value>().await.unwrap()["message"], "You are viewing protected content, ada!");

    let answer = tacit.get_with("/protected", &jar.without_access()).await;
    assert_eq!((answer.status().as_u16(), refreshed(&answer)), (200, Some("rotated")));
    jar.apply(&answer);

    let old = jar.clone();
    let answer = tacit.post_with("/logout", &jar).await;
    assert_eq!(answer.status(), 200);
    jar.apply(&answer);
    assert_eq!(jar.header(), "");
    assert_eq!(problem(tacit.get_with("/protected", &old).await).await, (401, "session_revoked".to_owned()));
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_told_the_same() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let mut bodies = Vec::new();
    for (name, password) in [("ada", "wrong horse battery staple"), ("eve", PASSWORD), ("a\0b", PASSWORD), ("@", "x")] {
        let sent = json!({"username": name, "password": password});
        let answer = tacit.post("/login").json(&sent).header("x-request-id", "same").send().await.unwrap();
        assert_eq!(answer.status(), 401);
        bodies.push(answer.text().await.unwrap());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
}
