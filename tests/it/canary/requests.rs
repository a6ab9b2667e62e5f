//! Marks in every place of a request, at every route, in every form, with every method.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;
use tacit::routers::{Route, routes};

use super::flows::{note_body, note_cookies};
use super::marks::{AGENT, Marks, NAME, is_marked, marked_name, marked_secret};
use crate::app::Tacit;
use crate::jar::{ACCESS, DEVICE, Jar, REFRESH};
use crate::matrix::concrete;

/// The fields that some route reads, and the value of each: a mark, or a word that makes the request a valid one.
const FIELDS: [&[(&str, Holds)]; 10] = [
    &[("username", Name), ("password", Secret)],
    &[("username", Misplaced), ("password", Secret)],
    &[("username", Name), ("email", Address), ("password", Secret)],
    &[("current_password", Secret), ("new_password", Secret)],
    &[("current_password", Secret), ("username", Name), ("email", Secret)],
    &[("refresh_token", Secret)],
    &[("token", Secret), ("token_type_hint", Secret), ("client_id", Secret), ("client_secret", Secret)],
    &[("grant_type", Word("password")), ("username", Name), ("password", Secret), ("client_id", Name)],
    &[("grant_type", Word("refresh_token")), ("refresh_token", Secret), ("scope", Secret)],
    &[
        ("grant_type", Secret),
        ("audience", Secret),
        ("client_id", Secret),
        ("client_secret", Secret),
        ("scope", Secret),
    ],
];

use Holds::{Address, Misplaced, Name, Secret, Word};

