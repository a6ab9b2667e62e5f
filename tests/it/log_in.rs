//! POST /login.

use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit, eventually, problem, run};
use crate::jar::{ACCESS, Jar, REFRESH, set_cookies};
use crate::problems;
use crate::shapes::{assert_time, assert_user, members, part};

async fn log_in(tacit: &Tacit, body: &Value) -> reqwest::Response {
    tacit.post("/login").json(body).send().await.unwrap()
}

#[tokio::test]
async fn a_sign_in_sets_both_cookies_and_tells_a_program_its_token() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let answer = log_in(&tacit, &json!({"username": "ada", "password": PASSWORD})).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.headers()["cache-control"].to_str().unwrap().contains("no-store"));
    let cookies = set_cookies(&answer);
    assert_eq!(cookies.len(), 2);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        members(&body),
        ["access_token", "expires_at", "expires_in", "message", "status", "token", "token_type", "user"]
    );
    assert_eq!((&body["status"], &body["message"]), (&json!("success"), &json!("Welcome ada!")));
    assert_eq!(body["token_type"], "bearer");
    assert_eq!(body["token"], body["access_token"]);
    assert_user(&body["user"]);
    let token = body["access_token"].as_str().unwrap();
    let claims = part(token, 1);
    let expires_in = body["expires_in"].as_i64().unwrap();
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), expires_in);
    assert!((855..=900).contains(&expires_in), "15 minutes less up to 5 %: {expires_in}");
    assert_eq!(assert_time(&body["expires_at"]).timestamp(), claims["exp"].as_i64().unwrap());
    assert_eq!(cookies[0], format!("{ACCESS}={token}; Path=/; Max-Age={expires_in}; HttpOnly; SameSite=Lax"));
    assert!(cookies[1].starts_with(&format!("{REFRESH}=rt1_")), "{}", cookies[1]);
    assert!(cookies[1].ends_with("; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"), "{}", cookies[1]);
}

#[tokio::test]
async fn a_pages_script_never_sees_a_token() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let origin = tacit.url.clone();
    for (name, value) in [("sec-fetch-site", "same-origin"), ("sec-fetch-site", "none"), ("origin", &origin)] {
        let sent = tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD})).header(name, value);
        let answer = sent.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 2), "{name}: {value}");
        let body: Value = answer.json().await.unwrap();
        assert!(body.get("access_token").is_none() && body.get("token").is_none(), "{name}: {value}");
        assert!(!body.to_string().contains("rt1_"));
    }
}

#[tokio::test]
async fn a_user_signs_in_by_username_or_address_in_any_letter_case() {
    let tacit = Tacit::start().await;
    let sent = json!({"username": "Straße", "email": "Ann@Bücher.example", "password": PASSWORD});
    assert_eq!(tacit.post("/register").json(&sent).send().await.unwrap().status(), 201);
    for (member, name) in
        [("username", "STRASSE"), ("username", "ann@bücher.example"), ("email", "ANN@xn--bcher-kva.EXAMPLE")]
    {
        let answer = log_in(&tacit, &json!({member: name, "password": PASSWORD})).await;
        assert_eq!(answer.status(), 200, "{name}");
        assert_eq!(answer.json::<Value>().await.unwrap()["message"], "Welcome Straße!");
    }
    let answer = log_in(&tacit, &json!({"email": "Straße", "password": PASSWORD})).await;
    assert_eq!(answer.status(), 401);
}

#[tokio::test]
async fn wrong_unknown_disabled_and_impossible_are_told_the_same_words() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    tacit.register("dis").await;
    assert!(run(&tacit.home, &["user", "disable", "dis"], "").status.success());
    let sql = "' OR '1'='1";
    for (name, password) in [
        ("ada", "wrong"),
        ("eve", PASSWORD),
        ("dis", PASSWORD),
        (sql, sql),
        ("a\0b", "a\0b"),
        ("x@", "x"),
        ("ada", " "),
    ] {
        let problem = problems::read(log_in(&tacit, &json!({"username": name, "password": password})).await).await;
        assert!(problem.is(401, "invalid_credentials"), "{name}: {problem:?}");
        assert_eq!(problem.detail, "Invalid credentials");
        assert_eq!(problem.headers["www-authenticate"], "Bearer");
        assert!(!problem.headers.contains_key("set-cookie"));
    }
}

#[tokio::test]
async fn a_sign_in_without_a_name_or_a_password_is_malformed() {
    let tacit = Tacit::start().await;
    for body in
        [json!({}), json!({"username": "ada"}), json!({"password": "x"}), json!({"username": "", "password": "x"})]
    {
        let problem = problems::read(log_in(&tacit, &body).await).await;
        assert!(problem.is(400, "bad_request"), "{problem:?}");
        assert_eq!(problem.detail, "Username and password are required");
    }
    let long = "x".repeat(1025);
    let answer = log_in(&tacit, &json!({"username": "ada", "password": long})).await;
    assert!(problems::read(answer).await.is(400, "bad_request"));
    let longest = "x".repeat(1024);
    let answer = log_in(&tacit, &json!({"username": "ada", "password": longest})).await;
    assert!(problems::read(answer).await.is(401, "invalid_credentials"));
}

