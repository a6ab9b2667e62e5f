//! The promise of the refresh protocol, case by case: nobody legitimate is logged out by rotation, and a stolen refresh
//! token that is used beyond one window is found out.
//!
//! An expired access token is shown by leaving the access cookie out. A window that has passed is shown by moving the
//! row's `rotated_at` into the past. What depends on the database alone runs on one process and on two in turn.

mod cookies;
mod deadlines;
mod fast_forward;
mod garbage;
mod in_process;
mod keys;
mod limits;
mod losses;
mod outcomes;
mod parallel;
mod race;
mod replicas;
mod sign_out;
mod tabs;
mod theft;
mod token_grant;

use std::time::Duration;

use reqwest::Response;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use self::replicas::{PROCESSES, Replicas, Service};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually};
use crate::jar::{ACCESS, REFRESH};

/// Secrets that the replicas of one deployment share, and that a test can forge with.
const ACCESS_SECRET: &str = "mQ3vT8wL1xZ0pKd9eRy7Uc2Hb6Nf4Jg5";
const REFRESH_SECRET: &str = "Wn5sB2yH8kQ1vX7dF0tL4zC9mG3jR6pE";

/// The window of [`wide`], in seconds.
const GRACE: i64 = 40;

/// Clients side by side.
const CLIENTS: usize = 50;

/// Windows so wide that a slow machine stays within them: they pass when a test says so.
fn wide() -> Setup {
    let grace = format!("{GRACE}s");
    Setup::default().set("tokens.access_ttl", "60s").set("sessions.grace", &grace).set("sessions.emit_deadline", "10s")
}

/// One of several replicas: they share the database, the secrets and the issuer.
fn replica() -> Setup {
    wide()
        .set("tokens.issuer", "http://tacit.test")
        .set("tokens.secret", ACCESS_SECRET)
        .set("sessions.secret", REFRESH_SECRET)
}

/// A service with wide windows, and the first refresh token of a user named ada.
async fn signed_in() -> (Tacit, String) {
    signed_in_with(wide()).await
}

async fn signed_in_with(setup: Setup) -> (Tacit, String) {
    let tacit = setup.start().await;
    let token = tacit.new_session("ada").await.refresh().to_owned();
    (tacit, token)
}

/// The same on so many processes.
async fn signed_in_on(processes: usize) -> (Replicas, String) {
    signed_in_on_with(processes, replica).await
}

async fn signed_in_on_with(processes: usize, setup: impl Fn() -> Setup) -> (Replicas, String) {
    let tacit = Replicas::start(processes, setup).await;
    let token = tacit.next().new_session("ada").await.refresh().to_owned();
    (tacit, token)
}

/// What an answer does to a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cookie {
    Untouched,
    Cleared,
    Set(String),
}

use Cookie::{Cleared, Untouched};

impl Cookie {
    fn is_set(&self) -> bool {
        matches!(self, Self::Set(_))
    }
}

/// An answer, taken apart.
#[derive(Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

impl Answer {
    async fn of(response: Response) -> Self {
        let status = response.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("ASCII").to_owned();
        let headers = response.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let body = response.text().await.expect("a body");
        Self { status, headers, body: serde_json::from_str(&body).unwrap_or_default() }
    }

