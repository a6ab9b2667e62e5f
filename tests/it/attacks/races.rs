//! Two things at the same moment, of which one takes the other's right away: whoever wins, nothing of the loser lives on.

use std::sync::Arc;

use futures_util::future::join_all;
use reqwest::Response;
use serde_json::json;

use super::assert_refused_everywhere;
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, run};
use crate::jar::{ACCESS, Jar, REFRESH};

const ROUNDS: usize = 8;
const AT_ONCE: usize = 12;

/// Every token that an answer handed out.
fn handed_out(answer: &Response) -> Vec<(&'static str, String)> {
    let mut jar = Jar::default();
    jar.apply(answer);
    [ACCESS, REFRESH].into_iter().filter_map(|name| Some((name, jar.get(name)?.to_owned()))).collect()
}

/// Refreshes from several connections at once; all tokens that came out of it, and those that went in.
async fn refresh_at_once(tacit: &Tacit, jar: &Jar) -> Vec<(&'static str, String)> {
    let jar = jar.without_access();
    let answers = join_all((0..AT_ONCE).map(|_| tacit.get_with("/protected", &jar))).await;
    let mut tokens = vec![(REFRESH, jar.refresh().to_owned())];
    for answer in answers {
        assert!([200, 401].contains(&answer.status().as_u16()), "{}", answer.status());
        tokens.extend(handed_out(&answer));
    }
    tokens
}

/// None of these opens anything: not as a cookie, not as Bearer, not at the token endpoint.
async fn assert_dead(tacit: &Tacit, tokens: &[(&'static str, String)], why: &str) {
    for (name, token) in tokens {
        let answer = tacit.get("/me").header("cookie", format!("{name}={token}")).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{why}: {name} lives on as a cookie");
        assert!(handed_out(&answer).is_empty(), "{why}: {name}");
        if *name == ACCESS {
            assert_eq!(tacit.get("/me").bearer_auth(token).send().await.unwrap().status(), 401, "{why}: as Bearer");
        } else {
            let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
            assert_eq!(tacit.post("/token").form(&form).send().await.unwrap().status(), 400, "{why}: at /token");
        }
    }
}

#[tokio::test]
async fn after_a_sign_out_that_races_refreshes_no_token_of_the_session_lives_on() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for path in ["/logout", "/logout/all"] {
        for round in 0..ROUNDS {
            let jar = tacit.log_in("ada").await;
            let sign_out = async {
                // A different moment of the refreshes each time.
                tokio::time::sleep(std::time::Duration::from_micros(700 * u64::try_from(round).unwrap())).await;
                assert_eq!(tacit.post_with(path, &jar).await.status(), 200);
            };
            let (tokens, ()) = tokio::join!(refresh_at_once(&tacit, &jar), sign_out);
            assert_dead(&tacit, &tokens, path).await;
        }
    }
    assert!(!tacit.log().contains("event=refresh_token_reuse"), "a race is no theft");
}

#[tokio::test]
async fn after_a_password_change_that_races_refreshes_only_its_own_new_session_lives_on() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let passwords = [PASSWORD, "another battery of horses"];
    for round in 0..ROUNDS {
        let (current, new) = (passwords[round % 2], passwords[(round + 1) % 2]);
        let sent = json!({"username": "ada", "password": current});
        let mut jars = Vec::new();
        for _ in 0..2 {
            let mut jar = Jar::default();
            jar.apply(&tacit.post("/login").json(&sent).send().await.unwrap());
            jars.push(jar);
        }
        let (acting, stolen) = (jars[0].clone(), jars[1].clone());
        let change = async {
            let body = json!({"current_password": current, "new_password": new});
            tacit.post("/me/password").header("cookie", acting.header()).json(&body).send().await.unwrap()
        };
        let (own, others, changed) =
            tokio::join!(refresh_at_once(&tacit, &acting), refresh_at_once(&tacit, &stolen), change);
        assert_eq!(changed.status(), 200);
        assert_dead(&tacit, &own, "the session that changed the password").await;
        assert_dead(&tacit, &others, "another device's session").await;
        let mut kept = Jar::default();
        kept.apply(&changed);
        assert_eq!(tacit.get_with("/me", &kept).await.status(), 200);
        assert_eq!(tacit.get_with("/me", &kept.without_access()).await.status(), 200);
    }
}

