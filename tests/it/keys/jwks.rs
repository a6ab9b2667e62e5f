//! GET /.well-known/jwks.json (RFC 7517).

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{generate, new_signing, published, token_by, wait_published};
use crate::app::{Setup, Tacit};
use crate::problems;
use crate::shapes::members;

const PATH: &str = "/.well-known/jwks.json";

fn bytes(text: &Value) -> Vec<u8> {
    BASE64_URL_SAFE_NO_PAD.decode(text.as_str().expect("a text")).expect("base64url")
}

/// Verifies as a backend does that knows nothing but the published key.
fn verifies(key: &Value, token: &str) -> bool {
    let (signed, signature) = token.rsplit_once('.').expect("a signature");
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    let (algorithm, public): (&'static dyn VerificationAlgorithm, Vec<u8>) = if key["kty"] == "OKP" {
        (&ED25519, bytes(&key["x"]))
    } else {
        (&ECDSA_P256_SHA256_FIXED, [vec![4], bytes(&key["x"]), bytes(&key["y"])].concat())
    };
    UnparsedPublicKey::new(algorithm, public).verify(signed.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn with_a_secret_only_there_is_no_key_to_publish_and_never_the_secret() {
    let tacit = Tacit::start().await;
    let answer = tacit.get(PATH).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    problems::assert_plain_security_headers(answer.headers());
    assert_eq!(answer.text().await.unwrap(), r#"{"keys":[]}"#);
}

#[tokio::test]
async fn a_key_pair_is_published_with_its_public_members_only() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let ed = generate(&tacit.home, "EdDSA");
    let ec = generate(&tacit.home, "ES256");
    wait_published(&tacit, 2).await;
    let keys = published(&tacit).await;
    assert_eq!(members(&keys[0]), ["alg", "crv", "kid", "kty", "use", "x"]);
    assert_eq!(members(&keys[1]), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
    for (key, expected) in keys.iter().zip([
        json!({"alg": "EdDSA", "crv": "Ed25519", "kid": ed, "kty": "OKP", "use": "sig"}),
        json!({"alg": "ES256", "crv": "P-256", "kid": ec, "kty": "EC", "use": "sig"}),
    ]) {
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(key[member], *value, "{member}");
        }
        // RFC 7638: the required members, sorted, without a space.
        let required: serde_json::Map<String, Value> = ["crv", "kty", "x", "y"]
            .into_iter()
            .filter_map(|name| key.get(name).map(|value| (name.to_owned(), value.clone())))
            .collect();
        let thumbprint = Sha256::digest(Value::Object(required).to_string());
        assert_eq!(key["kid"], json!(BASE64_URL_SAFE_NO_PAD.encode(thumbprint)));
        assert_eq!(bytes(&key["x"]).len(), 32);
    }
    let signing = new_signing(&tacit.home, "ES256");
    let token = token_by(&tacit, "ada", "ES256").await;
    let keys = published(&tacit).await;
    let key = keys.iter().find(|key| key["kid"] == json!(signing)).expect("the signing key");
    assert!(verifies(key, &token));
    assert!(keys.iter().filter(|other| other["alg"] == "ES256").filter(|other| verifies(other, &token)).count() == 1);
}

#[tokio::test]
async fn a_backend_that_knows_the_published_key_alone_verifies_eddsa() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    new_signing(&tacit.home, "EdDSA");
    let token = token_by(&tacit, "ada", "EdDSA").await;
    let keys = published(&tacit).await;
    assert!(verifies(&keys[0], &token));
    let (signed, _) = token.rsplit_once('.').unwrap();
    assert!(!verifies(&keys[0], &format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode([0; 64]))));
}

#[tokio::test]
async fn the_set_may_be_cached_for_a_minute_and_has_a_tag_of_its_own() {
    let tacit = Setup::default().set("server.base_path", "/auth").start().await;
    let ask = async |tag: Option<&str>| {
        let request = tacit.get(PATH);
        tag.map_or(request.try_clone().unwrap(), |tag| request.header("if-none-match", tag)).send().await.unwrap()
    };
    let answer = ask(None).await;
    let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(answer.headers()["cache-control"], "public, max-age=60");
    for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}"), "*".to_owned()] {
        let answer = ask(Some(&known)).await;
        assert_eq!((answer.status().as_u16(), answer.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
        assert_eq!(answer.headers()["cache-control"], "public, max-age=60");
    }
    generate(&tacit.home, "EdDSA");
    wait_published(&tacit, 1).await;
    let answer = ask(Some(&tag)).await;
    assert_eq!(answer.status(), 200);
    assert_ne!(answer.headers()["etag"], tag.as_str());
}
