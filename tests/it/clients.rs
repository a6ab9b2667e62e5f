//! Clients: `tacit client`, and how a client proves itself at POST /token.

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

use crate::app::{Home, PASSWORD, Tacit};
use crate::command_line::{done, fails, json as parsed};
use crate::jar::set_cookies;
use crate::shapes::{assert_time, members, part};

/// What a client presents.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub id: String,
    pub secret: String,
}

impl Credentials {
    /// Adds them to a request, as HTTP Basic.
    pub fn on(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.id, Some(&self.secret))
    }
}

/// Makes a client with these options.
pub fn create(home: &Home, name: &str, options: &[&str]) -> Credentials {
    let created = parsed(&done(home, &[&["client", "create", name, "--json"], options].concat(), ""));
    let word = |member: &str| created[member].as_str().expect(member).to_owned();
    Credentials { id: word("client_id"), secret: word("client_secret") }
}

/// An error of RFC 6749, section 5.2: status, code and challenge, with all that holds for every one of them.
pub async fn refusal(answer: Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    assert_eq!(headers["content-type"], "application/json; charset=utf-8", "{status}");
    assert_eq!(
        (&headers["cache-control"], &headers["pragma"]),
        (&"no-store".parse().unwrap(), &"no-cache".parse().unwrap())
    );
    assert!(set_cookies(&answer).is_empty());
    let challenge = headers.get("www-authenticate").map(|value| value.to_str().unwrap());
    assert_eq!(challenge.is_some_and(|value| value.starts_with("Basic ")), status == 401, "{challenge:?}");
    let body: Value = answer.json().await.expect("JSON");
    assert!(members(&body).iter().all(|name| ["code", "error", "error_description"].contains(name)), "{body}");
    assert!(!body["error_description"].as_str().expect("a description").is_empty());
    (status, body["error"].as_str().expect("a code").to_owned())
}

pub fn is(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

const PASSWORD_FORM: [(&str, &str); 3] = [("grant_type", "password"), ("username", "ada"), ("password", PASSWORD)];

async fn with_fields(tacit: &Tacit, fields: &[(&str, &str)]) -> Response {
    tacit.post("/token").form(&[PASSWORD_FORM.as_slice(), fields].concat()).send().await.unwrap()
}

async fn refresh(tacit: &Tacit, token: &Value, client: Option<&Credentials>) -> Response {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token["refresh_token"].as_str().unwrap())];
    let request = tacit.post("/token").form(&form);
    client.map_or(request.try_clone().unwrap(), |client| client.on(request)).send().await.unwrap()
}

#[test]
fn a_clients_secret_is_printed_once_and_only_its_hash_is_kept() {
    let home = Home::new();
    let options = ["--grant", "password", "--grant", "refresh_token", "--scope", "read", "--audience", "api", "--json"];
    let created = parsed(&done(&home, &[&["client", "create", "backend"], options.as_slice()].concat(), ""));
    let expected = [
        "audiences",
        "client_id",
        "client_secret",
        "created_at",
        "disabled",
        "grants",
        "name",
        "scopes",
        "secret_changed_at",
    ];
    assert_eq!(members(&created), expected);
    assert!(uuid::Uuid::parse_str(created["client_id"].as_str().unwrap()).is_ok());
    let secret = created["client_secret"].as_str().unwrap();
    assert_eq!((&secret[..4], secret.len()), ("tcs_", 4 + 43), "256 random bits in base64url");
    assert_eq!(created["grants"], json!(["password", "refresh_token"]));
    assert_eq!((&created["scopes"], &created["audiences"]), (&json!(["read"]), &json!(["api"])));
    assert_time(&created["created_at"]);
    let listed = done(&home, &["client", "list", "--json"], "");
    assert!(!listed.contains("secret\"") && !listed.contains(secret), "{listed}");
    assert_eq!(parsed(&listed)[0]["client_id"], created["client_id"]);
    let plain = done(&home, &["client", "list"], "");
    assert!(plain.contains("backend") && plain.contains("active") && !plain.contains(secret), "{plain}");
    let printed = done(&home, &["client", "create", "other"], "");
    assert!(printed.contains("client_id") && printed.contains("tcs_"), "{printed}");
    // Nothing of the secret is in the database but its hash.
    let kept =
        format!("SELECT count(*) AS value FROM clients WHERE name LIKE '%{secret}%' OR grants LIKE '%{secret}%'");
    assert_eq!(home.database.number(&kept), 0);
    let hashes = "SELECT count(*) AS value FROM clients WHERE length(secret_hash) = 32";
    assert_eq!(home.database.number(hashes), 2);
}

