//! Keys change under load on two replicas, and nobody notices.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use aws_lc_rs::signature::Ed25519KeyPair;
use reqwest::Response;
use serde_json::{Value, json};

use super::{access_token, generate, new_signing, pem_path, rotate, signed_by, wait_signing};
use crate::access_tokens::accepted;
use crate::app::{Home, Setup, Tacit};
use crate::forge::encode;
use crate::jar::{ACCESS, Jar};
use crate::shapes::part;

/// Requests that one client sends at most.
const MOST: usize = 20_000;

/// Two replicas with one database and one directory of keys.
struct Replicas([Tacit; 2]);

impl Replicas {
    async fn start() -> Self {
        let home = Home::new();
        let replica =
            || Setup::default().set("tokens.issuer", "https://id.example").set("sessions.max_per_user", "10000");
        let one = replica().start_in(home.clone()).await;
        Self([one, replica().start_in(home.clone()).await])
    }

    fn home(&self) -> Arc<Home> {
        self.0[0].home.clone()
    }

    fn at(&self, turn: usize) -> &Tacit {
        &self.0[turn % 2]
    }
}

/// What the clients saw: how many requests went well, and how many tokens there were of each algorithm.
#[derive(Default)]
struct Tally {
    good: AtomicUsize,
    tokens: Mutex<BTreeMap<String, usize>>,
}

impl Tally {
    fn note(&self, answer: &Response, what: &str) {
        assert!(answer.status().is_success(), "{what}: {} {:?}", answer.status(), answer.headers());
        self.good.fetch_add(1, Ordering::Relaxed);
    }

    fn note_token(&self, token: &str) {
        *self.tokens.lock().unwrap().entry(signed_by(token).0).or_default() += 1;
    }

    fn tokens_by(&self, alg: &str) -> usize {
        self.tokens.lock().unwrap().get(alg).copied().unwrap_or(0)
    }
}

/// A browser: loses its access cookie every other time, and shows the new one to the other replica at once.
async fn browse(replicas: &Replicas, mut jar: Jar, tally: &Tally, stop: &AtomicBool) {
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) && turn < MOST {
        let answer = replicas.at(turn).get_with("/protected", &jar.without_access()).await;
        tally.note(&answer, "a refresh");
        jar.apply(&answer);
        if let Some(token) = jar.get(ACCESS) {
            tally.note_token(token);
        }
        tally.note(&replicas.at(turn + 1).get_with("/verify", &jar).await, "the other replica");
        turn += 1;
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// A program: keeps its first token, gets new ones by its refresh token, and shows both to both replicas at once.
async fn call(replicas: &Replicas, username: &str, tally: &Tally, stop: &AtomicBool) {
    let first = replicas.at(0).token(username).await;
    let old = first["access_token"].as_str().unwrap().to_owned();
    let mut refresh = first["refresh_token"].as_str().unwrap().to_owned();
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) && turn < MOST {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let answer = replicas.at(turn).post("/token").form(&form).send().await.unwrap();
        tally.note(&answer, "a refresh grant");
        let body: Value = answer.json().await.unwrap();
        if let Some(next) = body["refresh_token"].as_str() {
            next.clone_into(&mut refresh);
        }
        let new = body["access_token"].as_str().unwrap();
        tally.note_token(new);
        for (token, which) in [(new, "a new token"), (old.as_str(), "the old token")] {
            for turn in [turn + 1, turn] {
                tally.note(&replicas.at(turn).get("/protected").bearer_auth(token).send().await.unwrap(), which);
            }
        }
        turn += 1;
    }
}