#[tokio::test]
async fn of_password_changes_at_once_one_holds_and_the_others_are_told() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let word = |number: usize| format!("staple number {number} of horses");
    let change = async |number: usize| {
        let body = json!({"current_password": PASSWORD, "new_password": word(number)});
        let request = tacit.post("/me/password").header("cookie", jar.header()).json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    let statuses = join_all((0..6).map(change)).await;
    let won: Vec<usize> = (0..6).filter(|number| statuses[*number] == 200).collect();
    assert_eq!(won.len(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401, 409].contains(status)), "{statuses:?}");
    let opens = async |password: &str| {
        let sent = json!({"username": "ada", "password": password});
        tacit.post("/login").json(&sent).send().await.unwrap().status() == 200
    };
    for number in 0..6 {
        assert_eq!(opens(&word(number)).await, won.contains(&number), "{number}: {statuses:?}");
    }
    assert!(!opens(PASSWORD).await);
}

#[tokio::test]
async fn after_a_disabling_that_races_refreshes_and_sign_ins_nothing_of_the_user_lives_on() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let command = async |home: &Arc<Home>, what: &'static str| {
        let home = home.clone();
        let ended = tokio::task::spawn_blocking(move || run(&home, &["user", what, "ada"], "")).await.unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    for _ in 0..3 {
        let jar = tacit.log_in("ada").await;
        let sent = json!({"username": "ada", "password": PASSWORD});
        let attack = async {
            let mut tokens = Vec::new();
            // Until it is over for both: at most as long as everything may take.
            let over = async || {
                let (refreshed, answer) =
                    tokio::join!(refresh_at_once(&tacit, &jar), tacit.post("/login").json(&sent).send());
                let answer = answer.unwrap();
                tokens.extend(refreshed);
                tokens.extend(handed_out(&answer));
                let refused = answer.status() == 401;
                refused && tacit.get_with("/me", &jar.without_access()).await.status() == 401
            };
            assert!(eventually(over).await, "the user goes on");
            tokens
        };
        let (tokens, ()) = tokio::join!(attack, command(&tacit.home, "disable"));
        // Other processes' changes arrive within about a second.
        let newest = &tokens.iter().rev().find(|(name, _)| *name == ACCESS).expect("an access token").1;
        let refused = async || tacit.get("/me").bearer_auth(newest).send().await.unwrap().status() == 401;
        assert!(eventually(refused).await);
        assert_dead(&tacit, &tokens, "disabled").await;
        command(&tacit.home, "enable").await;
        assert_dead(&tacit, &tokens, "enabled again").await;
    }
}

#[tokio::test]
async fn a_stale_token_replayed_at_another_replica_ends_the_session_on_both() {
    let home = Home::new();
    let replica = || {
        let setup = Setup::default().set("tokens.issuer", "http://tacit.test").set("sessions.grace", "40s");
        setup.set("tokens.secret", crate::forge::SECRET).set("sessions.secret", crate::forge::OTHER_SECRET)
    };
    let (one, other) = (replica().start_in(home.clone()).await, replica().start_in(home.clone()).await);
    let first = one.new_session("ada").await;
    let mut jar = first.clone();
    for _ in 0..2 {
        let answer = one.get_with("/me", &jar.without_access()).await;
        assert_eq!(answer.status(), 200);
        jar.apply(&answer);
        home.database.age("sessions", "rotated_at", 41);
    }
    let replayed = other.get_with("/me", &first.without_access()).await;
    assert_eq!(crate::app::problem(replayed).await, (401, "token_reuse".to_owned()));
    let all = [(ACCESS, jar.get(ACCESS).unwrap().to_owned()), (REFRESH, jar.refresh().to_owned())];
    assert_dead(&other, &all, "where it was replayed").await;
    assert!(eventually(async || one.get_with("/me", &jar).await.status() == 401).await);
    assert_refused_everywhere(&one, "cookie", &jar.header(), "at the other replica").await;
}