#[test]
fn what_cannot_be_done_with_a_client_is_said() {
    let home = Home::new();
    let client = create(&home, "backend", &[]);
    assert!(fails(&home, &["client", "create", "backend"], "", 1).contains("Another client"));
    for name in ["", " x", "a\u{7}b", &"x".repeat(65), &client.id] {
        fails(&home, &["client", "create", name], "", 1);
    }
    for command in ["rotate-secret", "disable", "enable"] {
        let unknown = ["client", command, "nobody"];
        assert!(fails(&home, &unknown, "", 1).contains("no such client"), "{command}");
        fails(&home, &["client", command, "00000000-0000-4000-8000-000000000000"], "", 1);
    }
    for wrong in [
        &["client"][..],
        &["client", "create"],
        &["client", "create", "x", "--grant", "nonsense"],
        &["client", "create", "x", "--scope", "a\"b"],
        &["client", "create", "x", "--audience", "\u{e9}"],
    ] {
        fails(&home, wrong, "", 2);
    }
    let long = "x".repeat(1025);
    for option in ["--scope", "--audience"] {
        let complaint = fails(&home, &["client", "create", "x", option, &long], "", 2);
        assert!(complaint.contains(option) && complaint.contains("at most 1024 bytes"), "{complaint}");
    }
    assert_eq!(home.database.number("SELECT count(*) AS value FROM clients"), 1);
}

#[tokio::test]
async fn a_client_proves_itself_by_basic_or_in_the_form_and_its_tokens_say_so() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "backend", &["--grant", "password", "--grant", "refresh_token"]);
    let (id, secret) = (("client_id", client.id.as_str()), ("client_secret", client.secret.as_str()));
    let basic = |fields: &[(&str, &str)]| {
        client.on(tacit.post("/token").form(&[PASSWORD_FORM.as_slice(), fields].concat())).send()
    };
    for answer in [
        with_fields(&tacit, &[id, secret]).await,
        basic(&[]).await.unwrap(),
        basic(&[id]).await.unwrap(),
        client.on(tacit.post("/token").form(&PASSWORD_FORM[1..])).send().await.unwrap(),
    ] {
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        assert_eq!(part(body["access_token"].as_str().unwrap(), 1)["client_id"], json!(client.id));
    }
    // Percent-encoded, as RFC 6749 has it (section 2.3.1).
    let encoded: String = client.id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let answer =
        tacit.post("/token").form(&PASSWORD_FORM).basic_auth(encoded, Some(&client.secret)).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_client_that_does_not_prove_itself_is_401_with_a_basic_challenge() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "one", &["--grant", "password"]);
    let other = create(&tacit.home, "two", &["--grant", "password"]);
    let (id, upper) = (("client_id", client.id.as_str()), client.id.to_uppercase());
    for fields in [
        // A confidential client's id is no public one.
        vec![id],
        vec![id, ("client_secret", &other.secret)],
        vec![id, ("client_secret", "wrong")],
        vec![id, ("client_secret", &client.secret[..46])],
        vec![("client_id", "00000000-0000-4000-8000-000000000000"), ("client_secret", &client.secret)],
        vec![("client_id", "one"), ("client_secret", &client.secret)],
        vec![("client_id", &upper), ("client_secret", &client.secret)],
        vec![("client_id", "' OR 1=1 --"), ("client_secret", &client.secret)],
        vec![("client_id", "a\0b"), ("client_secret", "a\0b")],
        vec![("client_secret", &client.secret)],
    ] {
        assert_eq!(refusal(with_fields(&tacit, &fields).await).await, is(401, "invalid_client"), "{fields:?}");
    }
    for (id, secret) in [(&client.id, &other.secret), (&other.id, &client.secret), (&client.id, &client.id)] {
        let answer = tacit.post("/token").form(&PASSWORD_FORM).basic_auth(id, Some(secret)).send().await.unwrap();
        assert_eq!(refusal(answer).await, is(401, "invalid_client"));
    }
    let query = format!("/token?client_id={}&client_secret={}", client.id, client.secret);
    let answer = tacit.post(&query).form(&[PASSWORD_FORM.as_slice(), &[id]].concat()).send().await.unwrap();
    assert_eq!(refusal(answer).await, is(401, "invalid_client"), "the query is never read");
    assert!(!tacit.log().contains(&client.secret) && tacit.log().contains("client_refused"), "{}", tacit.log());
}

#[tokio::test]
async fn basic_with_an_empty_secret_is_public_use_of_the_id_unless_it_is_a_clients() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "one", &["--grant", "password"]);
    let basic = |id: &str| tacit.post("/token").form(&PASSWORD_FORM).basic_auth(id, Some(""));
    let answer = basic("script").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().await.unwrap();
    assert_eq!(part(body["access_token"].as_str().unwrap(), 1)["client_id"], "tacit");
    assert_eq!(refusal(basic(&client.id).send().await.unwrap()).await, is(401, "invalid_client"));
    // Only a client introspects.
    let asked = tacit.post("/introspect").form(&[("token", "x")]).basic_auth("script", Some(""));
    assert_eq!(refusal(asked.send().await.unwrap()).await, is(401, "invalid_client"));
}