/// An attacker: uses up what an unknown key may ask of the directory.
async fn flood(replicas: &Replicas, token: &str, stop: &AtomicBool) {
    let rest = token.split_once('.').unwrap().1;
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) && turn < MOST {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": format!("{turn:043}")});
        let forged = format!("{}.{rest}", encode(header.to_string()));
        let answer = replicas.at(turn).get("/protected").bearer_auth(forged).send().await.unwrap();
        assert_eq!(answer.status(), 401);
        turn += 1;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// HS256, EdDSA, ES256, HS256, again and again: each key pair is made and signs at once.
async fn rotate_all(replicas: &Replicas, tally: &Tally, stop: &AtomicBool) {
    for round in 0..3 {
        for alg in ["EdDSA", "ES256", "HS256"] {
            let home = replicas.home();
            let change = move || if alg == "HS256" { rotate(&home, alg) } else { drop(new_signing(&home, alg)) };
            tokio::task::spawn_blocking(change).await.expect("a key");
            for replica in &replicas.0 {
                wait_signing(replica, alg).await;
            }
            let before = tally.tokens_by(alg);
            let used = async || tally.tokens_by(alg) > before + 10;
            assert!(crate::app::eventually(used).await, "nobody gets a token by {alg} in round {round}");
        }
    }
    stop.store(true, Ordering::Relaxed);
}

#[tokio::test]
async fn keys_rotated_under_load_cost_nobody_a_single_401() {
    let replicas = Replicas::start().await;
    for name in ["ada", "eve", "joe", "liz"] {
        replicas.0[0].register(name).await;
    }
    let (ada, eve) = (replicas.0[0].log_in("ada").await, replicas.0[1].log_in("eve").await);
    let some = access_token(&replicas.0[0], "ada").await;
    let (tally, stop) = (Tally::default(), AtomicBool::new(false));
    tokio::join!(
        browse(&replicas, ada, &tally, &stop),
        browse(&replicas, eve, &tally, &stop),
        call(&replicas, "joe", &tally, &stop),
        call(&replicas, "liz", &tally, &stop),
        flood(&replicas, &some, &stop),
        rotate_all(&replicas, &tally, &stop),
    );
    assert!(tally.good.load(Ordering::Relaxed) > 500);
    for replica in &replicas.0 {
        assert!(!replica.log().contains("refresh_token_reuse"), "{}", replica.log());
    }
}

#[tokio::test]
async fn a_token_of_one_replica_is_good_on_another_that_has_just_started() {
    let home = Home::new();
    let replica = || Setup::default().set("tokens.issuer", "https://id.example");
    let one = replica().start_in(home.clone()).await;
    one.register("ada").await;
    let kid = new_signing(&home, "EdDSA");
    // It reads the new key while it starts, and may sign with it first.
    let other = replica().start_in(home.clone()).await;
    let token = access_token(&other, "ada").await;
    assert_eq!(signed_by(&token), ("EdDSA".to_owned(), kid));
    assert!(accepted(&one, &token).await && accepted(&other, &token).await);
}

#[tokio::test]
async fn a_key_that_a_replica_has_not_met_is_looked_up_before_its_token_is_refused() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let claims = part(&access_token(&tacit, "ada").await, 1);
    for _ in 0..5 {
        let kid = generate(&tacit.home, "EdDSA");
        // As another replica would that has it already.
        let pem = std::fs::read(pem_path(&tacit.home, &kid)).unwrap();
        let pair = Ed25519KeyPair::from_pkcs8(pem::parse(pem).unwrap().contents()).unwrap();
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": kid});
        let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let token = format!("{message}.{}", encode(pair.sign(message.as_bytes())));
        assert!(accepted(&tacit, &token).await, "{}", tacit.log());
        // Once a second is how often it looks.
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
}

#[tokio::test]
async fn a_pair_that_is_made_and_signs_at_once_signs_only_when_every_replica_has_had_it() {
    let replicas = Replicas::start().await;
    replicas.0[0].register("ada").await;
    for alg in ["EdDSA", "ES256", "EdDSA"] {
        let kid = new_signing(&replicas.home(), alg);
        for turn in 0..400 {
            let token = access_token(replicas.at(turn), "ada").await;
            assert!(accepted(replicas.at(turn + 1), &token).await, "{alg} {turn}");
            if signed_by(&token).1 == kid {
                break;
            }
        }
        wait_signing(&replicas.0[0], alg).await;
        wait_signing(&replicas.0[1], alg).await;
        assert_eq!(signed_by(&access_token(&replicas.0[0], "ada").await).1, kid);
    }
}
