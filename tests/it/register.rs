//! POST /register.

use serde_json::{Value, json};

use crate::app::{PASSWORD, Setup, Tacit};
use crate::problems::{self, Problem};
use crate::shapes::{assert_user, members};

async fn register(tacit: &Tacit, body: &Value) -> reqwest::Response {
    tacit.post("/register").json(body).send().await.unwrap()
}

async fn refused(tacit: &Tacit, body: &Value) -> Problem {
    problems::read(register(tacit, body).await).await
}

fn users(tacit: &Tacit) -> i64 {
    tacit.home.database.number("SELECT count(*) AS value FROM users")
}

#[tokio::test]
async fn a_registration_is_answered_with_the_user_and_no_cookie() {
    let tacit = Tacit::start().await;
    let answer = register(&tacit, &json!({"username": "Ada", "email": "Ada@Example.com", "password": PASSWORD})).await;
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    assert!(!answer.headers().contains_key("set-cookie"));
    problems::assert_plain_security_headers(answer.headers());
    let body: Value = answer.json().await.unwrap();
    assert_eq!(members(&body), ["message", "status", "user"]);
    assert_eq!(body["status"], "success");
    assert_eq!(body["message"], "User Ada registered successfully");
    assert_user(&body["user"]);
    assert_eq!(body["user"]["username"], "Ada");
    assert_eq!(body["user"]["email"], "Ada@Example.com");
    assert_eq!((&body["user"]["role"], &body["user"]["disabled"]), (&json!("user"), &json!(false)));
}

#[tokio::test]
async fn an_account_without_a_username_is_addressed_by_its_address() {
    let tacit = Tacit::start().await;
    let answer = register(&tacit, &json!({"email": "ann@example.com", "password": PASSWORD})).await;
    assert_eq!(answer.status(), 201);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["message"], "User ann@example.com registered successfully");
    assert_eq!(body["user"]["username"], Value::Null);
    assert_user(&body["user"]);
}

#[tokio::test]
async fn a_registration_without_a_name_or_a_password_is_told_what_is_required() {
    let tacit = Tacit::start().await;
    for body in [
        json!({}),
        json!({"username": "ada"}),
        json!({"password": PASSWORD}),
        json!({"username": "", "password": PASSWORD}),
        json!({"username": "ada", "password": ""}),
        json!({"username": null, "email": null, "password": PASSWORD}),
        json!({"username": "ada", "password": null}),
    ] {
        let problem = refused(&tacit, &body).await;
        assert!(problem.is(400, "bad_request"), "{body}: {problem:?}");
        assert_eq!(problem.detail, "Username and password are required");
    }
    assert_eq!(users(&tacit), 0);
}

#[tokio::test]
async fn refusals_come_in_the_order_shape_taken_password() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let shape = refused(&tacit, &json!({"username": "ada", "email": "no address", "password": "short"})).await;
    assert!(shape.is(400, "bad_request"), "{shape:?}");
    assert_eq!(shape.fields(), ["email"]);
    let taken = refused(&tacit, &json!({"username": "ada", "password": "short"})).await;
    assert!(taken.is(409, "username_taken"), "{taken:?}");
    assert_eq!((taken.detail.as_str(), taken.fields()), ("Username already exists", vec!["username"]));
    let weak = refused(&tacit, &json!({"username": "bob", "password": "short"})).await;
    assert!(weak.is(422, "weak_password"), "{weak:?}");
    assert_eq!(weak.fields(), ["password"]);
    assert_eq!(users(&tacit), 1);
}

#[tokio::test]
async fn nobody_registers_with_power_or_with_any_unknown_member() {
    let tacit = Tacit::start().await;
    for (member, value) in [
        ("role", json!("admin")),
        ("role", json!(["admin"])),
        ("roles", json!(["admin"])),
        ("Role", json!("admin")),
        ("is_admin", json!(true)),
        ("is_superuser", json!(true)),
        ("id", json!("00000000-0000-0000-0000-000000000000")),
        ("email_verified", json!(true)),
        ("disabled", json!(false)),
        ("password_hash", json!("x")),
        ("user", json!({"role": "admin"})),
    ] {
        let mut body = json!({"username": "eve", "password": PASSWORD});
        body[member] = value;
        assert!(refused(&tacit, &body).await.is(400, "bad_request"), "{body}");
    }
    assert_eq!(users(&tacit), 0);
    let answer = tacit.post("/register?role=admin").json(&json!({"username": "eve", "password": PASSWORD}));
    let body: Value = answer.send().await.unwrap().json().await.unwrap();
    assert_eq!(body["user"]["role"], "user");
}

#[tokio::test]
async fn names_that_read_the_same_are_one_name() {
    let tacit = Tacit::start().await;
    for (first, second, code) in [
        (json!({"username": "Straße"}), json!({"username": "STRASSE"}), "username_taken"),
        (json!({"username": "ｆｕｌｌ"}), json!({"username": "Full"}), "username_taken"),
        (json!({"username": "e\u{301}va"}), json!({"username": "ÉVA"}), "username_taken"),
        (json!({"username": "ΟΔΥΣΣΕΥΣ"}), json!({"username": "οδυσσευς"}), "username_taken"),
        (json!({"email": "Ann@bücher.example"}), json!({"email": "ann@XN--BCHER-KVA.example"}), "email_taken"),
        (json!({"email": "ＡＮＮＡ@b.example"}), json!({"email": "anna@b.example"}), "email_taken"),
    ] {
        let with_password = |mut body: Value| {
            body["password"] = json!(PASSWORD);
            body
        };
        assert_eq!(register(&tacit, &with_password(first.clone())).await.status(), 201, "{first}");
        let problem = refused(&tacit, &with_password(second.clone())).await;
        assert!(problem.is(409, code), "{second}: {problem:?}");
    }
}

