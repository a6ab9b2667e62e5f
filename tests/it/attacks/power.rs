//! Reaching for what is another's: a role, an account, a session.

use reqwest::Method;
use serde_json::{Value, json};

use crate::app::{PASSWORD, Tacit, run};
use crate::jar::{ACCESS, Jar};
use crate::problems;
use crate::shapes::part;

/// What a request must not be able to set, in the spellings that libraries fold into one.
fn powers() -> Vec<(&'static str, Value)> {
    vec![
        ("role", json!("admin")),
        ("Role", json!("admin")),
        ("ROLE", json!("admin")),
        ("role ", json!("admin")),
        ("role[]", json!(["admin"])),
        ("roles", json!(["admin"])),
        ("user.role", json!("admin")),
        ("user", json!({"role": "admin"})),
        ("is_admin", json!(true)),
        ("isAdmin", json!(true)),
        ("admin", json!(true)),
        ("scope", json!("admin")),
        ("id", json!("00000000-0000-0000-0000-000000000000")),
        ("sub", json!("00000000-0000-0000-0000-000000000000")),
        ("version", json!(1)),
        ("disabled", json!(false)),
        ("email_verified", json!(true)),
        ("password_hash", json!("$2b$04$abcdefghijklmnopqrstuuP6/q0obcGuk6SuzN66aTZwHeRCLMzKO")),
        ("password", json!(PASSWORD)),
        ("__proto__", json!({"role": "admin"})),
        ("constructor", json!({"prototype": {"role": "admin"}})),
    ]
}

fn users(tacit: &Tacit) -> Vec<Option<String>> {
    let row = "username || ' ' || role || ' ' || disabled || ' ' || password_hash";
    tacit.home.database.texts(&format!("SELECT {row} AS value FROM users ORDER BY username"))
}

#[tokio::test]
async fn nobody_changes_the_own_account_into_power() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let before = users(&tacit);
    for (member, value) in powers() {
        for (method, path, mut body) in [
            (Method::PATCH, "/me", json!({"username": "ada2", "current_password": PASSWORD})),
            (
                Method::POST,
                "/me/password",
                json!({"current_password": PASSWORD, "new_password": "another battery of horses"}),
            ),
        ] {
            body[member] = value.clone();
            let request = tacit.request(method, path).header("cookie", jar.header()).json(&body);
            let problem = problems::read(request.send().await.unwrap()).await;
            assert!(problem.is(400, "bad_request"), "{path} {member}: {problem:?}");
        }
    }
    assert_eq!(users(&tacit), before);
}

#[tokio::test]
async fn no_form_no_query_and_no_header_registers_or_signs_in_with_power() {
    let tacit = Tacit::start().await;
    for (number, (member, value)) in powers().into_iter().filter(|(member, _)| *member != "password").enumerate() {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let name = format!("eve{number}");
        let form = [("username", name.as_str()), ("password", PASSWORD), (member, text.as_str())];
        let page = tacit.post("/register").header("accept", "text/html").form(&form).send().await.unwrap();
        assert!([303, 400].contains(&page.status().as_u16()), "{member}: {}", page.status());
        let query = form_urlencoded::Serializer::new(String::new()).append_pair(member, &text).finish();
        let sent = json!({"username": format!("mal{number}"), "password": PASSWORD});
        let answer = tacit.post(&format!("/register?{query}")).header("x-role", "admin").json(&sent).send().await;
        assert_eq!(answer.unwrap().status(), 201, "{member}");
        let oauth = [
            ("grant_type", "password"),
            ("username", &format!("mal{number}")),
            ("password", PASSWORD),
            (member, &text),
        ];
        let answer = tacit.post(&format!("/token?{query}")).form(&oauth).send().await.unwrap();
        if answer.status() == 200 {
            let tokens: Value = answer.json().await.unwrap();
            let claims = part(tokens["access_token"].as_str().unwrap(), 1);
            assert_eq!((&claims["role"], &claims["roles"]), (&json!("user"), &json!(["user"])), "{member}");
            assert!(!claims["scope"].as_str().unwrap().contains("admin"), "{member}");
        }
    }
    let text = |member: &str| format!("SELECT {member} AS value FROM users WHERE role <> 'user' OR disabled");
    assert!(tacit.home.database.texts(&text("username")).is_empty());
}

#[tokio::test]
async fn another_users_session_is_as_absent_as_none_in_every_spelling_of_its_id() {
    let tacit = Tacit::start().await;
    let (ada, eve) = (tacit.new_session("ada").await, tacit.new_session("eve").await);
    let id = part(ada.get(ACCESS).unwrap(), 1)["sid"].as_str().unwrap().to_owned();
    let none = "00000000-0000-4000-8000-000000000000";
    let spellings = |id: &str| {
        [
            id.to_owned(),
            id.to_uppercase(),
            id.replace('-', ""),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            format!("{id}/"),
        ]
    };
    let delete = async |id: &str, jar: &Jar| {
        let request = tacit.request(Method::DELETE, &format!("/sessions/{id}")).header("x-request-id", "same");
        let problem = problems::read(request.header("cookie", jar.header()).send().await.unwrap()).await;
        (problem.status, problem.body)
    };
    for (foreign, absent) in spellings(&id).iter().zip(spellings(none)) {
        let of_foreign = delete(foreign, &eve).await;
        assert_eq!(of_foreign.0, 404, "{foreign}");
        assert_eq!(of_foreign, delete(&absent, &eve).await, "{foreign}");
    }
    assert_eq!(tacit.get_with("/me", &ada.without_access()).await.status(), 200);
}

#[tokio::test]
async fn a_disabled_user_gets_in_nowhere_by_nothing() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let tokens = tacit.token("ada").await;
    let client = crate::clients::create(&tacit.home, "backend", &[]);
    assert!(run(&tacit.home, &["user", "disable", "ada"], "").status.success());
    assert!(crate::app::eventually(async || tacit.get_with("/verify", &jar).await.status() == 401).await);
    let (access, refresh) = (tokens["access_token"].as_str().unwrap(), tokens["refresh_token"].as_str().unwrap());
    for cookie in [jar.header(), jar.without_access().header()] {
        super::assert_refused_everywhere(&tacit, "cookie", &cookie, "disabled").await;
    }
    super::assert_refused_everywhere(&tacit, "authorization", &format!("Bearer {access}"), "disabled").await;
    let form = [("username", "ada"), ("password", PASSWORD)];
    let oauth = [("grant_type", "password"), form[0], form[1]];
    for (request, status) in [
        (tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD})), 401),
        (tacit.post("/login").header("accept", "text/html").form(&form), 401),
        (tacit.post("/token").form(&form), 401),
        (tacit.post("/token").form(&oauth), 400),
        (tacit.post("/token").form(&[("grant_type", "refresh_token"), ("refresh_token", refresh)]), 400),
    ] {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status);
        assert!(crate::jar::set_cookies(&answer).iter().all(|cookie| cookie.contains("Max-Age=0")));
        assert!(!answer.text().await.unwrap().contains("token\":\"ey"));
    }
    for token in [access, refresh] {
        let asked = client.on(tacit.post("/introspect")).form(&[("token", token)]).send().await.unwrap();
        assert_eq!(asked.json::<Value>().await.unwrap(), json!({"active": false}));
    }
    // Nor does the account free its name.
    let again = tacit.post("/register").json(&json!({"username": "ADA", "password": PASSWORD})).send().await.unwrap();
    assert!(problems::read(again).await.is(409, "username_taken"));
}
