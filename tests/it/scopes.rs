//! Scopes: what roles grant, and what tokens get of it.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit, problem, run};
use crate::clients::{Credentials, create, is, refusal};
use crate::forge::{self, SECRET};
use crate::introspect::introspect;
use crate::jar::{ACCESS, Jar};
use crate::shapes::part;

const ROLES: &str = "user=read write,admin=read write delete";

fn granting(roles: &str) -> Setup {
    Setup::default().set("oauth.role_scopes", roles)
}

/// A service whose roles grant [`ROLES`], and a user, ada.
async fn with_ada() -> Tacit {
    let tacit = granting(ROLES).start().await;
    tacit.register("ada").await;
    tacit
}

async fn ask(tacit: &Tacit, client: Option<&Credentials>, form: &[(&str, &str)]) -> Response {
    let request = tacit.post("/token").form(form);
    client.map_or(request.try_clone().unwrap(), |client| client.on(request)).send().await.unwrap()
}

async fn sign_in(tacit: &Tacit, client: Option<&Credentials>, scope: Option<&str>) -> Response {
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    ask(tacit, client, &[form.as_slice(), scope.map(|scope| ("scope", scope)).as_slice()].concat()).await
}

async fn refresh(tacit: &Tacit, client: Option<&Credentials>, tokens: &Value, scope: Option<&str>) -> Response {
    let form = [("grant_type", "refresh_token"), ("refresh_token", tokens["refresh_token"].as_str().unwrap())];
    ask(tacit, client, &[form.as_slice(), scope.map(|scope| ("scope", scope)).as_slice()].concat()).await
}

/// The tokens of a success: its `scope`, absent if empty, is the access token's.
async fn granted(answer: Response) -> (String, Value) {
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let tokens: Value = answer.json().await.unwrap();
    let claims = part(tokens["access_token"].as_str().unwrap(), 1);
    let scope = claims["scope"].as_str().unwrap().to_owned();
    assert_eq!(tokens.get("scope"), (!scope.is_empty()).then(|| json!(scope)).as_ref());
    (scope, tokens)
}

/// What remains of a cookie session's scope after a silent refresh.
async fn refreshed_cookie(tacit: &Tacit, jar: &Jar) -> String {
    let mut jar = jar.without_access();
    let answer = tacit.get_with("/me", &jar).await;
    assert_eq!(answer.status(), 200);
    jar.apply(&answer);
    scope_of(&jar)
}

