//! POST /introspect (RFC 7662).

use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit, eventually, run};
use crate::clients::{Credentials, create, is, refusal};
use crate::forge::{self, SECRET};
use crate::jar::ACCESS;
use crate::problems;
use crate::shapes::{members, part};

/// What a client is told of a token.
pub async fn introspect(tacit: &Tacit, client: &Credentials, token: &str) -> Value {
    let answer = client.on(tacit.post("/introspect").form(&[("token", token)])).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{token}");
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    assert_eq!(
        (&answer.headers()["cache-control"], &answer.headers()["pragma"]),
        (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap())
    );
    answer.json().await.expect("JSON")
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().expect(name)
}

#[tokio::test]
async fn a_good_access_token_is_active_and_its_claims_are_told() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "api", &[]);
    let tokens = tacit.token("ada").await;
    let told = introspect(&tacit, &client, text(&tokens, "access_token")).await;
    let expected =
        ["active", "aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sid", "sub", "token_type", "username"];
    assert_eq!(members(&told), expected);
    let claims = part(text(&tokens, "access_token"), 1);
    for name in ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sid", "sub", "username"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("bearer")));
    let cookie = tacit.log_in("ada").await.get(ACCESS).unwrap().to_owned();
    assert_eq!(introspect(&tacit, &client, &cookie).await["active"], true);
}

#[tokio::test]
async fn a_refresh_token_is_active_until_it_is_replaced_and_looking_at_it_uses_nothing() {
    let tacit = Setup::default().short_windows().start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "api", &[]);
    let first = tacit.token("ada").await;
    let old = text(&first, "refresh_token").to_owned();
    for _ in 0..3 {
        let told = introspect(&tacit, &client, &old).await;
        assert_eq!(members(&told), ["active", "client_id", "exp", "iss", "scope", "sid", "sub", "username"]);
        assert_eq!((&told["active"], &told["username"]), (&json!(true), &json!("ada")));
        assert_eq!(told["sub"], part(text(&first, "access_token"), 1)["sub"]);
    }
    let mut newest = old.clone();
    for _ in 0..2 {
        tacit.home.database.age("sessions", "rotated_at", 3600);
        let form = [("grant_type", "refresh_token"), ("refresh_token", newest.as_str())];
        let renewed: Value = tacit.post("/token").form(&form).send().await.unwrap().json().await.unwrap();
        newest = text(&renewed, "refresh_token").to_owned();
    }
    assert_eq!(introspect(&tacit, &client, &old).await, json!({"active": false}));
    // It was looked at only: presenting it would have ended the session.
    assert_eq!(introspect(&tacit, &client, &newest).await["active"], true);
}

#[tokio::test]
async fn whatever_is_not_good_is_inactive_and_nothing_else_is_said() {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    for name in ["ada", "bob", "eve"] {
        tacit.register(name).await;
    }
    let client = create(&tacit.home, "api", &[]);
    let inactive = json!({"active": false});
    let good = tacit.token("ada").await;
    let claims = part(text(&good, "access_token"), 1);
    let mut forged =
        vec!["x".to_owned(), "a.b.c".to_owned(), "rt1_nonsense".to_owned(), "x".repeat(20_000), "a\0b".to_owned()];
    for (claim, value) in
        [("exp", json!(1)), ("aud", json!("other")), ("iss", json!("https://evil.example")), ("sid", json!(null))]
    {
        let mut altered = claims.clone();
        altered[claim] = value;
        forged.push(forge::sign(&forge::header(), &altered));
    }
    forged.push(forge::sign_text(&forge::header().to_string(), &claims.to_string(), forge::OTHER_SECRET));
    for token in &forged {
        assert_eq!(introspect(&tacit, &client, token).await, inactive, "{token:.60}");
    }
    let refresh = text(&good, "refresh_token");
    let (end, flipped) = refresh.split_at(refresh.len() - 5);
    let other = if flipped.starts_with('A') { 'B' } else { 'A' };
    assert_eq!(introspect(&tacit, &client, &format!("{end}{other}{}", &flipped[1..])).await, inactive);
    let ended = async |tokens: &Value| {
        for kind in ["access_token", "refresh_token"] {
            let over = eventually(async || introspect(&tacit, &client, text(tokens, kind)).await == inactive).await;
            assert!(over, "{kind}");
        }
    };
    let answer = tacit.post("/logout").bearer_auth(text(&good, "access_token")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    ended(&good).await;
    let (disabled, deleted) = (tacit.token("bob").await, tacit.token("eve").await);
    assert!(run(&tacit.home, &["user", "disable", "bob"], "").status.success());
    assert!(run(&tacit.home, &["user", "delete", "eve"], "").status.success());
    ended(&disabled).await;
    ended(&deleted).await;
}

#[tokio::test]
async fn an_access_token_of_before_a_role_change_is_inactive() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "api", &[]);
    let tokens = tacit.token("ada").await;
    let stale = text(&tokens, "access_token");
    assert_eq!(introspect(&tacit, &client, stale).await["active"], true);
    assert!(run(&tacit.home, &["user", "set-role", "ada", "editor"], "").status.success());
    assert!(eventually(async || introspect(&tacit, &client, stale).await == json!({"active": false})).await);
    // The session goes on: the next token says the new role.
    assert_eq!(introspect(&tacit, &client, text(&tokens, "refresh_token")).await["active"], true);
}

