//! Every rule by which an access token is good, from outside: whoever knows the secret, or does not.

use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Setup, Tacit};
use crate::forge::{self, OTHER_SECRET, SECRET};
use crate::problems::{self, Problem};
use crate::shapes::part;

pub const NOT_A_TOKEN: &str = "Invalid authentication credentials";
pub const NOT_GOOD: &str = "Invalid or expired token";

pub async fn start() -> (Tacit, String) {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    tacit.register("ada").await;
    let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    (tacit, token)
}

pub async fn accepted(tacit: &Tacit, token: &str) -> bool {
    tacit.get("/me").bearer_auth(token).send().await.unwrap().status() == 200
}

pub async fn refused(tacit: &Tacit, token: &str) -> Problem {
    let problem = problems::read(tacit.get("/me").bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(problem.status, 401, "{token}");
    assert_eq!(problem.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert!(!problem.headers.contains_key("set-cookie"));
    problem
}

/// Refused as a token that has the shape and is not good.
pub async fn assert_invalid(tacit: &Tacit, token: &str, why: &str) {
    let problem = refused(tacit, token).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_GOOD), "{why}");
}

pub fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

pub fn without(mut object: Value, member: &str) -> Value {
    object.as_object_mut().unwrap().remove(member).expect("the member");
    object
}

#[tokio::test]
async fn a_token_says_exactly_what_the_contract_lists() {
    let (tacit, token) = start().await;
    assert_eq!(part(&token, 0), forge::header());
    let claims = part(&token, 1);
    assert_eq!(
        crate::shapes::members(&claims),
        [
            "aud",
            "auth_time",
            "client_id",
            "exp",
            "gen",
            "iat",
            "iss",
            "jti",
            "role",
            "roles",
            "scope",
            "sid",
            "sub",
            "username",
            "ver"
        ]
    );
    assert_eq!((&claims["aud"], &claims["client_id"]), (&json!("tacit"), &json!("tacit")));
    assert_eq!(claims["iss"], json!(tacit.url));
    assert_eq!(
        (&claims["username"], &claims["role"], &claims["roles"]),
        (&json!("ada"), &json!("user"), &json!(["user"]))
    );
    assert_eq!((&claims["scope"], &claims["gen"]), (&json!(""), &json!(0)));
    for id in ["sub", "sid", "jti"] {
        assert!(uuid::Uuid::parse_str(claims[id].as_str().unwrap()).is_ok(), "{id}");
    }
    let now = chrono::Utc::now().timestamp();
    for moment in ["iat", "auth_time"] {
        assert!((now - claims[moment].as_i64().unwrap()).abs() < 20, "{moment}");
    }
    assert!(token.len() < 1200);
    let me: Value = tacit.get("/me").bearer_auth(&token).send().await.unwrap().json().await.unwrap();
    assert_eq!(me["id"], claims["sub"]);
}

#[tokio::test]
async fn a_user_without_a_username_has_no_such_claim() {
    let tacit = Tacit::start().await;
    let sent = json!({"email": "ann@example.com", "password": PASSWORD});
    tacit.post("/register").json(&sent).send().await.unwrap();
    let token = tacit.token("ann@example.com").await;
    let claims = part(token["access_token"].as_str().unwrap(), 1);
    assert!(claims.get("username").is_none());
    assert!(!claims.to_string().contains("ann@"), "an address in a token");
}

#[tokio::test]
async fn a_token_made_by_the_rules_is_accepted_so_the_refusals_below_mean_something() {
    let (tacit, token) = start().await;
    assert!(accepted(&tacit, &token).await);
    let claims = part(&token, 1);
    assert!(accepted(&tacit, &forge::sign(&forge::header(), &claims)).await);
    let now = claims["iat"].as_i64().unwrap();
    for changed in [
        with(claims.clone(), "nbf", json!(now - 5)),
        // Replicas' clocks may differ: iat is not compared with ours.
        with(claims.clone(), "iat", json!(now + 30)),
        with(claims.clone(), "unknown", json!({"a": 1})),
    ] {
        assert!(accepted(&tacit, &forge::sign(&forge::header(), &changed)).await, "{changed}");
    }
}

#[tokio::test]
async fn every_other_signature_is_refused() {
    let (tacit, token) = start().await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let admin = with(with(part(&token, 1), "role", json!("admin")), "roles", json!(["admin"]));
    let swapped = format!("{header}.{}.{signature}", forge::encode(admin.to_string()));
    let truncated = &token[..token.len() - 1];
    let halved = &token[..token.len() - 22];
    let extended = format!("{token}A");
    let zeroes = format!("{signed}.{}", forge::encode([0; 32]));
    let foreign = forge::sign_text(&forge::header().to_string(), &part(&token, 1).to_string(), OTHER_SECRET);
    for forged in [swapped.as_str(), truncated, halved, &extended, &zeroes, &foreign] {
        assert_invalid(&tacit, forged, forged).await;
    }
    // The last of 43 characters holds four bits; others that differ in the two spare ones are other texts.
    let last = signature.chars().last().unwrap();
    for other in ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['-', '_']).filter(|other| *other != last) {
        let forged = format!("{}{other}", &token[..token.len() - 1]);
        assert_invalid(&tacit, &forged, "the last character").await;
    }
}