#[tokio::test]
async fn names_that_deceive_or_break_things_are_refused_with_their_field() {
    let tacit = Tacit::start().await;
    let long = "x".repeat(65);
    let huge = "x".repeat(10_000);
    for name in [
        " ada",
        "ada ",
        "a  da",
        "a@da",
        "a/da",
        "a\0da",
        "a\nda",
        "a\u{202e}da",
        "a\u{200b}da",
        "\u{feff}ada",
        "a\u{2066}da",
        "＠ada",
        &long,
        &huge,
    ] {
        let problem = refused(&tacit, &json!({"username": name, "password": PASSWORD})).await;
        assert!(problem.is(400, "bad_request"), "{name:?}: {problem:?}");
        assert_eq!(problem.fields(), ["username"], "{name:?}");
    }
    let long_local = format!("{}@b.example", "a".repeat(65));
    let long_all = format!("a@{}.example", "b.".repeat(125));
    for email in [
        "ada",
        "@b.example",
        "a@",
        "a@b@c.example",
        "a b@c.example",
        "a\0@b.example",
        "a@-b.example",
        &long_local,
        &long_all,
    ] {
        let problem = refused(&tacit, &json!({"email": email, "password": PASSWORD})).await;
        assert!(problem.is(400, "bad_request"), "{email:?}: {problem:?}");
        assert_eq!(problem.fields(), ["email"], "{email:?}");
    }
    assert_eq!(users(&tacit), 0);
}

#[tokio::test]
async fn every_name_of_the_rules_is_taken_and_shown_as_typed() {
    let tacit = Tacit::start().await;
    let long = "é".repeat(64);
    let sql = "Robert'); DROP TABLE users;--";
    for name in ["a", "Ada Lovelace", "안녕", "😀", "%00", "null", sql, &long] {
        let answer = register(&tacit, &json!({"username": name, "password": PASSWORD})).await;
        assert_eq!(answer.status(), 201, "{name}");
        assert_eq!(answer.json::<Value>().await.unwrap()["user"]["username"], name);
        tacit.log_in(name).await;
    }
    for email in ["a@b", "用户@例子.广告", "o'neil+tag@example.com", "\"quoted\"@example.com"] {
        let answer = register(&tacit, &json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(answer.status(), 201, "{email}");
    }
}

#[tokio::test]
async fn passwords_are_judged_by_length_and_guesses_and_by_nothing_else() {
    let tacit = Tacit::start().await;
    let (seven, longest) = ("xK9!q2z", format!("{}{}", PASSWORD, "é".repeat(128 - PASSWORD.len())));
    let too_long = format!("{longest}x");
    for weak in [seven, &too_long, "password1", "qwerty456", "letmein123", "aaaaaaaaaaaa", "mallory-quint"] {
        let problem = refused(&tacit, &json!({"username": "mallory-quint", "password": weak})).await;
        assert!(problem.is(422, "weak_password"), "{weak}: {problem:?}");
        assert!(!problem.body.to_string().contains(weak), "the answer repeats the password");
    }
    let emoji: String = (0..64).filter_map(|n| char::from_u32(0x1F600 + n)).collect();
    for (number, good) in ["testpass123", &longest, &emoji, "  spaces stay where they are  "].into_iter().enumerate() {
        let name = format!("user{number}");
        assert_eq!(register(&tacit, &json!({"username": name, "password": good})).await.status(), 201, "{good}");
        let trimmed = good.trim();
        let answer = tacit.post("/login").json(&json!({"username": name, "password": trimmed})).send().await.unwrap();
        assert_eq!(answer.status(), if trimmed == good { 200 } else { 401 });
    }
    let endless = "x".repeat(1025);
    let problem = refused(&tacit, &json!({"username": "bob", "password": endless})).await;
    assert!(problem.is(400, "bad_request"), "{problem:?}");
    assert_eq!(problem.fields(), ["password"]);
}

#[tokio::test]
async fn of_twenty_who_want_one_name_at_once_exactly_one_gets_it() {
    let tacit = Tacit::start().await;
    let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    let answers = futures_util::future::join_all((0..20).map(|_| register(&tacit, &body))).await;
    let mut won = 0;
    for answer in answers {
        if answer.status() == 201 {
            won += 1;
        } else {
            // Who looks while the winner is being added may see only the second name taken.
            let problem = problems::read(answer).await;
            assert!(problem.is(409, "username_taken") || problem.is(409, "email_taken"), "{problem:?}");
        }
    }
    assert_eq!((won, users(&tacit)), (1, 1));
}

#[tokio::test]
async fn a_closed_registration_is_403_whatever_is_sent() {
    let tacit = Setup::default().set("accounts.registration", "closed").start().await;
    for body in [json!({"username": "ada", "password": PASSWORD}), json!({})] {
        assert!(refused(&tacit, &body).await.is(403, "registration_closed"));
    }
    assert_eq!(users(&tacit), 0);
}
