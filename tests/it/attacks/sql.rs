//! SQL in every place where a text can stand: it is a text there, and nothing else.

use reqwest::Method;
use serde_json::json;

use crate::app::{PASSWORD, Setup};
use crate::clients::create;
use crate::jar::{ACCESS, DEVICE, REFRESH};

const METACHARACTERS: [&str; 12] = [
    "' OR '1'='1",
    "ada' --",
    "ada'; UPDATE users SET role='admin'; --",
    "'; DROP TABLE sessions; --",
    "\" OR \"\"=\"",
    "\\' OR 1=1 --",
    "ada%",
    "___",
    "$1",
    "?",
    "1) UNION SELECT password_hash FROM users --",
    "'||(SELECT password_hash FROM users LIMIT 1)||'",
];

#[tokio::test]
async fn sql_metacharacters_are_text_wherever_a_text_can_stand() {
    let setup = Setup::default().set("server.trusted_proxies", "127.0.0.1").set("throttle.enabled", "true");
    let limits = setup.set("throttle.account_failures", "10000").set("throttle.address_names", "10000");
    let tacit = limits.set("throttle.address_failures", "10000").start().await;
    let jar = tacit.new_session("ada").await;
    let client = create(&tacit.home, "backend", &["--grant", "client_credentials"]);
    let state = || {
        let users = "SELECT id || role || password_hash AS value FROM users";
        let sessions = "SELECT count(*) AS value FROM sessions WHERE revoked_at IS NULL";
        (tacit.home.database.texts(users), tacit.home.database.number(sessions))
    };
    let before = state();
    for text in METACHARACTERS {
        let encoded: String = form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20");
        let form =
            [("username", text), ("password", text), ("grant_type", "password"), ("client_id", text), ("scope", text)];
        let own = |request: reqwest::RequestBuilder| request.header("cookie", jar.header());
        let requests = [
            tacit.post("/login").json(&json!({"username": text, "password": PASSWORD})),
            tacit.post("/login").json(&json!({"email": text, "password": PASSWORD})),
            tacit.post("/login").json(&json!({"username": "ada", "password": text})),
            tacit.post("/login").header("accept", "text/html").form(&[("username", text), ("password", PASSWORD)]),
            tacit.post(&format!("/login?return_to={encoded}")).json(&json!({"username": text, "password": text})),
            tacit.post("/token").form(&form),
            tacit.post("/token").form(&form[..2]),
            tacit.post("/token").form(&[("grant_type", text)]),
            tacit.post("/token").form(&[("grant_type", "refresh_token"), ("refresh_token", text)]),
            tacit.post("/token").form(&[("grant_type", "client_credentials")]).basic_auth(text, Some(text)),
            client.on(tacit.post("/token")).form(&[("grant_type", "client_credentials"), ("scope", text)]),
            client.on(tacit.post("/token")).form(&[("grant_type", "client_credentials"), ("audience", text)]),
            tacit.post("/introspect").form(&[("token", "x"), ("client_id", text), ("client_secret", text)]),
            client.on(tacit.get(&format!("/revocations?wait={encoded}"))),
            own(tacit.request(Method::DELETE, &format!("/sessions/{encoded}"))),
            own(tacit.request(Method::PATCH, "/me")).json(&json!({"username": text, "current_password": text})),
            own(tacit.post("/me/password")).json(&json!({"current_password": text, "new_password": text})),
            tacit.get("/me").bearer_auth(text),
            tacit.get("/me").header("cookie", format!("{ACCESS}={text}; {REFRESH}={text}; {DEVICE}={text}")),
            tacit.get("/me").header("x-request-id", text),
        ];
        for request in requests {
            let answer = request.send().await.unwrap();
            assert!(answer.status().is_client_error(), "{text}: {answer:?}");
            let body = answer.text().await.unwrap();
            assert!(!body.contains("bcrypt") && !body.contains("access_token"), "{text}: {body}");
        }
        // Where such a text may stand, it is kept as it is.
        let read = own(tacit.get("/me")).header("x-forwarded-for", text).header("user-agent", text);
        assert_eq!(read.send().await.unwrap().status(), 200, "{text}");
        let roles = own(tacit.get(&format!("/verify/role/{encoded}"))).send().await.unwrap();
        assert!([403, 404].contains(&roles.status().as_u16()), "{text}: {}", roles.status());
        assert_eq!(client.on(tacit.post("/introspect")).form(&[("token", text)]).send().await.unwrap().status(), 200);
        assert_eq!(client.on(tacit.post("/revoke")).form(&[("token", text)]).send().await.unwrap().status(), 200);
        assert_eq!(state(), before, "{text}");
        let sent = json!({"username": "ada", "password": PASSWORD});
        let signed_in = tacit.post("/login").header("user-agent", text).json(&sent).send().await.unwrap();
        let mut other = crate::jar::Jar::default();
        other.apply(&signed_in);
        let listed: serde_json::Value = tacit.get_with("/sessions", &other).await.json().await.unwrap();
        assert_eq!(listed["sessions"][0]["user_agent"], text);
        assert_eq!(tacit.post_with("/logout", &other).await.status(), 200);
    }
}