#[tokio::test]
async fn two_ways_at_once_or_two_clients_are_an_invalid_request() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "backend", &["--grant", "password"]);
    let (id, secret) = (("client_id", client.id.as_str()), ("client_secret", client.secret.as_str()));
    for fields in [vec![id, secret], vec![secret], vec![("client_id", "another")]] {
        let answer = client.on(tacit.post("/token").form(&[PASSWORD_FORM.as_slice(), &fields].concat()));
        assert_eq!(refusal(answer.send().await.unwrap()).await, is(400, "invalid_request"), "{fields:?}");
    }
    for fields in [[id, id, secret], [id, secret, secret]] {
        assert_eq!(refusal(with_fields(&tacit, &fields).await).await, is(400, "invalid_request"), "{fields:?}");
    }
    let twice = client.on(client.on(tacit.post("/token").form(&PASSWORD_FORM)));
    assert_eq!(refusal(twice.send().await.unwrap()).await, is(400, "invalid_request"));
}

#[tokio::test]
async fn a_client_is_limited_to_its_grants() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let (bare, password) =
        (create(&tacit.home, "bare", &[]), create(&tacit.home, "password", &["--grant", "password"]));
    let answer = bare.on(tacit.post("/token").form(&PASSWORD_FORM)).send().await.unwrap();
    assert_eq!(refusal(answer).await, is(400, "unauthorized_client"));
    let token: Value =
        password.on(tacit.post("/token").form(&PASSWORD_FORM)).send().await.unwrap().json().await.unwrap();
    assert_eq!(refusal(refresh(&tacit, &token, Some(&password)).await).await, is(400, "unauthorized_client"));
    let unknown = password.on(tacit.post("/token").form(&[("grant_type", "implicit")])).send().await.unwrap();
    assert_eq!(refusal(unknown).await, is(400, "unsupported_grant_type"));
}

#[tokio::test]
async fn a_refresh_token_is_good_in_the_hands_of_its_client_only() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let grants = ["--grant", "password", "--grant", "refresh_token"];
    let (client, other) = (create(&tacit.home, "one", &grants), create(&tacit.home, "two", &grants));
    let own: Value = client.on(tacit.post("/token").form(&PASSWORD_FORM)).send().await.unwrap().json().await.unwrap();
    let public = tacit.token("ada").await;
    for (token, hands) in [(&own, None), (&own, Some(&other)), (&public, Some(&client))] {
        assert_eq!(refusal(refresh(&tacit, token, hands).await).await, is(400, "invalid_grant"), "{hands:?}");
    }
    // Nor in a cookie, which no client secret goes with.
    let cookie = format!("tacit-refresh={}", own["refresh_token"].as_str().unwrap());
    assert_eq!(tacit.get("/me").header("cookie", cookie).send().await.unwrap().status(), 401);
    // None of that has used the token up.
    let renewed = refresh(&tacit, &own, Some(&client)).await;
    assert_eq!(renewed.status(), 200);
    let renewed: Value = renewed.json().await.unwrap();
    assert_eq!(part(renewed["access_token"].as_str().unwrap(), 1)["client_id"], json!(client.id));
    assert_eq!(refresh(&tacit, &public, None).await.status(), 200);
}

#[tokio::test]
async fn a_password_change_leaves_the_client_its_session() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "one", &["--grant", "password", "--grant", "refresh_token"]);
    let token: Value = client.on(tacit.post("/token").form(&PASSWORD_FORM)).send().await.unwrap().json().await.unwrap();
    let change = json!({"current_password": PASSWORD, "new_password": "quite another staple of horses"});
    let bearer = token["access_token"].as_str().unwrap();
    let changed = tacit.post("/me/password").bearer_auth(bearer).json(&change).send().await.unwrap();
    let changed: Value = changed.json().await.unwrap();
    assert_eq!(refresh(&tacit, &changed, Some(&client)).await.status(), 200);
}

#[tokio::test]
async fn a_rotated_secret_and_a_disabled_client_are_refused_at_once() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let old = create(&tacit.home, "backend", &["--grant", "password"]);
    let send = async |client: &Credentials| client.on(tacit.post("/token").form(&PASSWORD_FORM)).send().await.unwrap();
    assert_eq!(send(&old).await.status(), 200);
    let rotated = parsed(&done(&tacit.home, &["client", "rotate-secret", "backend", "--json"], ""));
    assert_eq!(rotated["client_id"], json!(old.id));
    let new = Credentials { secret: rotated["client_secret"].as_str().unwrap().to_owned(), ..old.clone() };
    assert_eq!(refusal(send(&old).await).await, is(401, "invalid_client"));
    assert_eq!(send(&new).await.status(), 200);
    done(&tacit.home, &["client", "disable", &new.id], "");
    assert_eq!(refusal(send(&new).await).await, is(401, "invalid_client"));
    let public = with_fields(&tacit, &[("client_id", &new.id)]).await;
    assert_eq!(refusal(public).await, is(401, "invalid_client"), "its id is nobody else's either");
    done(&tacit.home, &["client", "enable", "backend"], "");
    assert_eq!(send(&new).await.status(), 200);
}
