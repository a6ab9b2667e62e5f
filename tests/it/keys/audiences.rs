//! Keys of HS256 for one audience each: who verifies can sign, and so nobody gets another one's.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{new_signing, rotate, signed_by, wait_signing};
use crate::access_tokens::{assert_invalid, with};
use crate::app::{Home, Setup, Tacit, run};
use crate::clients::{Credentials, create};
use crate::command_line::{done, fails, json as parsed, text};
use crate::forge::{self, OTHER_SECRET, SECRET, encode};
use crate::introspect::introspect;
use crate::shapes::{members, part};

/// HKDF-SHA256 without salt (RFC 5869), one block: what `tacit keys show` is to print.
fn secret_of(secret: &str, audience: &str) -> String {
    let hmac = |key: &[u8], message: &[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    };
    let pseudorandom = hmac(&[0; 32], secret.as_bytes());
    let info = format!("tacit access tokens for the audience {audience}");
    encode(hmac(&pseudorandom, &[info.as_bytes(), &[1]].concat()))
}

fn shown(home: &Home, audience: &str, secret: &str) -> String {
    let setting = format!("tokens.secret={secret}");
    done(home, &["keys", "show", "--audience", audience, "--set", &setting], "").trim_end().to_owned()
}

/// A service, and a client whose tokens are for "orders" or "billing".
async fn start() -> (Tacit, Credentials) {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    let client = client(&tacit.home);
    (tacit, client)
}

fn client(home: &Home) -> Credentials {
    let audiences = ["--audience", "orders", "--audience", "billing", "--audience", "tacit"];
    create(home, "caller", &[["--grant", "client_credentials"].as_slice(), &audiences].concat())
}

async fn token_for(tacit: &Tacit, client: &Credentials, audience: &str) -> String {
    let form = [("grant_type", "client_credentials"), ("audience", audience)];
    let answer = client.on(tacit.post("/token").form(&form)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.unwrap()["access_token"].as_str().expect("a token").to_owned()
}

async fn is_active(tacit: &Tacit, client: &Credentials, token: &str) -> bool {
    introspect(tacit, client, token).await["active"] == true
}

/// Claims as given, signed by HS256 under a secret's own name.
fn forged(claims: &Value, secret: &str) -> String {
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": forge::kid(secret)});
    forge::sign_text(&header.to_string(), &claims.to_string(), secret)
}

/// The signature that a backend with this secret expects.
fn verifies(token: &str, secret: &str) -> bool {
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    encode(forge::hmac_sha256(secret, message)) == signature
}

#[tokio::test]
async fn a_token_for_another_audience_is_signed_by_that_audiences_key() {
    let (tacit, client) = start().await;
    for audience in ["orders", "billing"] {
        let token = token_for(&tacit, &client, audience).await;
        let secret = shown(&tacit.home, audience, SECRET);
        assert_eq!(secret, secret_of(SECRET, audience));
        assert!(verifies(&token, &secret) && !verifies(&token, SECRET));
        assert_eq!(signed_by(&token), ("HS256".to_owned(), forge::kid(&secret)));
        assert!(is_active(&tacit, &client, &token).await);
    }
    let own = token_for(&tacit, &client, "tacit").await;
    assert!(verifies(&own, SECRET) && is_active(&tacit, &client, &own).await);
    let json = done(
        &tacit.home,
        &["keys", "show", "--audience", "orders", "--json", "--set", &format!("tokens.secret={SECRET}")],
        "",
    );
    let json = parsed(&json);
    assert_eq!(members(&json), ["alg", "audience", "kid", "secret"]);
    assert_eq!(json["kid"], json!(forge::kid(secret_of(SECRET, "orders"))));
}

#[tokio::test]
async fn who_holds_an_audiences_key_makes_no_token_for_anybody_else() {
    let (tacit, client) = start().await;
    tacit.register("ada").await;
    let user = part(tacit.token("ada").await["access_token"].as_str().unwrap(), 1);
    let service = part(&token_for(&tacit, &client, "orders").await, 1);
    let orders = secret_of(SECRET, "orders");
    assert!(is_active(&tacit, &client, &forged(&service, &orders)).await, "or the refusals below mean nothing");
    for audience in ["billing", "tacit", "elsewhere", ""] {
        let token = forged(&with(service.clone(), "aud", json!(audience)), &orders);
        assert!(!is_active(&tacit, &client, &token).await, "{audience}");
    }
    for audience in ["tacit", "orders", "billing"] {
        let token = forged(&with(user.clone(), "aud", json!(audience)), &orders);
        assert_invalid(&tacit, &token, audience).await;
        assert!(!is_active(&tacit, &client, &token).await, "{audience}");
    }
    // Nor is a session ended by such a token.
    let token = forged(&user, &orders);
    let answer = tacit.post("/revoke").form(&[("token", token.as_str())]).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(tacit.home.database.number("SELECT count(*) AS value FROM sessions WHERE revoked_at IS NOT NULL"), 0);
    // And our own secret signs for our own audience alone.
    assert!(!is_active(&tacit, &client, &forged(&service, SECRET)).await);
    // The key of one audience under the name of another's.
    let billing = forge::kid(secret_of(SECRET, "billing"));
    let header = json!({"alg": "HS256", "typ": "at+jwt", "kid": billing});
    let renamed = with(service, "aud", json!("billing")).to_string();
    assert!(!is_active(&tacit, &client, &forge::sign_text(&header.to_string(), &renamed, &orders)).await);
}

#[tokio::test]
async fn another_replica_knows_the_key_of_an_audience_that_was_added_just_now() {
    let home = Home::new();
    let replica = || Setup::default().set("tokens.secret", SECRET).set("tokens.issuer", "https://id.example");
    let (one, other) = (replica().start_in(home.clone()).await, replica().start_in(home.clone()).await);
    let client = client(&home);
    for audience in ["orders", "billing"] {
        let token = token_for(&one, &client, audience).await;
        assert!(is_active(&other, &client, &token).await, "{audience}");
    }
    let restarted = replica().start_in(home.clone()).await;
    assert!(is_active(&restarted, &client, &token_for(&one, &client, "orders").await).await);
    let explained = explain(&home, &token_for(&one, &client, "orders").await);
    assert!(
        explained.contains("for the audience orders, which signs") && explained.contains("It is good."),
        "{explained}"
    );
}

#[tokio::test]
async fn who_asks_while_another_one_learns_an_audience_is_told_the_truth_too() {
    let home = Home::new();
    let replica = || Setup::default().set("tokens.secret", SECRET).set("tokens.issuer", "https://id.example");
    let client = client(&home);
    let first = replica().start_in(home.clone()).await;
    let token = token_for(&first, &client, "orders").await;
    // So many that reading them takes a while.
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)";
    let columns = "id, name, secret_hash, grants, scopes, audiences, created_at, secret_changed_at";
    home.database.execute(&format!(
        "INSERT INTO clients ({columns}) {numbers} SELECT 'id-' || i, 'name-' || i, secret_hash, grants, scopes, \
         audiences, created_at, secret_changed_at FROM n, clients"
    ));
    for round in 0..3 {
        let restarted = replica().start_in(home.clone()).await;
        let asked = (0..20).map(|_| is_active(&restarted, &client, &token));
        let active = futures_util::future::join_all(asked).await;
        assert!(active.iter().all(|active| *active), "{round}: {active:?}");
    }
}

