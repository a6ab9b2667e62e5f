//! Tokens whose makers hold a public key, another key, or a signature to play with.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::{access_token, generate, pem_path, published, rotate, signed_by, token_by, wait_signing};
use crate::access_tokens::{accepted, assert_invalid, refused, with};
use crate::app::{Setup, Tacit};
use crate::forge::{self, OTHER_SECRET, SECRET, encode};
use crate::shapes::part;

/// DER in front of a raw public key makes it a `SubjectPublicKeyInfo` (RFC 8410, section 10.1; RFC 5480, section 2).
const ED25519_SPKI: &str = "302a300506032b6570032100";
const P256_SPKI: &str = "3059301306072a8648ce3d020106082a8648ce3d030107034200";

/// The orders of the groups, big-endian for P-256 (SEC 2) and little-endian for Ed25519 (RFC 8032).
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex")).collect()
}

/// A service with a pair of each algorithm, and a good token by each.
struct Keys {
    tacit: Tacit,
    ed: Ed25519KeyPair,
    ed_kid: String,
    ed_token: String,
    ec: EcdsaKeyPair,
    ec_asn1: EcdsaKeyPair,
    ec_kid: String,
    ec_token: String,
}

impl Keys {
    async fn start() -> Self {
        let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
        tacit.register("ada").await;
        let (ed_kid, ec_kid) = (generate(&tacit.home, "EdDSA"), generate(&tacit.home, "ES256"));
        rotate(&tacit.home, "EdDSA");
        let ed_token = token_by(&tacit, "ada", "EdDSA").await;
        rotate(&tacit.home, "ES256");
        let ec_token = token_by(&tacit, "ada", "ES256").await;
        let der = |kid: &str| {
            let text = std::fs::read(pem_path(&tacit.home, kid)).expect("a PEM file");
            pem::parse(text).expect("PEM").into_contents()
        };
        Self {
            ed: Ed25519KeyPair::from_pkcs8(&der(&ed_kid)).expect("Ed25519"),
            ec: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der(&ec_kid)).expect("P-256"),
            ec_asn1: EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &der(&ec_kid)).expect("P-256"),
            tacit,
            ed_kid,
            ed_token,
            ec_kid,
            ec_token,
        }
    }

    fn claims(&self) -> Value {
        part(&self.ec_token, 1)
    }

    fn by_ed(&self, header: &Value) -> String {
        signed(header, &self.claims(), |message| self.ed.sign(message).as_ref().to_vec())
    }

    fn by_ec(&self, header: &Value) -> String {
        signed(header, &self.claims(), |message| self.ec.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
    }
}

fn header(alg: &str, kid: &str) -> Value {
    json!({"alg": alg, "typ": "at+jwt", "kid": kid})
}

fn signed(header: &Value, claims: &Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", encode(signature))
}

/// The same token with another signature.
fn resigned(token: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    format!("{message}.{}", encode(change(signature)))
}

#[tokio::test]
async fn tokens_made_by_the_rules_are_accepted_so_the_refusals_below_mean_something() {
    let keys = Keys::start().await;
    assert!(accepted(&keys.tacit, &keys.ed_token).await && accepted(&keys.tacit, &keys.ec_token).await);
    assert!(accepted(&keys.tacit, &keys.by_ed(&header("EdDSA", &keys.ed_kid))).await);
    assert!(accepted(&keys.tacit, &keys.by_ec(&header("ES256", &keys.ec_kid))).await);
}