/// What a field holds.
#[derive(Clone, Copy)]
enum Holds {
    Name,
    Address,
    Secret,
    /// A password in the place of a name, which nobody can have.
    Misplaced,
    Word(&'static str),
}

/// A body and the type that it claims to be.
struct Body {
    kind: &'static str,
    bytes: Vec<u8>,
}

fn pairs(fields: &[(&'static str, Holds)]) -> Vec<(&'static str, String)> {
    let value = |field: &str, value: Holds| match value {
        Name => marked_name(field),
        Address => format!("{}@example.com", marked_name(field)),
        Secret => marked_secret(field),
        Misplaced => format!("{}/", marked_secret(field)),
        Word(word) => word.to_owned(),
    };
    fields.iter().map(|(field, kind)| (*field, value(field, *kind))).collect()
}

/// The fields as JSON, as forms, and each of them broken.
fn bodies(fields: &[(&'static str, Holds)]) -> Vec<Body> {
    const JSON: &str = "application/json";
    const FORM: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=edge";
    let pairs = pairs(fields);
    let object: serde_json::Map<_, _> =
        pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect();
    let json = Value::from(object).to_string();
    let (first, value) = pairs.first().expect("a field");
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
    let parts = pairs
        .iter()
        .map(|(name, value)| format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"));
    let multipart: String = parts.chain(["--edge--\r\n".to_owned()]).collect();
    let cut = |text: &str| text[..text.len() - 3].to_owned();
    let all = [
        (JSON, json.clone()),
        (JSON, cut(&json)),
        (JSON, json.replacen('{', &format!("{{\"{first}\":\"{value}\","), 1)),
        (JSON, format!("[\"{value}\"]")),
        (JSON, format!("{{\"{value}\":\"{value}\"}}")),
        (JSON, json.replace(':', ":1,")),
        (FORM, form.clone()),
        (FORM, format!("{form}&{form}")),
        (FORM, format!("{value}=%zz&{value}")),
        (MULTIPART, multipart.clone()),
        (MULTIPART, cut(&multipart)),
        (MULTIPART, multipart.replace("name=", "nonsense=")),
        ("text/plain", json.clone()),
        ("application/xml", format!("<a>{value}</a>")),
        (JSON, form),
        (FORM, json),
    ];
    let mut bodies: Vec<Body> = all.into_iter().map(|(kind, text)| Body { kind, bytes: text.into_bytes() }).collect();
    let latin = [value.as_bytes(), &[0xe9, 0xff, 0]].concat();
    bodies.push(Body { kind: JSON, bytes: latin.clone() });
    bodies.push(Body { kind: FORM, bytes: [first.as_bytes(), b"=", &latin].concat() });
    bodies
}

/// Who asks.
#[derive(Clone, Copy)]
enum Caller {
    /// Marks where credentials belong.
    Stranger(usize),
    /// Somebody who is signed in by cookies.
    Cookie,
    /// The same by Bearer.
    Bearer,
}

const CALLERS: [Caller; 6] = [
    Caller::Stranger(0),
    Caller::Stranger(1),
    Caller::Stranger(2),
    Caller::Stranger(3),
    Caller::Cookie,
    Caller::Bearer,
];

/// Strangers whose guesses are many; each has a name of their own.
struct Sender<'a> {
    tacit: &'a Tacit,
    jar: Jar,
    sent: usize,
}

impl Sender<'_> {
    /// A new session, by password where the throttle allows.
    async fn sign_in(&mut self, marks: &mut Marks) {
        let body = serde_json::json!({"username": "plain", "password": crate::app::PASSWORD});
        let answer = self.tacit.post("/login").json(&body).header("cookie", self.jar.header()).send().await.unwrap();
        if answer.status() == 200 {
            self.jar = note_cookies(marks, &answer);
        }
    }

    fn dressed(&self, method: &Method, path: &str, caller: Caller) -> RequestBuilder {
        let mark = marked_secret("header");
        let query = format!("access_token={mark}&password={mark}&q={}", marked_name("query"));
        let request = self
            .tacit
            .request(method.clone(), &format!("{path}?{query}"))
            .header("user-agent", AGENT)
            .header("referer", format!("http://localhost/{mark}?token={mark}"))
            .header("x-request-id", format!("{mark} is no word"))
            .header("x-api-key", &mark);
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{mark}", marked_secret("client"))));
        let own = |name: &str| self.jar.get(name).unwrap_or("none").to_owned();
        match caller {
            Caller::Stranger(0) => request
                .bearer_auth(&mark)
                .header("x-forwarded-for", &mark)
                .header("x-forwarded-uri", format!("/{mark}?{mark}"))
                .header("x-forwarded-method", &mark),
            Caller::Stranger(1) => request.header("authorization", basic),
            Caller::Stranger(2) => {
                request.bearer_auth(format!("eyJ.{}.{mark}", marked_secret("x"))).header("origin", &mark)
            }
            Caller::Stranger(_) => {
                let cookies = format!("{ACCESS}={mark}; {REFRESH}=rt1_{mark}; {DEVICE}={mark}.{mark}; other={mark}");
                request.header("cookie", cookies).header("accept", "text/html").header("sec-fetch-mode", "navigate")
            }
            Caller::Cookie => request.header("cookie", self.jar.header()),
            Caller::Bearer => request.bearer_auth(own(ACCESS)),
        }
    }

    async fn send(&mut self, marks: &mut Marks, request: RequestBuilder) {
        let answer = request.send().await.expect("an answer");
        self.sent += 1;
        assert_ne!(answer.status(), 500, "{answer:?}");
        if note_cookies(marks, &answer).get(REFRESH).is_some() {
            self.jar.apply(&answer);
        }
        check_answer(marks, answer).await;
    }
}

/// An error repeats nothing of what was sent; but a person's own page shows the name that was typed into it.
async fn check_answer(marks: &mut Marks, answer: Response) {
    let status = answer.status();
    let url = answer.url().path().to_owned();
    let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let kind = header("content-type").unwrap_or_default();
    let request_id = header("x-request-id").expect("an id");
    assert!(marks.find_secret(request_id.as_bytes()).is_none(), "{url}: {request_id}");
    let body = answer.text().await.expect("text");
    if !status.is_success() && !status.is_redirection() {
        assert_eq!(marks.find_secret(body.as_bytes()), None, "{url} {status}: {body}");
        let shown = is_marked(body.as_bytes(), NAME) && !kind.starts_with("text/html");
        assert!(!shown, "{url} {status} repeats a name: {body}");
    } else if kind.contains("json") {
        note_body(marks, &serde_json::from_str(&body).unwrap_or_default());
    }
}

/// A path of the table, the same with a mark in its last part, and one below it.
fn paths_of(path: &str) -> Vec<String> {
    let marked = marked_secret("path");
    let good = concrete(path);
    let below = format!("{}/{marked}", good.trim_end_matches('/'));
    let varied = path.contains('{').then(|| format!("{good}{marked}"));
    [good].into_iter().chain(varied).chain([below]).collect()
}

fn methods(route: &Route) -> Vec<Method> {
    let mut methods: Vec<Method> =
        route.methods.iter().map(|method| Method::from_bytes(method.as_str().as_bytes()).unwrap()).collect();
    if methods.is_empty() {
        methods = vec![Method::GET, Method::POST, Method::OPTIONS];
    }
    methods.push(Method::from_bytes(b"cAnArY7Gh2Lm").unwrap());
    methods
}

/// Sends marks to every route; tells how many requests that were.
pub async fn send_to_every_route(tacit: &Tacit, marks: &mut Marks) -> usize {
    tacit.register("plain").await;
    let mut sender = Sender { tacit, jar: Jar::default(), sent: 0 };
    for route in routes() {
        sender.sign_in(marks).await;
        for method in methods(&route) {
            for caller in CALLERS {
                for path in paths_of(route.path) {
                    let request = sender.dressed(&method, &path, caller);
                    sender.send(marks, request).await;
                }
            }
            let reads_a_body = [Method::POST, Method::PATCH].contains(&method) && !route.path.starts_with("/verify");
            for fields in FIELDS.iter().filter(|_| reads_a_body) {
                for (number, body) in bodies(fields).into_iter().enumerate() {
                    let caller = CALLERS[number % CALLERS.len()];
                    let path = concrete(route.path);
                    let request = sender.dressed(&method, &path, caller).header("content-type", body.kind);
                    sender.send(marks, request.body(body.bytes)).await;
                }
            }
        }
    }
    assert!(marks.issued() > 10, "{} tokens", marks.issued());
    sender.sent
}
