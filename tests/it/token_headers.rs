//! Access tokens whose header is none of ours.

use serde_json::json;

use crate::access_tokens::{NOT_A_TOKEN, assert_invalid, refused, start, with, without};
use crate::forge::{self, OTHER_SECRET, SECRET};
use crate::shapes::part;

#[tokio::test]
async fn alg_none_is_refused_in_every_spelling() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1).to_string();
    let signature = token.rsplit('.').next().unwrap();
    for alg in ["none", "None", "NONE", "nOnE", "none ", "", "HS256\0", "hs256", "HMAC"] {
        for header in [
            json!({"alg": alg, "typ": "at+jwt", "kid": forge::kid(SECRET)}),
            json!({"alg": alg, "typ": "at+jwt"}),
            json!({"alg": alg}),
        ] {
            let signed = format!("{}.{}", forge::encode(header.to_string()), forge::encode(&claims));
            assert_invalid(&tacit, &format!("{signed}.{signature}"), alg).await;
            assert_invalid(&tacit, &forge::sign_text(&header.to_string(), &claims, SECRET), alg).await;
            let unsigned = refused(&tacit, &format!("{signed}.")).await;
            assert_eq!(unsigned.detail, NOT_A_TOKEN);
        }
    }
}

#[tokio::test]
async fn another_algorithm_is_refused_also_with_the_right_secret() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    assert_invalid(&tacit, &forge::sign_hs384(&claims), "HS384").await;
    for alg in [
        json!("HS384"),
        json!("HS512"),
        json!("RS256"),
        json!("ES256"),
        json!("EdDSA"),
        json!(null),
        json!(256),
        json!(["HS256"]),
    ] {
        let header = with(forge::header(), "alg", alg.clone());
        assert_invalid(&tacit, &forge::sign(&header, &claims), &alg.to_string()).await;
    }
}

#[tokio::test]
async fn every_other_header_is_refused_before_the_claims_are_looked_at() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    let jwk = json!({"kty": "oct", "k": forge::encode(OTHER_SECRET)});
    for (header, why) in [
        (with(forge::header(), "typ", json!("JWT")), "typ JWT"),
        (with(forge::header(), "typ", json!("")), "typ empty"),
        (with(forge::header(), "typ", json!(1)), "typ a number"),
        (without(forge::header(), "typ"), "typ missing"),
        (with(forge::header(), "crit", json!(["exp"])), "crit"),
        (with(forge::header(), "crit", json!([])), "an empty crit"),
        (with(forge::header(), "jwk", jwk), "jwk"),
        (with(forge::header(), "jku", json!("https://evil.example/jwks.json")), "jku"),
        (with(forge::header(), "x5u", json!("https://evil.example/cert.pem")), "x5u"),
        (with(forge::header(), "x5c", json!(["MIIB"])), "x5c"),
        (with(forge::header(), "b64", json!(false)), "b64"),
        (with(forge::header(), "cty", json!("JWT")), "cty"),
    ] {
        assert_invalid(&tacit, &forge::sign(&header, &claims), why).await;
        let other = forge::sign_text(&header.to_string(), &claims.to_string(), OTHER_SECRET);
        assert_invalid(&tacit, &other, why).await;
    }
    let twice = format!("{{\"alg\":\"none\",\"alg\":\"HS256\",\"typ\":\"at+jwt\",\"kid\":\"{}\"}}", forge::kid(SECRET));
    assert_invalid(&tacit, &forge::sign_text(&twice, &claims.to_string(), SECRET), "alg twice").await;
    for header in ["[]", "null", "1", "\"x\"", "", " ", "{", "{}", "\u{feff}{}"] {
        let token = forge::sign_text(header, &claims.to_string(), SECRET);
        assert_eq!(refused(&tacit, &token).await.code, "invalid_token", "{header}");
    }
}

#[tokio::test]
async fn a_kid_is_an_exact_name_and_never_a_path_a_query_or_a_burden() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    let (known, huge) = (forge::kid(SECRET), "a".repeat(40_000));
    let padded = format!("{known} ");
    for kid in [
        "../../../../dev/null",
        "/dev/null",
        "' UNION SELECT 'x",
        "https://evil.example/key",
        "",
        "0",
        "null",
        &huge,
        &known[..15],
        &padded,
        &known.to_uppercase(),
        &forge::kid(OTHER_SECRET),
    ] {
        if kid == known {
            continue;
        }
        let header = with(forge::header(), "kid", json!(kid));
        for secret in [SECRET, OTHER_SECRET, ""] {
            let token = forge::sign_text(&header.to_string(), &claims.to_string(), secret);
            assert_eq!(refused(&tacit, &token).await.code, "invalid_token", "{kid:.60}");
        }
    }
    for kid in [json!(null), json!(0), json!([known]), json!({"kid": known})] {
        assert_invalid(&tacit, &forge::sign(&with(forge::header(), "kid", kid), &claims), "no text").await;
    }
    assert_invalid(&tacit, &forge::sign(&without(forge::header(), "kid"), &claims), "missing").await;
    let monstrous = with(forge::header(), "kid", json!("a".repeat(100_000)));
    let answer = tacit.get("/me").bearer_auth(forge::sign(&monstrous, &claims)).send().await.unwrap();
    assert!(answer.status().is_client_error(), "{}", answer.status());
}
