//! POST /revoke (RFC 7009).

use reqwest::Response;
use serde_json::{Value, json};

use crate::app::{PASSWORD, Tacit, problem};
use crate::clients::{Credentials, create, is, refusal};
use crate::introspect::introspect;
use crate::jar::set_cookies;
use crate::problems;

async fn revoke(tacit: &Tacit, client: Option<&Credentials>, token: &str) -> Response {
    let request = tacit.post("/revoke").form(&[("token", token)]);
    client.map_or(request.try_clone().unwrap(), |client| client.on(request)).send().await.unwrap()
}

async fn assert_revoked(answer: Response) {
    assert_eq!(answer.status(), 200);
    assert_eq!(
        (&answer.headers()["cache-control"], &answer.headers()["pragma"]),
        (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap())
    );
    assert!(set_cookies(&answer).is_empty());
    assert_eq!(answer.text().await.unwrap(), "");
}

async fn tokens_of(tacit: &Tacit, client: &Credentials) -> Value {
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    client.on(tacit.post("/token").form(&form)).send().await.unwrap().json().await.unwrap()
}

fn text<'a>(tokens: &'a Value, name: &str) -> &'a str {
    tokens[name].as_str().expect(name)
}

#[tokio::test]
async fn either_token_ends_its_session_as_a_sign_out_does() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for kind in ["access_token", "refresh_token"] {
        let tokens = tacit.token("ada").await;
        assert_revoked(revoke(&tacit, None, text(&tokens, kind)).await).await;
        let me = tacit.get("/me").bearer_auth(text(&tokens, "access_token")).send().await.unwrap();
        assert_eq!(problem(me).await, (401, "session_revoked".to_owned()), "{kind}");
        let form = [("grant_type", "refresh_token"), ("refresh_token", text(&tokens, "refresh_token"))];
        let answer: Value = tacit.post("/token").form(&form).send().await.unwrap().json().await.unwrap();
        assert_eq!((&answer["error"], &answer["code"]), (&json!("invalid_grant"), &json!("session_revoked")));
        assert_revoked(revoke(&tacit, None, text(&tokens, kind)).await).await;
    }
    let logged_out = "SELECT count(*) AS value FROM sessions WHERE revoked_reason = 'logout'";
    assert_eq!(tacit.home.database.number(logged_out), 2);
}

#[tokio::test]
async fn an_unknown_token_is_200_and_ends_nothing() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "app", &[]);
    let tokens = tacit.token("ada").await;
    let refresh = text(&tokens, "refresh_token");
    let cut = refresh[..refresh.len() - 1].to_owned();
    for token in ["x", "a.b.c", "rt1_nonsense", "a\0b", &cut, &"x".repeat(20_000)] {
        assert_revoked(revoke(&tacit, None, token).await).await;
        assert_revoked(revoke(&tacit, Some(&client), token).await).await;
    }
    assert_eq!(introspect(&tacit, &client, refresh).await["active"], true);
    // A hint that is wrong or unknown is tolerated.
    for (hint, kind) in [("refresh_token", "access_token"), ("nonsense", "refresh_token")] {
        let tokens = tacit.token("ada").await;
        let form = [("token", text(&tokens, kind)), ("token_type_hint", hint)];
        assert_revoked(tacit.post("/revoke").form(&form).send().await.unwrap()).await;
        assert_eq!(introspect(&tacit, &client, text(&tokens, kind)).await["active"], false, "{hint}");
    }
}

#[tokio::test]
async fn a_clients_token_is_revoked_by_that_client_and_nobody_else() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let grants = ["--grant", "password"];
    let (client, other) = (create(&tacit.home, "one", &grants), create(&tacit.home, "two", &grants));
    for kind in ["access_token", "refresh_token"] {
        let tokens = tokens_of(&tacit, &client).await;
        let token = text(&tokens, kind);
        assert_eq!(refusal(revoke(&tacit, None, token).await).await, is(401, "invalid_client"));
        let public = tacit.post("/revoke").form(&[("token", token), ("client_id", "spa")]).send().await.unwrap();
        assert_eq!(refusal(public).await, is(401, "invalid_client"));
        assert_eq!(refusal(revoke(&tacit, Some(&other), token).await).await, is(400, "invalid_grant"));
        assert_eq!(introspect(&tacit, &other, token).await["active"], true, "nothing has ended");
        assert_revoked(revoke(&tacit, Some(&client), token).await).await;
        assert_eq!(introspect(&tacit, &other, token).await, json!({"active": false}));
    }
    // One that was issued without a client may be revoked by whoever holds it, a client too.
    let tokens = tacit.token("ada").await;
    assert_revoked(revoke(&tacit, Some(&client), text(&tokens, "refresh_token")).await).await;
    assert_eq!(introspect(&tacit, &other, text(&tokens, "access_token")).await, json!({"active": false}));
}

#[tokio::test]
async fn a_users_token_is_no_caller() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let client = create(&tacit.home, "app", &["--grant", "password"]);
    let (own, tokens) = (tacit.token("ada").await, tokens_of(&tacit, &client).await);
    let token = text(&tokens, "access_token");
    let asked = || tacit.post("/revoke").form(&[("token", token)]);
    for request in [
        asked().bearer_auth(text(&own, "access_token")),
        asked().bearer_auth(token),
        asked().header("cookie", jar.header()),
        asked().basic_auth("ada", Some(PASSWORD)),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, is(401, "invalid_client"));
    }
    for token in [token, text(&own, "access_token")] {
        assert_eq!(introspect(&tacit, &client, token).await["active"], true, "nothing has ended");
    }
}

#[tokio::test]
async fn who_presents_a_client_has_to_prove_it_and_nothing_is_revoked() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let (client, other) = (create(&tacit.home, "one", &[]), create(&tacit.home, "two", &[]));
    let tokens = tacit.token("ada").await;
    let token = text(&tokens, "access_token");
    let asked = || tacit.post("/revoke").form(&[("token", token)]);
    for request in [
        asked().basic_auth(&client.id, Some(&other.secret)),
        asked().basic_auth("nobody", Some("nothing")),
        asked().header("authorization", "Basic %%%"),
        tacit.post("/revoke").form(&[("token", token), ("client_id", &client.id)]),
        tacit.post("/revoke").form(&[("token", token), ("client_id", &client.id), ("client_secret", "wrong")]),
    ] {
        assert_eq!(refusal(request.send().await.unwrap()).await, is(401, "invalid_client"));
    }
    let (one, hint) = (("token", token), ("token_type_hint", "x"));
    for form in [vec![], vec![("token", "")], vec![one, one], vec![hint], vec![one, hint, hint]] {
        let answer = tacit.post("/revoke").form(&form).send().await.unwrap();
        assert_eq!(refusal(answer).await, is(400, "invalid_request"), "{form:?}");
    }
    let in_query = tacit.post(&format!("/revoke?token={token}")).form(&[hint]).send().await.unwrap();
    assert_eq!(refusal(in_query).await, is(400, "invalid_request"), "the query is never read");
    let json = problems::read(tacit.post("/revoke").json(&json!({"token": token})).send().await.unwrap()).await;
    assert!(json.is(415, "unsupported_media_type") && json.body["error"] == "invalid_request", "{json:?}");
    assert_eq!(tacit.get("/me").bearer_auth(token).send().await.unwrap().status(), 200);
}
