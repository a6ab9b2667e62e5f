//! The grant client_credentials: tokens of clients themselves, from service to service.

use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit, problem, run};
use crate::clients::{Credentials, create, is, refusal};
use crate::command_line::{done, json as parsed};
use crate::forge::{self, SECRET};
use crate::introspect::introspect;
use crate::problems;
use crate::shapes::{assert_time, members, part};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

async fn ask(tacit: &Tacit, client: &Credentials, wishes: &[(&str, &str)]) -> reqwest::Response {
    client.on(tacit.post("/token").form(&[&[GRANT], wishes].concat())).send().await.unwrap()
}

/// The access token that a client gets.
async fn token(tacit: &Tacit, client: &Credentials, wishes: &[(&str, &str)]) -> String {
    let answer = ask(tacit, client, wishes).await;
    assert_eq!(answer.status(), 200, "{wishes:?}");
    answer.json::<Value>().await.unwrap()["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn a_client_gets_a_token_that_names_the_client_and_no_user() {
    let tacit = Tacit::start().await;
    let options = ["--grant", "client_credentials", "--scope", "read", "--scope", "write", "--audience", "orders"];
    let client = create(&tacit.home, "billing", &options);
    let answer = ask(&tacit, &client, &[]).await;
    assert_eq!((&answer.headers()["cache-control"], answer.status().as_u16()), (&"no-store".parse().unwrap(), 200));
    let body: Value = answer.json().await.unwrap();
    assert_eq!(members(&body), ["access_token", "expires_at", "expires_in", "scope", "token_type"]);
    assert_eq!((&body["scope"], &body["token_type"]), (&json!("read write"), &json!("bearer")));
    let text = body["access_token"].as_str().unwrap();
    assert_eq!(part(text, 0)["typ"], "at+jwt");
    let claims = part(text, 1);
    assert_eq!(members(&claims), ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"]);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(client.id), &json!(client.id)));
    assert_eq!((&claims["aud"], &claims["iss"]), (&json!("orders"), &json!(tacit.url)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), body["expires_in"]);
    assert_eq!(assert_time(&body["expires_at"]).timestamp(), claims["exp"].as_i64().unwrap());
    assert_eq!(tacit.home.database.number("SELECT count(*) AS value FROM sessions"), 0);
}

#[tokio::test]
async fn scopes_and_audiences_are_limited_to_the_clients() {
    let tacit = Tacit::start().await;
    let grant = ["--grant", "client_credentials"];
    let bare = create(&tacit.home, "bare", &grant);
    let options = ["--scope", "read", "--scope", "write", "--audience", "orders", "--audience", "https://api.example"];
    let client = create(&tacit.home, "full", &[grant.as_slice(), &options].concat());
    for (client, wishes, aud, scope) in [
        (&bare, vec![], "tacit", ""),
        (&bare, vec![("audience", "tacit")], "tacit", ""),
        (&client, vec![], "orders", "read write"),
        (&client, vec![("scope", "write")], "orders", "write"),
        (&client, vec![("scope", "write read write")], "orders", "write read"),
        (&client, vec![("audience", "https://api.example")], "https://api.example", "read write"),
    ] {
        let claims = part(&token(&tacit, client, &wishes).await, 1);
        assert_eq!((&claims["aud"], &claims["scope"]), (&json!(aud), &json!(scope)), "{wishes:?}");
    }
    for (client, wish, error) in [
        (&bare, ("scope", "read"), "invalid_scope"),
        (&client, ("scope", "read delete"), "invalid_scope"),
        (&client, ("scope", "READ"), "invalid_scope"),
        (&client, ("scope", "a\"b"), "invalid_scope"),
        (&bare, ("audience", "orders"), "invalid_target"),
        (&client, ("audience", "tacit"), "invalid_target"),
        (&client, ("audience", "orders https://api.example"), "invalid_target"),
    ] {
        assert_eq!(refusal(ask(&tacit, client, &[wish]).await).await, is(400, error), "{wish:?}");
        assert_eq!(refusal(ask(&tacit, client, &[wish, wish]).await).await, is(400, "invalid_request"));
    }
}

#[tokio::test]
async fn nobody_but_a_client_with_the_grant_gets_one() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let user = tacit.token("ada").await;
    let bearer = user["access_token"].as_str().unwrap();
    let client = create(&tacit.home, "billing", &["--grant", "client_credentials"]);
    let other = create(&tacit.home, "other", &["--grant", "password"]);
    let form = || tacit.post("/token").form(&[GRANT]);
    for request in [
        form(),
        form().bearer_auth(bearer),
        form().header("cookie", jar.header()),
        form().basic_auth("", Some("")),
        form().basic_auth(&client.id, Some(&other.secret)),
        form().basic_auth("ada", Some(PASSWORD)),
        tacit.post("/token").form(&[GRANT, ("client_id", "spa")]),
        tacit.post("/token").form(&[GRANT, ("client_id", &client.id)]),
        tacit.post(&format!("/token?client_id={}&client_secret={}", client.id, client.secret)).form(&[GRANT]),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, is(401, "invalid_client"));
    }
    assert_eq!(refusal(ask(&tacit, &other, &[]).await).await, is(400, "unauthorized_client"));
    assert!(run(&tacit.home, &["client", "disable", "billing"], "").status.success());
    assert_eq!(refusal(ask(&tacit, &client, &[]).await).await, is(401, "invalid_client"));
}