#[tokio::test]
async fn behind_https_the_cookies_are_secure_and_bound_to_the_host() {
    let tacit = Setup::default().set("server.public_url", "https://auth.example.com").start().await;
    tacit.register("ada").await;
    let answer = log_in(&tacit, &json!({"username": "ada", "password": PASSWORD})).await;
    assert_eq!(answer.headers()["strict-transport-security"], "max-age=31536000");
    let cookies = set_cookies(&answer);
    for (cookie, name) in cookies.iter().zip(["__Host-Http-tacit-access=", "__Host-Http-tacit-refresh="]) {
        assert!(cookie.starts_with(name), "{cookie}");
        for attribute in ["; Path=/;", "; Secure", "; HttpOnly", "; SameSite=Lax", "; Max-Age="] {
            assert!(cookie.contains(attribute), "{attribute}: {cookie}");
        }
        assert!(!cookie.contains("Domain"));
    }
    let mut jar = Jar::default();
    jar.apply(&answer);
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    let mut development = Jar::default();
    development.put(ACCESS, jar.get("__Host-Http-tacit-access").unwrap());
    development.put(REFRESH, jar.get("__Host-Http-tacit-refresh").unwrap());
    assert_eq!(problem(tacit.get_with("/me", &development).await).await, (401, "not_authenticated".to_owned()));
}

#[tokio::test]
async fn over_the_limit_the_oldest_session_gives_way() {
    let tacit = Setup::default().set("sessions.max_per_user", "2").start().await;
    let first = tacit.new_session("ada").await;
    let second = tacit.log_in("ada").await;
    let third = tacit.log_in("ada").await;
    assert_eq!(problem(tacit.get_with("/me", &first).await).await, (401, "session_revoked".to_owned()));
    for jar in [second, third] {
        assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    }
}

#[tokio::test]
async fn where_the_limit_denies_the_sign_in_is_refused_in_each_routes_words() {
    let tacit = Setup::default().set("sessions.max_per_user", "1").set("sessions.on_limit", "deny").start().await;
    let jar = tacit.new_session("ada").await;
    let answer = log_in(&tacit, &json!({"username": "ada", "password": PASSWORD})).await;
    assert!(problems::read(answer).await.is(403, "session_limit"));
    let form = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];
    let answer = tacit.post("/token").form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_grant");
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200);
    tacit.post_with("/logout", &jar).await;
    tacit.log_in("ada").await;
}

#[tokio::test]
async fn a_session_cannot_be_fixed_beforehand() {
    let tacit = Tacit::start().await;
    let attacker = tacit.new_session("eve").await;
    tacit.register("ada").await;
    let sent = tacit.post("/login").json(&json!({"username": "ada", "password": PASSWORD}));
    let answer = sent.header("cookie", attacker.header()).send().await.unwrap();
    let mut victim = Jar::default();
    victim.apply(&answer);
    assert_ne!(part(victim.get(ACCESS).unwrap(), 1)["sid"], part(attacker.get(ACCESS).unwrap(), 1)["sid"]);
    assert_ne!(victim.refresh(), attacker.refresh());
    let me: Value = tacit.get_with("/me", &victim).await.json().await.unwrap();
    assert_eq!(me["username"], "ada");
    let me = tacit.get_with("/me", &attacker).await;
    assert!(me.status() != 200 || me.json::<Value>().await.unwrap()["username"] == "eve");
}

#[tokio::test]
async fn a_plain_bcrypt_hash_signs_in_and_is_upgraded() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    // bcrypt of "secret word".
    let plain = "$2b$04$abcdefghijklmnopqrstuuP6/q0obcGuk6SuzN66aTZwHeRCLMzKO";
    tacit.home.database.execute(&format!("UPDATE users SET password_hash = '{plain}'"));
    assert_eq!(log_in(&tacit, &json!({"username": "ada", "password": "wrong"})).await.status(), 401);
    assert_eq!(log_in(&tacit, &json!({"username": "ada", "password": "secret word"})).await.status(), 200);
    let stored = tacit.home.database.texts("SELECT password_hash AS value FROM users").remove(0).unwrap();
    assert!(stored.starts_with("$bcrypt-sha256$v=2,t=2b,r=4$"), "{stored}");
    assert_eq!(log_in(&tacit, &json!({"username": "ada", "password": "secret word"})).await.status(), 200);
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_answered_503_at_once_while_everything_else_goes_on() {
    let setup = Setup::default().set("passwords.bcrypt_cost", "10").set("passwords.hash_workers", "1");
    let tacit = setup.set("passwords.hash_queue", "2").start().await;
    let jar = tacit.new_session("ada").await;
    let body = json!({"username": "ada", "password": "wrong"});
    let flood = futures_util::future::join_all((0..30).map(|_| log_in(&tacit, &body)));
    let (answers, me) = tokio::join!(flood, tacit.get_with("/me", &jar));
    assert_eq!(me.status(), 200);
    let mut refused = 0;
    for answer in answers {
        if answer.status() == 503 {
            assert!(problems::read(answer).await.is(503, "overloaded"));
            refused += 1;
        } else {
            assert_eq!(answer.status(), 401);
        }
    }
    assert!(refused > 0, "30 sign-ins found room in a queue of 2");
    assert!(
        eventually(async || log_in(&tacit, &json!({"username": "ada", "password": PASSWORD})).await.status() == 200)
            .await
    );
}

#[tokio::test]
async fn a_password_is_good_however_old_it_is() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for column in ["created_at", "updated_at"] {
        tacit.home.database.age("users", column, 10 * 365 * 86_400);
    }
    tacit.log_in("ada").await;
}
