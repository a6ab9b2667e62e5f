//! Scopes where they meet something else: theft, cookies, gateways' forms, a client's limit, an operator's mistake.

use reqwest::Response;
use serde_json::Value;

use crate::app::{Home, PASSWORD, Setup, Tacit, problem, refreshed, run};
use crate::clients::{Credentials, create, is, refusal};
use crate::gateway::header;
use crate::jar::{ACCESS, Jar, REFRESH, set_cookies};
use crate::shapes::part;

fn setup() -> Setup {
    Setup::default().set("oauth.role_scopes", "admin=read write delete,user=read write")
}

async fn sign_in(tacit: &Tacit, client: Option<&Credentials>, wish: &str) -> Value {
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD), ("scope", wish)];
    tokens(send(tacit, client, &form).await).await
}

async fn refresh(tacit: &Tacit, client: Option<&Credentials>, token: &Value, wish: &str) -> Response {
    let presented = token["refresh_token"].as_str().expect("a refresh token");
    send(tacit, client, &[("grant_type", "refresh_token"), ("refresh_token", presented), ("scope", wish)]).await
}

async fn send(tacit: &Tacit, client: Option<&Credentials>, form: &[(&str, &str)]) -> Response {
    let request = tacit.post("/token").form(form);
    client.map_or(request.try_clone().unwrap(), |client| client.on(request)).send().await.unwrap()
}

async fn tokens(answer: Response) -> Value {
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

fn scope(token: &str) -> String {
    part(token, 1)["scope"].as_str().expect("a scope").to_owned()
}

#[tokio::test]
async fn a_replayed_token_is_theft_whatever_scope_it_asks_for() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    let first = sign_in(&tacit, None, "").await;
    let mut newest = first.clone();
    for _ in 0..2 {
        newest = tokens(refresh(&tacit, None, &newest, "").await).await;
        tacit.home.database.age("sessions", "rotated_at", 200);
    }
    assert_eq!(refusal(refresh(&tacit, None, &first, "delete").await).await, is(400, "invalid_grant"));
    assert_eq!(refusal(refresh(&tacit, None, &newest, "").await).await, is(400, "invalid_grant"), "the session ended");
}

#[tokio::test]
async fn a_narrowed_refresh_token_stays_narrow_in_a_cookie() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    let narrow = sign_in(&tacit, None, "read").await;
    let mut jar = Jar::default();
    jar.put(REFRESH, narrow["refresh_token"].as_str().unwrap());
    for _ in 0..3 {
        jar.apply(&tacit.get_with("/protected", &jar.without_access()).await);
        assert_eq!(scope(jar.get(ACCESS).expect("an access cookie")), "read");
        tacit.home.database.age("sessions", "rotated_at", 200);
    }
}

#[tokio::test]
async fn a_refusal_for_want_of_a_scope_keeps_the_cookies_coming_and_leads_nobody_to_sign_in() {
    let tacit = setup().set("server.trusted_proxies", "127.0.0.1").start().await;
    tacit.register("ada").await;
    for mount in ["/verify/scope", "/verify/access/scope", "/verify/nginx/scope", "/verify/nginx/access/scope"] {
        let jar = tacit.log_in("ada").await.without_access();
        let navigation = tacit.get(&format!("{mount}/delete")).header("sec-fetch-mode", "navigate");
        let answer = navigation.header("cookie", jar.header()).send().await.unwrap();
        let (verdict, count) = if mount.contains("/access") { ("access-only", 0) } else { ("rotated", 2) };
        assert_eq!((refreshed(&answer), set_cookies(&answer).len()), (Some(verdict), count), "{mount}");
        assert_eq!(header(&answer, "x-auth-set-cookie-2").is_some(), mount == "/verify/nginx/scope", "{mount}");
        assert_eq!((header(&answer, "location"), header(&answer, "x-auth-username")), (None, None), "{mount}");
        assert_eq!(problem(answer).await, (403, "insufficient_scope".to_owned()), "{mount}");
    }
}

#[tokio::test]
async fn a_clients_tighter_limit_and_a_client_without_scopes_hold_at_the_next_refresh() {
    let tacit = setup().start().await;
    tacit.register("ada").await;
    let grants = ["--grant", "password", "--grant", "refresh_token"];
    let reader = create(&tacit.home, "reader", &[&grants[..], &["--scope", "read"]].concat());
    let bare = create(&tacit.home, "bare", &grants);
    let token = sign_in(&tacit, Some(&reader), "").await;
    assert_eq!(token["scope"], "read");
    tacit.home.database.execute("UPDATE clients SET scopes = 'delete' WHERE name = 'reader'");
    assert_eq!(tokens(refresh(&tacit, Some(&reader), &token, "").await).await.get("scope"), None);
    let none = sign_in(&tacit, Some(&bare), "").await;
    assert_eq!((none.get("scope"), scope(none["access_token"].as_str().unwrap()).as_str()), (None, ""));
    assert_eq!(refusal(refresh(&tacit, Some(&bare), &none, "read").await).await, is(400, "invalid_scope"));
}

#[tokio::test]
async fn an_operator_who_forgets_the_role_user_is_warned() {
    let home = Home::new();
    let roles = "oauth.role_scopes=admin=account,user=read";
    let checked = run(&home, &["--set", roles, "config", "check"], "");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success() && said.contains("oauth.role_scopes"), "{said}");
    let tacit = Setup::default().set("oauth.role_scopes", "admin=account,user=read").start_in(home).await;
    let jar = tacit.new_session("ada").await;
    assert_eq!(problem(tacit.get_with("/sessions", &jar).await).await, (403, "insufficient_scope".to_owned()));
    assert_eq!(tacit.get_with("/sessions", &tacit.new_admin("root").await).await.status(), 200);
}
