//! Every rule by which an access token is good, from outside: whoever knows the secret, or does not.

use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Setup, Tacit};
use crate::forge::{self, OTHER_SECRET, SECRET};
use crate::problems::{self, Problem};
use crate::shapes::part;

const NOT_A_TOKEN: &str = "Invalid authentication credentials";
const NOT_GOOD: &str = "Invalid or expired token";

async fn start() -> (Tacit, String) {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    tacit.register("ada").await;
    let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    (tacit, token)
}

async fn accepted(tacit: &Tacit, token: &str) -> bool {
    tacit.get("/me").bearer_auth(token).send().await.unwrap().status() == 200
}

async fn refused(tacit: &Tacit, token: &str) -> Problem {
    let problem = problems::read(tacit.get("/me").bearer_auth(token).send().await.unwrap()).await;
    assert_eq!(problem.status, 401, "{token}");
    assert_eq!(problem.headers["www-authenticate"], "Bearer error=\"invalid_token\"");
    assert!(!problem.headers.contains_key("set-cookie"));
    problem
}

/// Refused as a token that has the shape and is not good.
async fn assert_invalid(tacit: &Tacit, token: &str, why: &str) {
    let problem = refused(tacit, token).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_GOOD), "{why}");
}

fn with(mut object: Value, member: &str, value: Value) -> Value {
    object[member] = value;
    object
}

fn without(mut object: Value, member: &str) -> Value {
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

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let (tacit, token) = start().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let answer = tacit.post("/token").form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_grant");
    let refresh = tacit.get("/me").header("cookie", format!("tacit-refresh={token}")).send().await.unwrap();
    assert_eq!(problems::read(refresh).await.status, 401);
}

#[tokio::test]
async fn a_bearer_header_decides_alone_and_a_token_in_the_url_is_never_read() {
    let (tacit, token) = start().await;
    let jar = tacit.log_in("ada").await;
    let send = async |authorization: &str, path: &str| {
        let request = tacit.get(path).header("cookie", jar.header()).header("authorization", authorization);
        request.send().await.unwrap()
    };
    for bad in ["Bearer", "Bearer ", "Bearer nonsense", "bEaReR a.b.c", "Bearer \u{e9}"] {
        let answer = send(bad, "/me").await;
        assert!(!answer.headers().contains_key("set-cookie"));
        assert_eq!(problems::read(answer).await.status, 401, "{bad}");
    }
    for absent in ["", "Basic YTpi", "Token x", "Bearerx", "Digest username=a"] {
        assert_eq!(send(absent, "/me").await.status(), 200, "{absent}");
    }
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let answer = tacit.get("/me").header("authorization", format!("{scheme} {token}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{scheme}");
    }
    let twice =
        tacit.get("/me").header("authorization", format!("Bearer {token}")).header("authorization", "Basic YTpi");
    assert!(problems::read(twice.send().await.unwrap()).await.is(400, "bad_request"));
    for path in [format!("/me?access_token={token}"), format!("/me?token={token}")] {
        let problem = problems::read(tacit.get(&path).send().await.unwrap()).await;
        assert!(problem.is(401, "not_authenticated"));
        assert_eq!(
            (problem.detail.as_str(), &problem.headers["www-authenticate"]),
            ("Not authenticated", &"Bearer".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn an_access_cookie_speaks_for_itself_where_there_is_no_refresh_cookie() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    let expired = forge::sign(&forge::header(), &with(claims, "exp", json!(1)));
    let get = async |cookie: String| tacit.get("/me").header("cookie", cookie).send().await.unwrap();
    let problem = problems::read(get(format!("tacit-access={expired}")).await).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("token_expired", NOT_GOOD));
    let problem = problems::read(get("tacit-access=a.b.c".to_owned()).await).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_GOOD));
    let problem = problems::read(get("tacit-access=nonsense".to_owned()).await).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_A_TOKEN));
    let several = format!("tacit-access=a.b.c; tacit-access={expired}; tacit-access={token}");
    assert_eq!(get(several).await.status(), 200);
    let jar = tacit.log_in("ada").await;
    for bad in [expired.as_str(), "a.b.c", "nonsense"] {
        let answer = get(format!("tacit-access={bad}; tacit-refresh={}", jar.refresh())).await;
        assert_eq!(answer.status(), 200, "{bad} does not give way to the refresh cookie");
    }
}
