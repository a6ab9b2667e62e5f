//! Each value comes from one place: what stands in the query never counts for what belongs into the body or a header.

use serde_json::{Value, json};

use super::{Service, read};
use crate::app::PASSWORD;

fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[tokio::test]
async fn the_query_never_completes_a_body() {
    let service = Service::start().await;
    let Service { tacit, client, token, refresh_token } = &service;
    let login = encoded(&[("username", "ada"), ("password", PASSWORD)]);
    let secrets = encoded(&[("client_id", &client.id), ("client_secret", &client.secret), ("token", refresh_token)]);
    let grant = encoded(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token)]);
    for (request, expected) in [
        (tacit.post(&format!("/login?{login}")).json(&json!({})), 400),
        (tacit.post(&format!("/login?{login}")).json(&json!({"username": "ada", "password": "wrong"})), 401),
        (tacit.post(&format!("/register?username=eve&password={PASSWORD}")).json(&json!({})), 400),
        (tacit.post(&format!("/token?{login}")).form(&[("x", "y")]), 422),
        (tacit.post(&format!("/token?{login}&grant_type=password")).form(&[("x", "y")]), 422),
        (tacit.post(&format!("/token?{grant}")).form(&[("grant_type", "refresh_token")]), 400),
        (tacit.post(&format!("/introspect?{secrets}")).form(&[("token", refresh_token)]), 401),
        (client.on(tacit.post(&format!("/introspect?{secrets}"))).form(&[("x", "y")]), 400),
        (tacit.post(&format!("/revoke?{secrets}")).form(&[("x", "y")]), 400),
        (tacit.get(&format!("/revocations?{secrets}")), 401),
        (tacit.get(&format!("/me?access_token={token}")), 401),
        (tacit.get(&format!("/verify?access_token={token}&token={token}")), 401),
        (tacit.get(&format!("/admin?role=admin&access_token={token}")), 401),
    ] {
        let shown = format!("{request:?}");
        assert_eq!(read(request.send().await.unwrap()).await.0, expected, "{shown:.200}");
    }
    let changed = tacit.request(reqwest::Method::PATCH, &format!("/me?username=eve&current_password={PASSWORD}"));
    assert_eq!(read(changed.bearer_auth(token).json(&json!({})).send().await.unwrap()).await.0, 400);
    let query = encoded(&[("current_password", PASSWORD), ("new_password", "another horse battery staple")]);
    let changed = tacit.post(&format!("/me/password?{query}")).bearer_auth(token).json(&json!({}));
    assert_eq!(read(changed.send().await.unwrap()).await.0, 400);
    // Signs nobody out.
    let out = tacit.post(&format!("/logout?refresh_token={refresh_token}")).json(&json!({}));
    assert_eq!(out.send().await.unwrap().status(), 200);
    service.assert_unharmed().await;
}

#[tokio::test]
async fn the_query_never_overrules_a_body() {
    let service = Service::start().await;
    let Service { tacit, client, refresh_token, .. } = &service;
    let wrong = encoded(&[
        ("username", "eve"),
        ("email", "x"),
        ("password", "wrong"),
        ("role", "admin"),
        ("grant_type", "x"),
        ("token", "x"),
        ("client_id", "x"),
        ("client_secret", "x"),
        ("refresh_token", "x"),
    ]);
    let user: Value = tacit
        .post(&format!("/login?{wrong}"))
        .json(&json!({"username": "ada", "password": PASSWORD}))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!((&user["user"]["username"], &user["user"]["role"]), (&json!("ada"), &json!("user")));
    let form = [("username", "ada"), ("password", PASSWORD)];
    assert_eq!(tacit.post(&format!("/token?{wrong}")).form(&form).send().await.unwrap().status(), 200);
    let asked = client.on(tacit.post(&format!("/introspect?{wrong}"))).form(&[("token", refresh_token)]);
    let answer: Value = asked.send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["active"], true);
    service.assert_unharmed().await;
}
