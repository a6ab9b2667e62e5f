//! A token in the wrong place, in the wrong hands, or of a monstrous size.

use reqwest::StatusCode;
use serde_json::json;

use super::assert_refused_everywhere;
use crate::app::{Setup, Tacit};
use crate::clients::create;
use crate::forge::{self, SECRET};
use crate::jar::{ACCESS, REFRESH};

fn text(tokens: &serde_json::Value, member: &str) -> String {
    tokens[member].as_str().expect(member).to_owned()
}

#[tokio::test]
async fn a_refresh_token_as_bearer_and_an_access_token_as_refresh_token_open_nothing_anywhere() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let tokens = tacit.token("ada").await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    assert_refused_everywhere(&tacit, "authorization", &format!("Bearer {refresh}"), "a refresh token as Bearer").await;
    for cookie in [format!("{ACCESS}={refresh}"), format!("{REFRESH}={access}")] {
        assert_refused_everywhere(&tacit, "cookie", &cookie, "in the other's cookie").await;
    }
    // Nothing was used up.
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(tacit.post("/token").form(&form).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn the_access_token_of_an_ended_session_is_refused_at_every_own_route() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for path in ["/logout", "/logout/all"] {
        let jar = tacit.log_in("ada").await;
        assert_eq!(tacit.post_with(path, &jar).await.status(), 200);
        let access = jar.get(ACCESS).unwrap();
        assert_refused_everywhere(&tacit, "authorization", &format!("Bearer {access}"), path).await;
        assert_refused_everywhere(&tacit, "cookie", &format!("{ACCESS}={access}"), path).await;
    }
}

#[tokio::test]
async fn a_clients_token_is_no_users_and_a_users_token_is_no_clients() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let client = create(&tacit.home, "backend", &["--grant", "client_credentials"]);
    let form = [("grant_type", "client_credentials")];
    let answer = client.on(tacit.post("/token")).form(&form).send().await.unwrap();
    let own = text(&answer.json().await.unwrap(), "access_token");
    assert_refused_everywhere(&tacit, "authorization", &format!("Bearer {own}"), "a client's token").await;
    assert_refused_everywhere(&tacit, "cookie", &format!("{ACCESS}={own}"), "a client's token").await;
    let user = jar.get(ACCESS).unwrap();
    for token in [user, &own] {
        for request in [
            tacit.post("/introspect").form(&[("token", user)]).bearer_auth(token),
            tacit.post("/introspect").form(&[("token", user), ("client_id", &client.id), ("client_secret", token)]),
            tacit.post("/introspect").form(&[("token", user)]).basic_auth(&client.id, Some(token)),
            tacit.post("/introspect").form(&[("token", user)]).header("cookie", jar.header()),
            tacit.get("/revocations").bearer_auth(token),
            tacit.get("/revocations").header("cookie", jar.header()),
            tacit.post("/token").form(&form).bearer_auth(token),
        ] {
            let answer = request.send().await.unwrap();
            assert!([StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST].contains(&answer.status()), "{answer:?}");
        }
    }
}

#[tokio::test]
async fn a_clients_refresh_token_is_no_good_in_other_hands_and_is_not_used_up_by_them() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let options = ["--grant", "password", "--grant", "refresh_token"];
    let (one, other) = (create(&tacit.home, "one", &options), create(&tacit.home, "other", &options));
    let form = [("grant_type", "password"), ("username", "ada"), ("password", crate::app::PASSWORD)];
    let tokens = one.on(tacit.post("/token")).form(&form).send().await.unwrap().json().await.unwrap();
    let refresh = text(&tokens, "refresh_token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    for request in [tacit.post("/token").form(&form), other.on(tacit.post("/token")).form(&form)] {
        assert!(request.send().await.unwrap().status().is_client_error());
    }
    assert_refused_everywhere(&tacit, "cookie", &format!("{REFRESH}={refresh}"), "in a browser").await;
    assert_eq!(one.on(tacit.post("/token")).form(&form).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_token_of_a_hundred_kilobytes_is_a_clean_refusal_wherever_it_stands() {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    let jar = tacit.new_session("ada").await;
    let size = 100_000;
    let claims = json!({"exp": 4_000_000_000_u64, "padding": "a".repeat(size * 3 / 4)});
    for huge in [
        "a".repeat(size),
        format!("rt1_{}", "A".repeat(size)),
        forge::sign(&forge::header(), &claims),
        ".".repeat(size),
        format!("{}.b.c", "a".repeat(size)),
        "a.".repeat(size / 2),
    ] {
        let sent = [("grant_type", "refresh_token"), ("refresh_token", huge.as_str()), ("token", &huge)];
        for request in [
            tacit.get("/me").bearer_auth(&huge),
            tacit.get("/verify").bearer_auth(&huge),
            tacit.get("/me").header("cookie", format!("{ACCESS}={huge}")),
            tacit.get("/me").header("cookie", format!("{REFRESH}={huge}")),
            tacit.get("/me").header("authorization", format!("Basic {huge}")),
            tacit.post("/token").form(&sent),
            tacit.post("/revoke").form(&sent),
            tacit.post("/introspect").form(&sent),
            tacit.get("/revocations").header("authorization", format!("Basic {huge}")),
        ] {
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_client_error(), "{answer:?}");
            assert!(!answer.headers().contains_key("set-cookie"));
        }
        let log_out = tacit.post("/logout").json(&json!({"refresh_token": huge})).send().await.unwrap();
        assert_eq!(log_out.status(), 413);
    }
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    assert!(tacit.metric("tacit_panics_total").await < 1.0);
}