#[tokio::test]
async fn a_public_key_is_no_secret_of_hmac_in_any_form() {
    let keys = Keys::start().await;
    let jwks = published(&keys.tacit).await;
    for (kid, raw, spki) in [
        (&keys.ed_kid, keys.ed.public_key().as_ref().to_vec(), ED25519_SPKI),
        (&keys.ec_kid, keys.ec.public_key().as_ref().to_vec(), P256_SPKI),
    ] {
        let der = [hex(spki), raw.clone()].concat();
        let lines = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        let text = pem::encode_config(&pem::Pem::new("PUBLIC KEY", der.as_slice()), lines);
        let jwk = jwks.iter().find(|key| key["kid"] == json!(kid)).expect("published").clone();
        let x = jwk["x"].as_str().unwrap().to_owned();
        let secrets: [Vec<u8>; 10] = [
            raw.clone(),
            raw[1..].to_vec(),
            der.clone(),
            text.trim_end().as_bytes().to_vec(),
            text.clone().into_bytes(),
            text.replace('\n', "\r\n").into_bytes(),
            BASE64_STANDARD.encode(&der).into_bytes(),
            x.into_bytes(),
            jwk.to_string().into_bytes(),
            kid.clone().into_bytes(),
        ];
        for secret in secrets {
            for alg in ["HS256", "EdDSA", "ES256"] {
                for kid in [kid.clone(), forge::kid(&secret)] {
                    let token = forge::sign_text(&header(alg, &kid).to_string(), &keys.claims().to_string(), &secret);
                    assert_invalid(&keys.tacit, &token, alg).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn each_key_is_good_for_its_own_algorithm_only() {
    let keys = Keys::start().await;
    let secret = forge::kid(SECRET);
    for (alg, kid) in [
        ("ES256", &keys.ed_kid),
        ("HS256", &keys.ed_kid),
        ("EdDSA", &keys.ec_kid),
        ("HS256", &keys.ec_kid),
        ("ES384", &keys.ec_kid),
        ("RS256", &keys.ec_kid),
        ("none", &keys.ed_kid),
        ("Ed25519", &keys.ed_kid),
        ("EdDSA", &secret),
        ("ES256", &secret),
    ] {
        let header = header(alg, kid);
        for token in [keys.by_ed(&header), keys.by_ec(&header), forge::sign(&header, &keys.claims())] {
            assert_invalid(&keys.tacit, &token, &header.to_string()).await;
        }
    }
    // Under its own name each is refused what another one signed.
    assert_invalid(&keys.tacit, &keys.by_ec(&header("EdDSA", &keys.ed_kid)), "ES256 as EdDSA").await;
    assert_invalid(&keys.tacit, &keys.by_ed(&header("ES256", &keys.ec_kid)), "EdDSA as ES256").await;
}

#[tokio::test]
async fn a_key_that_the_token_brings_along_is_never_used() {
    let keys = Keys::start().await;
    let own = Ed25519KeyPair::generate().expect("a key");
    let x = encode(own.public_key().as_ref());
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": x, "alg": "EdDSA", "use": "sig", "kid": keys.ed_kid});
    for extra in [
        json!({"jwk": jwk}),
        json!({"jku": "https://evil.example/jwks.json"}),
        json!({"x5u": "https://evil.example/cert.pem"}),
        json!({"x5c": ["MIIB"]}),
        json!({"x5t": "AAAA"}),
        json!({}),
    ] {
        let foreign = header("EdDSA", &jwk_thumbprint(&x));
        for mut header in [header("EdDSA", &keys.ed_kid), foreign] {
            header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let token = signed(&header, &keys.claims(), |message| own.sign(message).as_ref().to_vec());
            assert_invalid(&keys.tacit, &token, &header.to_string()).await;
            // Nor is the header tolerated under the right key.
            if extra != json!({}) {
                assert_invalid(&keys.tacit, &keys.by_ed(&header), &header.to_string()).await;
            }
        }
    }
}

fn jwk_thumbprint(x: &str) -> String {
    use sha2::Digest;
    encode(sha2::Sha256::digest(format!("{{\"crv\":\"Ed25519\",\"kty\":\"OKP\",\"x\":\"{x}\"}}")))
}

#[tokio::test]
async fn a_signature_of_es256_has_64_bytes_and_may_have_either_s() {
    let keys = Keys::start().await;
    let good = header("ES256", &keys.ec_kid);
    let der = signed(&good, &keys.claims(), |message| {
        keys.ec_asn1.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    });
    assert_invalid(&keys.tacit, &der, "DER").await;
    for (bytes, why) in
        [(vec![0; 64], "zeros"), (vec![255; 64], "ones"), (vec![0; 1], "short"), (vec![1; 4096], "long")]
    {
        assert_invalid(&keys.tacit, &resigned(&keys.ec_token, |_| bytes), why).await;
    }
    let zero_s = resigned(&keys.ec_token, |signature| [&signature[..32], &[0; 32]].concat());
    assert_invalid(&keys.tacit, &zero_s, "s is zero").await;
    let order_s = resigned(&keys.ec_token, |signature| [&signature[..32], &hex(P256_ORDER)].concat());
    assert_invalid(&keys.tacit, &order_s, "s is the order").await;
    let longer = resigned(&keys.ec_token, |signature| [signature.as_slice(), &[0]].concat());
    assert_invalid(&keys.tacit, &longer, "65 bytes").await;
    assert_invalid(&keys.tacit, &resigned(&keys.ec_token, |signature| signature[..63].to_vec()), "63 bytes").await;
    // RFC 7518 knows no canonical s, and signers write both: so -s is as good as s.
    let other_s = resigned(&keys.ec_token, |signature| [&signature[..32], &minus(&signature[32..])].concat());
    assert_ne!(other_s, keys.ec_token);
    assert!(accepted(&keys.tacit, &other_s).await);
}

/// The order of P-256 less a number.
fn minus(number: &[u8]) -> Vec<u8> {
    let mut borrow = 0;
    let mut digits: Vec<u8> = hex(P256_ORDER)
        .iter()
        .zip(number)
        .rev()
        .map(|(left, right)| {
            let digit = i16::from(*left) - i16::from(*right) - borrow;
            borrow = i16::from(digit < 0);
            u8::try_from(digit.rem_euclid(256)).expect("a byte")
        })
        .collect();
    digits.reverse();
    digits
}

#[tokio::test]
async fn a_signature_of_eddsa_has_one_form() {
    let keys = Keys::start().await;
    // s + the group's order: the same number to a careless verifier.
    let other_s = resigned(&keys.ed_token, |signature| {
        let mut carry = 0;
        let sum = signature[32..].iter().zip(hex(ED25519_ORDER)).map(|(left, right)| {
            let digit = u16::from(*left) + u16::from(right) + carry;
            carry = digit >> 8;
            u8::try_from(digit & 0xff).expect("a byte")
        });
        [&signature[..32], &sum.collect::<Vec<u8>>()].concat()
    });
    assert_invalid(&keys.tacit, &other_s, "s beyond the order").await;
    assert_invalid(&keys.tacit, &resigned(&keys.ed_token, |_| vec![0; 64]), "zeros").await;
    assert_invalid(&keys.tacit, &resigned(&keys.ed_token, |signature| signature[..63].to_vec()), "63 bytes").await;
}

#[tokio::test]
async fn the_claims_are_looked_at_only_behind_a_good_signature() {
    let keys = Keys::start().await;
    let mut claims = keys.claims();
    claims["role"] = json!("admin");
    let (head, signature) = (keys.ed_token.split('.').next().unwrap(), keys.ed_token.rsplit('.').next().unwrap());
    let swapped = format!("{head}.{}.{signature}", encode(claims.to_string()));
    assert_invalid(&keys.tacit, &swapped, "another payload").await;
    // Expired and forged: nobody learns that it would have expired.
    claims["exp"] = json!(1);
    let forged = format!("{head}.{}.{signature}", encode(claims.to_string()));
    assert_invalid(&keys.tacit, &forged, "expired and forged").await;
    let expired = signed(&header("EdDSA", &keys.ed_kid), &claims, |message| keys.ed.sign(message).as_ref().to_vec());
    assert_eq!(refused(&keys.tacit, &expired).await.code, "token_expired");
    for (claim, value) in [("iss", "https://evil.example"), ("aud", "orders")] {
        let claims = with(keys.claims(), claim, json!(value));
        let token = signed(&header("EdDSA", &keys.ed_kid), &claims, |message| keys.ed.sign(message).as_ref().to_vec());
        assert_invalid(&keys.tacit, &token, claim).await;
    }
    let untyped = with(header("EdDSA", &keys.ed_kid), "typ", json!("JWT"));
    assert_invalid(&keys.tacit, &keys.by_ed(&untyped), "typ").await;
}

#[tokio::test]
async fn a_kid_is_an_exact_name_also_beside_a_directory_of_keys() {
    let keys = Keys::start().await;
    let kid = &keys.ed_kid;
    let swapped: String =
        kid.chars().map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }).collect();
    let huge = "a".repeat(5_000);
    for other in [
        &format!("{kid}.pem"),
        &format!("./{kid}"),
        &format!("../keys/{kid}"),
        &format!("{kid} "),
        &format!("{kid}\0"),
        &format!("{kid}="),
        &swapped,
        &kid[..42].to_owned(),
        &format!("{}/../../../../etc/passwd", &kid[..19]),
        &"' OR 1=1; --".to_owned(),
        &"https://evil.example/jwks.json".to_owned(),
        &"index".to_owned(),
        &huge,
    ] {
        assert_invalid(&keys.tacit, &keys.by_ed(&header("EdDSA", other)), other).await;
    }
    let monstrous = keys.by_ed(&header("EdDSA", &"a".repeat(100_000)));
    let answer = keys.tacit.get("/me").bearer_auth(monstrous).send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
}

#[tokio::test]
async fn the_secret_goes_on_verifying_while_a_key_pair_signs_and_no_other_secret_does() {
    let keys = Keys::start().await;
    let by_secret = forge::sign(&forge::header(), &keys.claims());
    assert!(accepted(&keys.tacit, &by_secret).await);
    let other = header("HS256", &forge::kid(OTHER_SECRET));
    assert_invalid(
        &keys.tacit,
        &forge::sign_text(&other.to_string(), &keys.claims().to_string(), OTHER_SECRET),
        "another secret",
    )
    .await;
    rotate(&keys.tacit.home, "HS256");
    wait_signing(&keys.tacit, "HS256").await;
    let token = access_token(&keys.tacit, "ada").await;
    assert_eq!(signed_by(&token), ("HS256".to_owned(), forge::kid(SECRET)));
}