#[tokio::test]
async fn what_is_not_three_parts_of_base64url_is_no_token() {
    let (tacit, token) = start().await;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, payload) = signed.split_once('.').unwrap();
    let padded = format!("{token}=");
    let four = format!("{token}.{signature}");
    let five = format!("{header}.{payload}.{signature}.{payload}.{signature}");
    let standard = format!("{signed}.{}+/", &signature[..41]);
    let refresh = tacit.token("ada").await["refresh_token"].as_str().unwrap().to_owned();
    for text in [
        signed,
        &padded,
        &four,
        &five,
        &standard,
        &format!("{signed}."),
        &format!(".{payload}.{signature}"),
        &format!("{header}..{signature}"),
        "..",
        ".",
        "",
        "nonsense",
        "a b",
        &refresh,
    ] {
        let problem = refused(&tacit, text).await;
        assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_A_TOKEN), "{text}");
    }
}

#[tokio::test]
async fn a_missing_or_wrong_claim_is_refused() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    let exp = claims["exp"].as_i64().unwrap();
    let now = claims["iat"].as_i64().unwrap();
    for claim in ["exp", "iss", "aud", "sub", "sid", "ver", "iat", "jti"] {
        assert_invalid(&tacit, &forge::sign(&forge::header(), &without(claims.clone(), claim)), claim).await;
        let null = with(claims.clone(), claim, Value::Null);
        assert_invalid(&tacit, &forge::sign(&forge::header(), &null), claim).await;
    }
    for (claim, value) in [
        ("exp", json!(exp.to_string())),
        ("exp", json!(1e12)),
        ("exp", json!(4_000_000_000.5)),
        ("exp", json!(true)),
        ("exp", json!([exp])),
        ("exp", json!(u64::MAX)),
        ("iss", json!("https://evil.example")),
        ("iss", json!(format!("{}/", tacit.url))),
        ("iss", json!([tacit.url])),
        ("aud", json!("another")),
        ("aud", json!("")),
        ("aud", json!(["another"])),
        ("aud", json!({"aud": "tacit"})),
        ("nbf", json!(now + 3600)),
        ("nbf", json!("0")),
        ("sub", json!("ada")),
        ("sub", json!(1)),
        ("sid", json!("'; --")),
    ] {
        let changed = with(claims.clone(), claim, value.clone());
        assert_invalid(&tacit, &forge::sign(&forge::header(), &changed), &format!("{claim} {value}")).await;
    }
    for payload in ["[]", "null", "{}", "{", "1"] {
        let token = forge::sign_text(&forge::header().to_string(), payload, SECRET);
        assert_invalid(&tacit, &token, payload).await;
    }
}

#[tokio::test]
async fn a_member_that_comes_twice_is_refused() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    for (claim, value) in [("exp", json!(4_000_000_000_u64)), ("sub", claims["sub"].clone()), ("role", json!("admin"))]
    {
        let text = claims.to_string();
        let twice = format!("{},\"{claim}\":{value}}}", text.strip_suffix('}').unwrap());
        let token = forge::sign_text(&forge::header().to_string(), &twice, SECRET);
        assert_invalid(&tacit, &token, claim).await;
    }
}

#[tokio::test]
async fn a_token_is_good_while_now_is_before_exp_and_not_a_second_longer() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    let now = chrono::Utc::now().timestamp();
    for exp in [now, now - 1, now - 59, 0, -1, i64::MIN] {
        let expired = with(claims.clone(), "exp", json!(exp));
        let problem = refused(&tacit, &forge::sign(&forge::header(), &expired)).await;
        assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("token_expired", NOT_GOOD), "{exp}");
    }
    let late = with(claims, "exp", json!(now + 30));
    assert!(accepted(&tacit, &forge::sign(&forge::header(), &late)).await);
}

#[tokio::test]
async fn a_secret_is_rotated_by_naming_the_old_one_previous() {
    let home = Home::new();
    let mut old = Setup::default().set("tokens.secret", OTHER_SECRET).set("tokens.issuer", "tacit-test");
    old = old.set("sessions.secret", "w5Tq8Lk2Zr7Nx4Vc9Bm1Hj6Gf3Ds0PaQeYu");
    let tacit = old.start_in(home.clone()).await;
    tacit.register("ada").await;
    let before = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    drop(tacit);
    let new = || {
        let setup = Setup::default().set("tokens.secret", SECRET).set("tokens.issuer", "tacit-test");
        setup.set("sessions.secret", "w5Tq8Lk2Zr7Nx4Vc9Bm1Hj6Gf3Ds0PaQeYu")
    };
    let tacit = new().set("tokens.previous_secrets", OTHER_SECRET).start_in(home.clone()).await;
    assert!(accepted(&tacit, &before).await);
    let after = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    assert_eq!(part(&after, 0)["kid"], json!(forge::kid(SECRET)));
    // The old key under the new key's name, and the other way round.
    for (kid, secret) in [(SECRET, OTHER_SECRET), (OTHER_SECRET, SECRET)] {
        let header = with(forge::header(), "kid", json!(forge::kid(kid)));
        let crossed = forge::sign_text(&header.to_string(), &part(&after, 1).to_string(), secret);
        assert_invalid(&tacit, &crossed, "crossed keys").await;
    }
    drop(tacit);
    let tacit = new().start_in(home).await;
    assert!(accepted(&tacit, &after).await);
    assert_invalid(&tacit, &before, "the old key was dropped").await;
}