fn scope_of(jar: &Jar) -> String {
    part(jar.get(ACCESS).unwrap(), 1)["scope"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_sign_in_gets_what_of_its_wish_the_role_grants() {
    let tacit = with_ada().await;
    for (wish, expected) in [
        (None, "read write"),
        (Some(""), "read write"),
        (Some(" "), "read write"),
        (Some("read"), "read"),
        (Some("write read"), "read write"),
        (Some("read read  read"), "read"),
        (Some("read delete"), "read"),
        (Some("openid write"), "write"),
    ] {
        assert_eq!(granted(sign_in(&tacit, None, wish).await).await.0, expected, "{wish:?}");
    }
    for wish in ["delete", "READ", "re", "read,write", "a\"b", "a\\b", "read\twrite", "r\u{e9}ad", "read \u{0}"] {
        assert_eq!(refusal(sign_in(&tacit, None, Some(wish)).await).await, is(400, "invalid_scope"), "{wish:?}");
    }
    let twice = [("grant_type", "password"), ("scope", "read"), ("scope", "write")];
    assert_eq!(refusal(ask(&tacit, None, &twice).await).await, is(400, "invalid_request"));
    let form = [("username", "ada"), ("password", PASSWORD), ("scope", "read delete")];
    assert_eq!(granted(ask(&tacit, None, &form).await).await.0, "read", "FastAPI's form");
    let form = [("username", "ada"), ("password", PASSWORD), ("scope", "delete")];
    let answer = ask(&tacit, None, &form).await;
    assert_eq!(answer.status(), 400);
    assert!(answer.json::<Value>().await.unwrap()["detail"].is_string());
    let form = [("username", "ada"), ("password", "wrong"), ("scope", "delete")];
    assert_eq!(ask(&tacit, None, &form).await.status(), 401, "who knows no password learns of no scope");
    assert_eq!(scope_of(&tacit.log_in("ada").await), "read write", "/login asks for nothing less");
    let sessions = "SELECT count(*) AS value FROM sessions";
    assert_eq!(tacit.home.database.number(sessions), 10, "a refused wish opens no session");
}

#[tokio::test]
async fn every_token_has_exactly_what_was_asked_for_granted_and_held() {
    const ALL: [&str; 3] = ["read", "write", "delete"];
    let tacit = with_ada().await;
    let client = create(
        &tacit.home,
        "shop",
        &["--grant", "password", "--grant", "refresh_token", "--scope", "write", "--scope", "delete"],
    );
    let wishes: Vec<Vec<&str>> =
        (0..8).map(|bits| (0..3).filter(|bit| bits >> bit & 1 == 1).map(|bit| ALL[bit]).collect()).collect();
    for (client, may) in [(None, vec!["read", "write"]), (Some(&client), vec!["write"])] {
        for first in &wishes {
            let held: Vec<&str> =
                may.iter().copied().filter(|scope| first.is_empty() || first.contains(scope)).collect();
            let answer = sign_in(&tacit, client, Some(&first.join(" "))).await;
            if held.is_empty() {
                assert_eq!(refusal(answer).await, is(400, "invalid_scope"), "{first:?}");
                continue;
            }
            let (scope, mut tokens) = granted(answer).await;
            assert_eq!(scope, held.join(" "), "{first:?}");
            for then in &wishes {
                let answer = refresh(&tacit, client, &tokens, Some(&then.join(" "))).await;
                if then.iter().any(|scope| !held.contains(scope)) {
                    assert_eq!(refusal(answer).await, is(400, "invalid_scope"), "{first:?} {then:?}");
                    continue;
                }
                let wanted: Vec<&str> =
                    held.iter().copied().filter(|scope| then.is_empty() || then.contains(scope)).collect();
                let (scope, fresh) = granted(answer).await;
                assert_eq!(scope, wanted.join(" "), "{first:?} {then:?}");
                if fresh.get("refresh_token").is_some() {
                    tokens = fresh;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_refused_wish_uses_no_refresh_token_up_and_a_narrow_one_holds_once() {
    let tacit = with_ada().await;
    let (_, first) = granted(sign_in(&tacit, None, None).await).await;
    for wish in ["delete", "read delete", "a\"b"] {
        assert_eq!(refusal(refresh(&tacit, None, &first, Some(wish)).await).await, is(400, "invalid_scope"), "{wish}");
    }
    let generation = "SELECT generation AS value FROM sessions";
    assert_eq!(tacit.home.database.number(generation), 0, "nothing was rotated");
    let (scope, second) = granted(refresh(&tacit, None, &first, Some("read")).await).await;
    assert_eq!((scope.as_str(), &second["rotated"]), ("read", &json!(true)));
    assert_eq!(granted(refresh(&tacit, None, &second, Some("read write")).await).await.0, "read write");
    assert_eq!(granted(refresh(&tacit, None, &second, None).await).await.0, "read write");
}

#[tokio::test]
async fn a_changed_role_takes_scopes_away_at_once_and_widens_no_session() {
    let tacit = with_ada().await;
    let client = create(&tacit.home, "api", &[]);
    let jar = tacit.log_in("ada").await;
    let (_, narrow) = granted(sign_in(&tacit, None, Some("write")).await).await;
    tacit.new_admin("root").await;
    let set_role = |role: &str| assert!(run(&tacit.home, &["user", "set-role", "ada", role], "").status.success());
    set_role("admin");
    assert_eq!(refreshed_cookie(&tacit, &jar).await, "read write");
    assert_eq!(granted(refresh(&tacit, None, &narrow, None).await).await.0, "write");
    assert_eq!(granted(sign_in(&tacit, None, None).await).await.0, "read write delete");
    set_role("kiosk");
    assert_eq!(refreshed_cookie(&tacit, &jar).await, "");
    let told = introspect(&tacit, &client, narrow["refresh_token"].as_str().unwrap()).await;
    assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("")));
    assert_eq!(granted(refresh(&tacit, None, &narrow, None).await).await.0, "");
    assert_eq!(refusal(refresh(&tacit, None, &narrow, Some("write")).await).await, is(400, "invalid_scope"));
    set_role("user");
    assert_eq!(granted(refresh(&tacit, None, &narrow, None).await).await.0, "write");
}

#[tokio::test]
async fn a_configuration_that_grants_more_widens_no_session_and_one_that_grants_less_narrows_it() {
    let tacit = granting("user=read write").set("tokens.secret", SECRET).start().await;
    let (home, jar) = (tacit.home.clone(), tacit.new_session("ada").await);
    drop(tacit);
    for (roles, expected) in [("user=read write more", "read write"), ("user=more write", "write"), ("", "")] {
        let tacit = granting(roles).set("tokens.secret", SECRET).start_in(home.clone()).await;
        assert_eq!(refreshed_cookie(&tacit, &jar).await, expected, "{roles}");
    }
}

#[tokio::test]
async fn the_scope_is_told_to_those_who_introspect_and_all_scopes_to_those_who_discover() {
    let tacit = with_ada().await;
    let client = create(&tacit.home, "api", &[]);
    let (_, tokens) = granted(sign_in(&tacit, None, Some("write")).await).await;
    for token in ["access_token", "refresh_token"] {
        let told = introspect(&tacit, &client, tokens[token].as_str().unwrap()).await;
        assert_eq!((&told["active"], &told["scope"]), (&json!(true), &json!("write")), "{token}");
    }
    let read = async |path: &str| tacit.get(path).send().await.unwrap().json::<Value>().await.unwrap();
    let metadata = read("/.well-known/oauth-authorization-server").await;
    assert_eq!(metadata["scopes_supported"], json!(["delete", "read", "write"]));
    let scopes = read("/openapi.json").await["components"]["securitySchemes"]["oauth2"]["flows"]["password"]["scopes"]
        .as_object()
        .map(|scopes| scopes.keys().cloned().collect::<Vec<_>>());
    assert_eq!(scopes.unwrap(), ["delete", "read", "write"]);
    let bare = Tacit::start().await;
    let metadata = bare.get("/.well-known/oauth-authorization-server").send().await.unwrap();
    assert!(metadata.json::<Value>().await.unwrap().get("scopes_supported").is_none());
}

/// Asks a mount of /verify with a token.
async fn verify(tacit: &Tacit, mount: &str, token: &str) -> Response {
    tacit.get(mount).bearer_auth(token).send().await.unwrap()
}

#[tokio::test]
async fn a_mount_lets_in_the_tokens_that_have_its_scope() {
    let scope = "https://api.example/read:a=b%";
    let setup = granting(&format!("user=read write {scope}")).set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.start().await;
    tacit.register("ada").await;
    let token = async |wish| granted(sign_in(&tacit, None, Some(wish)).await).await.1["access_token"].clone();
    let (reader, writer, odd) = (token("read").await, token("write").await, token(scope).await);
    let text = |token: &Value| token.as_str().unwrap().to_owned();
    let encoded = "https:%2F%2Fapi.example%2Fread:a=b%25";
    for mount in ["/verify", "/verify/access", "/verify/nginx", "/verify/nginx/access"] {
        for (needed, name, has, lacks) in
            [("read", "read", &reader, &writer), ("write", "write", &writer, &reader), (encoded, scope, &odd, &reader)]
        {
            let mount = format!("{mount}/scope/{needed}");
            let answer = verify(&tacit, &mount, &text(has)).await;
            assert_eq!(answer.status(), 200, "{mount}");
            assert_eq!(answer.headers()["x-auth-username"], "ada", "{mount}");
            let answer = verify(&tacit, &mount, &text(lacks)).await;
            let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{name}\"");
            assert_eq!(answer.headers()["www-authenticate"], challenge.as_str(), "{mount}");
            assert_eq!(problem(answer).await, (403, "insufficient_scope".to_owned()), "{mount}");
        }
    }
    assert_eq!(tacit.log().matches("insufficient_scope").count().min(1), 1, "refusals are events");
}

#[tokio::test]
async fn a_token_without_scope_passes_no_mount_of_any() {
    let tacit = Setup::default().set("tokens.secret", SECRET).start().await;
    let jar = tacit.new_session("ada").await;
    for needed in ["read", "%20", "a%0D%0Ab", "%22", "%FF", "a%20b"] {
        let answer = tacit.get_with(&format!("/verify/scope/{needed}"), &jar).await;
        assert_eq!(problem(answer).await, (403, "insufficient_scope".to_owned()), "{needed}");
    }
    // The claim is read word by word.
    let mut claims = part(jar.get(ACCESS).unwrap(), 1);
    claims["scope"] = json!("reader xread read:all");
    let token = forge::sign(&forge::header(), &claims);
    assert_eq!(verify(&tacit, "/verify/scope/reader", &token).await.status(), 200);
    for needed in ["read", "reader%20xread"] {
        assert_eq!(verify(&tacit, &format!("/verify/scope/{needed}"), &token).await.status(), 403, "{needed}");
    }
}

const ACCOUNT_ROUTES: [(Method, &str); 6] = [
    (Method::GET, "/sessions"),
    (Method::DELETE, "/sessions/00000000-0000-4000-8000-000000000000"),
    (Method::PATCH, "/me"),
    (Method::POST, "/me/password"),
    (Method::POST, "/logout/others"),
    (Method::POST, "/logout/all"),
];

#[tokio::test]
async fn a_narrowed_token_takes_no_account_over_once_a_role_grants_account() {
    let tacit = granting("user=account read").start().await;
    tacit.register("ada").await;
    let (_, narrow) = granted(sign_in(&tacit, None, Some("read")).await).await;
    let (_, full) = granted(sign_in(&tacit, None, None).await).await;
    let call = async |tokens: &Value, (method, path): (Method, &str)| {
        let request = tacit.request(method, path).bearer_auth(tokens["access_token"].as_str().unwrap());
        request.send().await.unwrap()
    };
    for route in ACCOUNT_ROUTES {
        let answer = call(&narrow, route.clone()).await;
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"account\"";
        assert_eq!(answer.headers()["www-authenticate"], challenge, "{route:?}");
        assert_eq!(problem(answer).await, (403, "insufficient_scope".to_owned()), "{route:?}");
    }
    assert_eq!(call(&narrow, (Method::GET, "/me")).await.status(), 200, "who one is, every token may ask");
    for route in ACCOUNT_ROUTES {
        assert_ne!(call(&full, route.clone()).await.status(), 403, "{route:?}");
    }
    let jar = tacit.log_in("ada").await;
    assert_eq!(tacit.get_with("/sessions", &jar).await.status(), 200);
    assert_eq!(tacit.post_with("/logout", &jar).await.status(), 200);
}

#[tokio::test]
async fn where_no_role_grants_account_nobody_needs_it_and_a_new_password_widens_nothing() {
    let tacit = with_ada().await;
    let (_, narrow) = granted(sign_in(&tacit, None, Some("read")).await).await;
    let body = json!({"current_password": PASSWORD, "new_password": "another horse battery staple"});
    let request = tacit.post("/me/password").bearer_auth(narrow["access_token"].as_str().unwrap()).json(&body);
    let (scope, tokens) = granted(request.send().await.unwrap()).await;
    assert_eq!(scope, "read");
    assert_eq!(granted(refresh(&tacit, None, &tokens, None).await).await.0, "read");
    assert_eq!(refusal(refresh(&tacit, None, &tokens, Some("write")).await).await, is(400, "invalid_scope"));
}