/// What `tacit token explain` prints.
fn explain(home: &Home, token: &str) -> String {
    let secret = format!("tokens.secret={SECRET}");
    let issuer = "tokens.issuer=https://id.example";
    text(&run(home, &["--set", &secret, "--set", issuer, "token", "explain", token], "").stdout).to_owned()
}

#[tokio::test]
async fn an_operator_is_told_why_a_key_of_an_audience_is_not_enough() {
    let home = Home::new();
    let tacit = Setup::default()
        .set("tokens.secret", SECRET)
        .set("tokens.issuer", "https://id.example")
        .start_in(home.clone())
        .await;
    let client = client(&home);
    let claims = with(part(&token_for(&tacit, &client, "orders").await, 1), "aud", json!("billing"));
    let explained = explain(&home, &forged(&claims, &secret_of(SECRET, "orders")));
    assert!(explained.contains("the key of another audience") && explained.contains("It is refused."), "{explained}");
}

#[tokio::test]
async fn the_keys_of_a_previous_secret_verify_while_a_new_one_takes_over() {
    let home = Home::new();
    let replica = |signing: &str, previous: &str| {
        let setup = Setup::default().set("tokens.issuer", "https://id.example").set("tokens.secret", signing);
        setup.set("tokens.previous_secrets", previous)
    };
    let client = client(&home);
    let old = replica(SECRET, OTHER_SECRET).start_in(home.clone()).await;
    let new = replica(OTHER_SECRET, SECRET).start_in(home.clone()).await;
    let (by_old, by_new) = (token_for(&old, &client, "orders").await, token_for(&new, &client, "orders").await);
    assert!(verifies(&by_old, &secret_of(SECRET, "orders")) && verifies(&by_new, &secret_of(OTHER_SECRET, "orders")));
    assert!(is_active(&new, &client, &by_old).await && is_active(&old, &client, &by_new).await);
    let alone = Setup::default().set("tokens.issuer", "https://id.example").set("tokens.secret", OTHER_SECRET);
    let alone = alone.start_in(home.clone()).await;
    assert!(is_active(&alone, &client, &by_new).await && !is_active(&alone, &client, &by_old).await);
}

#[tokio::test]
async fn a_key_pair_that_signs_does_so_for_every_audience() {
    let (tacit, client) = start().await;
    let before = token_for(&tacit, &client, "orders").await;
    let kid = new_signing(&tacit.home, "EdDSA");
    wait_signing(&tacit, "EdDSA").await;
    for audience in ["orders", "billing", "tacit"] {
        let token = token_for(&tacit, &client, audience).await;
        assert_eq!(signed_by(&token), ("EdDSA".to_owned(), kid.clone()));
        assert!(is_active(&tacit, &client, &token).await && is_active(&tacit, &client, &before).await);
    }
    rotate(&tacit.home, "HS256");
    wait_signing(&tacit, "HS256").await;
    assert_eq!(signed_by(&token_for(&tacit, &client, "orders").await), signed_by(&before));
}

#[test]
fn the_key_of_our_own_audience_or_of_no_audience_is_not_handed_out() {
    let home = Home::new();
    let complaint = fails(&home, &["keys", "show", "--audience", "tacit"], "", 1);
    assert!(complaint.contains("tokens.secret itself"), "{complaint}");
    fails(&home, &["keys", "show"], "", 2);
    for audience in ["", " ", "orders billing", "orders ", "a\"b", "bestellungen-\u{fc}"] {
        fails(&home, &["keys", "show", "--audience", audience], "", 2);
    }
    assert_eq!(shown(&home, "orders", SECRET), shown(&home, "orders", SECRET));
    assert_ne!(shown(&home, "orders", SECRET), shown(&home, "orders2", SECRET));
}