#[tokio::test]
async fn tokens_of_a_disabled_client_are_inactive() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let (api, issued) = (create(&tacit.home, "api", &[]), create(&tacit.home, "app", &["--grant", "password"]));
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    let tokens: Value = issued.on(tacit.post("/token").form(&form)).send().await.unwrap().json().await.unwrap();
    assert_eq!(introspect(&tacit, &api, text(&tokens, "access_token")).await["client_id"], json!(issued.id));
    assert!(run(&tacit.home, &["client", "disable", "app"], "").status.success());
    for kind in ["access_token", "refresh_token"] {
        assert_eq!(introspect(&tacit, &api, text(&tokens, kind)).await, json!({"active": false}), "{kind}");
    }
    // Who does not ask cannot know: the user's session lives, and its access token runs out.
    let shown = tacit.get("/protected").bearer_auth(text(&tokens, "access_token")).send().await.unwrap();
    assert_eq!(shown.status(), 200);
}

#[tokio::test]
async fn nobody_but_a_client_that_proves_itself_may_ask() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let (client, other) = (create(&tacit.home, "api", &[]), create(&tacit.home, "other", &[]));
    let token = tacit.token("ada").await;
    let token = text(&token, "access_token");
    let asked = || tacit.post("/introspect").form(&[("token", token)]);
    let in_query = format!("/introspect?client_id={}&client_secret={}", client.id, client.secret);
    let only_id = [("token", token), ("client_id", client.id.as_str())];
    for request in [
        asked(),
        asked().bearer_auth(token),
        asked().header("cookie", jar.header()),
        asked().basic_auth("", Some("")),
        asked().basic_auth(&client.id, Some(&other.secret)),
        asked().basic_auth(&client.id, Some("")),
        asked().basic_auth("ada", Some(PASSWORD)),
        tacit.post("/introspect").form(&only_id),
        tacit.post("/introspect").form(&[("token", token), ("client_id", "spa")]),
        tacit.post(&in_query).form(&[("token", token)]),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, is(401, "invalid_client"));
    }
    assert!(run(&tacit.home, &["client", "disable", "api"], "").status.success());
    assert_eq!(refusal(client.on(asked()).send().await.unwrap()).await, is(401, "invalid_client"));
}

#[tokio::test]
async fn a_malformed_question_is_an_invalid_request() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "api", &[]);
    let (token, hint) = (("token", "x"), ("token_type_hint", "nonsense"));
    for form in [vec![], vec![hint], vec![("token", "")], vec![token, token], vec![token, hint, hint]] {
        let answer = client.on(tacit.post("/introspect").form(&form)).send().await.unwrap();
        assert_eq!(refusal(answer).await, is(400, "invalid_request"), "{form:?}");
    }
    let both = [token, ("client_id", &client.id), ("client_secret", &client.secret)];
    let answer = client.on(tacit.post("/introspect").form(&both)).send().await.unwrap();
    assert_eq!(refusal(answer).await, is(400, "invalid_request"));
    let hinted = client.on(tacit.post("/introspect").form(&[token, hint])).send().await.unwrap();
    assert_eq!(hinted.json::<Value>().await.unwrap(), json!({"active": false}), "an unknown hint is tolerated");
    let in_query = client.on(tacit.post("/introspect?token=x").form(&[hint])).send().await.unwrap();
    assert_eq!(refusal(in_query).await, is(400, "invalid_request"), "the query is never read");
    let json = client.on(tacit.post("/introspect").json(&json!({"token": "x"}))).send().await.unwrap();
    assert_eq!(json.headers()["cache-control"], "no-store");
    let problem = problems::read(json).await;
    assert!(problem.is(415, "unsupported_media_type") && problem.body["error"] == "invalid_request", "{problem:?}");
    assert!(problems::read(tacit.get("/introspect").send().await.unwrap()).await.is(405, "method_not_allowed"));
}