#[tokio::test]
async fn a_clients_own_token_is_no_user_anywhere() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "billing", &["--grant", "client_credentials"]);
    let token = token(&tacit, &client, &[]).await;
    for route in ["/me", "/sessions", "/protected", "/admin", "/verify", "/verify/access"] {
        let answer = tacit.get(route).bearer_auth(&token).send().await.unwrap();
        assert_eq!(problem(answer).await, (401, "invalid_token".to_owned()), "{route}");
        let cookie = format!("tacit-access={token}");
        assert_eq!(problems::read(tacit.get(route).header("cookie", cookie).send().await.unwrap()).await.status, 401);
    }
    for route in ["/logout/all", "/logout/others", "/me/password"] {
        let answer = tacit.post(route).bearer_auth(&token).send().await.unwrap();
        assert_eq!(problem(answer).await, (401, "invalid_token".to_owned()), "{route}");
    }
    let introspected = tacit.post("/introspect").form(&[("token", &token)]).bearer_auth(&token).send().await.unwrap();
    assert_eq!(refusal(introspected).await, is(401, "invalid_client"), "nor is it a caller");
}

#[tokio::test]
async fn introspection_knows_it_until_its_client_is_disabled() {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    let options = ["--grant", "client_credentials", "--scope", "read", "--audience", "orders"];
    let (client, asking) = (create(&tacit.home, "billing", &options), create(&tacit.home, "orders", &[]));
    let text = token(&tacit, &client, &[]).await;
    let told = introspect(&tacit, &asking, &text).await;
    assert_eq!(
        members(&told),
        ["active", "aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub", "token_type"]
    );
    let claims = part(&text, 1);
    for name in ["aud", "client_id", "exp", "iat", "iss", "jti", "scope", "sub"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
    let inactive = json!({"active": false});
    for (claim, value) in [
        ("exp", json!(1)),
        ("iss", json!("https://evil.example")),
        ("sub", json!("ada")),
        ("client_id", json!(asking.id)),
        ("role", json!("admin")),
        ("sid", json!("00000000-0000-4000-8000-000000000000")),
    ] {
        let mut altered = claims.clone();
        altered[claim] = value;
        let forged = forge::sign(&forge::header(), &altered);
        assert_eq!(introspect(&tacit, &asking, &forged).await, inactive, "{claim}");
    }
    let explained = parsed(&done(
        &tacit.home,
        &[
            "--set",
            &format!("tokens.secret={SECRET}"),
            "--set",
            &format!("tokens.issuer={}", tacit.url),
            "token",
            "explain",
            &text,
            "--json",
        ],
        "",
    ));
    assert_eq!(explained["good"], true, "{explained}");
    assert!(run(&tacit.home, &["client", "disable", "billing"], "").status.success());
    assert_eq!(introspect(&tacit, &asking, &text).await, inactive);
}

#[tokio::test]
async fn it_cannot_be_revoked_and_the_answer_says_so() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "billing", &["--grant", "client_credentials"]);
    let other = create(&tacit.home, "other", &[]);
    let text = token(&tacit, &client, &[]).await;
    let revoke = |client: Option<&Credentials>| {
        let request = tacit.post("/revoke").form(&[("token", &text)]);
        client.map_or(request.try_clone().unwrap(), |client| client.on(request)).send()
    };
    assert_eq!(refusal(revoke(None).await.unwrap()).await, is(401, "invalid_client"));
    assert_eq!(refusal(revoke(Some(&other)).await.unwrap()).await, is(400, "invalid_grant"));
    assert_eq!(refusal(revoke(Some(&client)).await.unwrap()).await, is(400, "unsupported_token_type"));
    assert_eq!(introspect(&tacit, &other, &text).await["active"], true);
}
