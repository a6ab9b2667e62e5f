//! What honest people and clients do, with marks for all that is secret.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::marks::{AGENT, Marks, marked_name, marked_secret};
use crate::app::Tacit;
use crate::jar::{ACCESS, DEVICE, Jar, REFRESH};

/// Notes every token of an answer's cookies, and what of its body is secret.
pub fn note_cookies(marks: &mut Marks, answer: &Response) -> Jar {
    let mut jar = Jar::default();
    jar.apply(answer);
    for name in [ACCESS, REFRESH, DEVICE] {
        if let Some(value) = jar.get(name) {
            marks.note_issued(value);
        }
    }
    jar
}

pub fn note_body(marks: &mut Marks, body: &Value) {
    for member in ["access_token", "refresh_token", "token", "client_secret", "secret"] {
        if let Some(text) = body[member].as_str() {
            marks.note_issued(text);
        }
    }
}

async fn json_of(marks: &mut Marks, answer: Response, status: u16) -> Value {
    assert_eq!(answer.status(), status);
    let body = answer.json().await.expect("JSON");
    note_body(marks, &body);
    body
}

/// Registers a marked name with a marked password, and does all there is to do.
pub async fn run(tacit: &Tacit, marks: &mut Marks) {
    let (name, password) = (marked_name("ada"), marked_secret("password"));
    let body = json!({"username": name, "email": format!("{name}@example.com"), "password": password});
    let registered = tacit.post("/register").json(&body).send().await.unwrap();
    json_of(marks, registered, 201).await;
    let sent = json!({"username": name, "password": password});
    let answer = tacit.post("/login").json(&sent).header("user-agent", AGENT).send().await.unwrap();
    let mut jar = note_cookies(marks, &answer);
    json_of(marks, answer, 200).await;
    for round in 0..3 {
        let shown = if round == 2 { jar.clone() } else { jar.without_access() };
        let answer = tacit.get("/protected").header("cookie", shown.header()).header("user-agent", AGENT);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        note_cookies(marks, &answer);
        jar.apply(&answer);
        tacit.home.database.age("sessions", "rotated_at", 300);
    }
    let new_password = marked_secret("new-password");
    let change = json!({"current_password": password, "new_password": new_password});
    let answer = tacit.post("/me/password").header("cookie", jar.header()).json(&change).send().await.unwrap();
    note_cookies(marks, &answer);
    json_of(marks, answer, 200).await;
    let form = [("grant_type", "password"), ("username", &name), ("password", &new_password)];
    let tokens = json_of(marks, tacit.post("/token").form(&form).send().await.unwrap(), 200).await;
    let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
    let renamed = json!({"username": marked_name("eva"), "current_password": new_password});
    let answer = tacit.request(Method::PATCH, "/me").bearer_auth(&access).json(&renamed).send().await.unwrap();
    json_of(marks, answer, 200).await;
    thief(tacit, marks, &refresh).await;
    forms(tacit, marks).await;
}

fn text(body: &Value, member: &str) -> String {
    body[member].as_str().expect(member).to_owned()
}

/// Two rotations, and then the first token again.
async fn thief(tacit: &Tacit, marks: &mut Marks, first: &str) {
    let mut token = first.to_owned();
    for _ in 0..2 {
        let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
        let body = json_of(marks, tacit.post("/token").form(&form).send().await.unwrap(), 200).await;
        token = text(&body, "refresh_token");
        tacit.home.database.age("sessions", "rotated_at", 300);
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", first)];
    let stolen = json_of(marks, tacit.post("/token").form(&form).send().await.unwrap(), 400).await;
    assert_eq!(stolen["code"], "token_reuse");
}

/// The pages: register, sign in, a wrong password, sign out.
async fn forms(tacit: &Tacit, marks: &mut Marks) {
    let (name, password) = (marked_name("page"), marked_secret("page-password"));
    let send = async |path: &str, form: &[(&str, &str)], cookie: String| {
        let request = tacit.post(path).header("accept", "text/html").header("cookie", cookie);
        request.form(form).send().await.unwrap()
    };
    let fields = [("username", name.as_str()), ("password", password.as_str())];
    let answer = send("/register", &fields, String::new()).await;
    assert_eq!(answer.status(), 303);
    note_cookies(marks, &answer);
    let wrong = marked_secret("wrong");
    let refused = send("/login", &[("username", &name), ("password", &wrong)], String::new()).await;
    assert_eq!(refused.status(), 401);
    let page = refused.text().await.unwrap();
    assert!(marks.find_secret(page.as_bytes()).is_none(), "{page}");
    let answer = send("/login", &fields, String::new()).await;
    assert_eq!(answer.status(), 303);
    let jar = note_cookies(marks, &answer);
    let account = tacit.get_with("/account", &jar).await;
    assert_eq!(account.status(), 200);
    assert_eq!(marks.find_secret(account.text().await.unwrap().as_bytes()), None);
    let listed = tacit.get_with("/sessions", &jar).await.text().await.unwrap();
    assert_eq!(marks.find_secret(listed.as_bytes()), None);
    assert_eq!(send("/logout", &[], jar.header()).await.status(), 303);
}