    fn header(&self, name: &'static str) -> Option<&str> {
        self.all(name).next()
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The status, with how the request was refreshed or, of an error, its code.
    fn outcome(&self) -> (u16, &str) {
        let code = self.body["code"].as_str().filter(|_| self.status >= 400);
        (self.status, code.or(self.header("x-auth-refresh")).unwrap_or_default())
    }

    fn cookie(&self, name: &str) -> Cookie {
        let mut found = self.all("set-cookie").filter_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
        let Some(cookie) = found.next() else { return Untouched };
        assert_eq!(found.next(), None, "two cookies of one name");
        let (value, attributes) = cookie.split_once(';').expect("attributes");
        if attributes.contains("Max-Age=0;") { Cleared } else { Cookie::Set(value.to_owned()) }
    }

    fn access(&self) -> Cookie {
        self.cookie(ACCESS)
    }

    fn refresh(&self) -> Cookie {
        self.cookie(REFRESH)
    }

    /// What happens to the access and the refresh cookie.
    fn cookies(&self) -> (Cookie, Cookie) {
        (self.access(), self.refresh())
    }

    /// The refresh token that goes out; a test that asks knows that there is one.
    fn token(&self) -> String {
        match self.refresh() {
            Cookie::Set(token) => token,
            other => panic!("no refresh token but {other:?} in {self:?}"),
        }
    }

    /// What a browser holds after this answer to a request that it sent with `sent`.
    fn kept(&self, sent: &str) -> String {
        match self.refresh() {
            Cookie::Set(token) => token,
            _ => sent.to_owned(),
        }
    }
}

/// GET /protected with this `Cookie` header.
async fn visit(tacit: &impl Service, cookie: &str) -> Answer {
    Answer::of(tacit.next().get("/protected").header("cookie", cookie).send().await.expect("an answer")).await
}

/// GET /protected with a refresh cookie, after the access cookie has run out.
async fn present(tacit: &impl Service, token: &str) -> Answer {
    visit(tacit, &refresh_cookie(token)).await
}

/// Asks every process with these cookies. Who ended a session knows so at once, the others within about a second.
async fn all_say(tacit: &impl Service, cookies: &str, outcome: (u16, &str)) {
    for process in tacit.all() {
        let told = async || visit(process, cookies).await.outcome() == outcome;
        let alone = tacit.all().len() == 1;
        assert!(if alone { told().await } else { eventually(told).await }, "never {outcome:?}");
    }
}

fn refresh_cookie(token: &str) -> String {
    format!("{REFRESH}={token}")
}

/// The refresh grant of /token.
async fn grant(tacit: &impl Service, token: &str) -> Answer {
    let form = [("grant_type", "refresh_token"), ("refresh_token", token)];
    Answer::of(tacit.next().post("/token").form(&form).send().await.expect("an answer")).await
}

/// Lets the window of every session pass.
fn pass_window(home: &Home) {
    pass(home, GRACE + 1);
}

/// Lets so many seconds of every session's window pass.
fn pass(home: &Home, seconds: i64) {
    home.database.age("sessions", "rotated_at", seconds);
}

/// Presents a token that rotates, and gives the next one.
async fn rotate(tacit: &impl Service, token: &str) -> String {
    let answer = present(tacit, token).await;
    assert_eq!(answer.outcome(), (200, "rotated"));
    answer.token()
}

/// The generation of the only session.
fn generation(home: &Home) -> i64 {
    home.database.number("SELECT generation AS value FROM sessions")
}

/// Why the sessions ended, oldest sign-in first.
fn reasons(home: &Home) -> Vec<Option<String>> {
    home.database.texts("SELECT revoked_reason AS value FROM sessions ORDER BY created_at")
}

/// The only session's reason.
fn reason(home: &Home) -> Option<String> {
    let [reason] = <[_; 1]>::try_from(reasons(home)).expect("one session");
    reason
}

/// How many times the service reported a theft.
fn thefts_reported(tacit: &impl Service) -> usize {
    tacit.all().iter().map(|process| process.log().matches("event=refresh_token_reuse").count()).sum()
}

/// What a counter says, of all processes.
async fn counted(tacit: &impl Service, metric: &str) -> String {
    let mut sum = 0.0;
    for process in tacit.all() {
        sum += process.metric(metric).await;
    }
    sum.to_string()
}

/// A request whose handler waits for the last byte of a body, which the client keeps back: the handler is slow.
struct Slow {
    stream: TcpStream,
    last: u8,
}

impl Slow {
    /// PATCH /me with a refresh cookie of the only session, at rest once it has refreshed, as the generation tells.
    async fn begin(tacit: &Tacit, token: &str, generation_then: i64) -> Self {
        let host = tacit.url.strip_prefix("http://").expect("http");
        let body = format!(r#"{{"email":"ada@example.org","current_password":"{PASSWORD}"}}"#);
        let (rest, last) = body.split_at(body.len() - 1);
        let request = format!(
            "PATCH /me HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nCookie: {}\r\n\r\n{rest}",
            body.len(),
            refresh_cookie(token)
        );
        let mut stream = TcpStream::connect(host).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("a request");
        assert!(eventually(async || generation(&tacit.home) == generation_then).await, "it never refreshed");
        Self { stream, last: last.as_bytes()[0] }
    }

    /// Sends the last byte and reads the answer.
    async fn finish(mut self) -> Answer {
        self.stream.write_all(&[self.last]).await.expect("the last byte");
        let mut text = String::new();
        let reading = self.stream.read_to_string(&mut text);
        tokio::time::timeout(crate::app::LIMIT, reading).await.expect("in time").expect("an answer");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).expect("a status").parse().expect("a number");
        let pair = |line: &str| line.split_once(": ").map(|(name, value)| (name.to_owned(), value.to_owned()));
        Self::answer(status, lines.filter_map(pair).collect(), body)
    }

    fn answer(status: u16, headers: Vec<(String, String)>, body: &str) -> Answer {
        Answer { status, headers, body: serde_json::from_str(body).unwrap_or_default() }
    }
}

/// Repeatable chance (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % bound
    }

    fn milliseconds(&mut self, bound: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(bound)).expect("64 bits"))
    }

    fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}
