//! What every client shares: where the replicas are, and whether to go on.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Response};
use serde_json::{Value, json};

use crate::app::{PASSWORD, client, refreshed};
use crate::jar::Jar;
use crate::tally::Tally;

/// `sessions.grace`.
pub const GRACE: Duration = Duration::from_secs(3);

/// What the protocol allows from a cookie attached to the answer's cookie in the jar: three quarters of the window.
pub const SOUND: Duration = Duration::from_millis(2250);

pub struct World {
    pub http: Client,
    pub tally: Tally,
    urls: RwLock<Vec<String>>,
    stopping: AtomicBool,
}

impl World {
    pub fn new(urls: Vec<String>) -> Self {
        Self { http: client(), tally: Tally::default(), urls: RwLock::new(urls), stopping: AtomicBool::new(false) }
    }

    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub fn goes_on(&self) -> bool {
        !self.stopping.load(Ordering::Relaxed)
    }

    /// A replica was started anew.
    pub fn moved(&self, replica: usize, url: &str) {
        url.clone_into(&mut self.urls.write().expect("urls")[replica]);
    }

    /// An address at any of the replicas.
    pub fn url(&self, path: &str) -> String {
        let urls = self.urls.read().expect("urls");
        format!("{}{path}", urls[usize::try_from(below(urls.len().try_into().expect("a few"))).expect("a few")])
    }

    /// Counts an answer; `None` if there is none to go on with: nobody listened, the connection broke, or 503.
    fn counted(&self, answer: reqwest::Result<Response>) -> Option<Response> {
        let Ok(answer) = answer else {
            self.tally.answer("no answer");
            return None;
        };
        let status = answer.status().as_u16();
        match refreshed(&answer) {
            Some(verdict) => self.tally.answer(verdict),
            None => self.tally.answer(&status.to_string()),
        }
        (status != 503).then_some(answer)
    }

    /// A refresh by cookie, without an access cookie.
    pub async fn refresh(&self, jar: &Jar) -> Option<Response> {
        let request = self.http.get(self.url("/protected")).header("cookie", jar.without_access().header());
        self.counted(request.send().await)
    }

    pub async fn log_out(&self, jar: &Jar) -> Option<Response> {
        self.counted(self.http.post(self.url("/logout")).header("cookie", jar.header()).send().await)
    }

    pub async fn token(&self, form: &[(&str, &str)]) -> Option<Response> {
        self.counted(self.http.post(self.url("/token")).form(form).send().await)
    }

    /// A new user; `None` if the service could not be asked.
    pub async fn register(&self) -> Option<String> {
        let username = format!("user-{:x}", random());
        let sent = json!({"username": username, "password": PASSWORD});
        let answer = self.counted(self.http.post(self.url("/register")).json(&sent).send().await)?;
        if answer.status() == 201 {
            self.tally.registered(&username);
            return Some(username);
        }
        self.tally.wrong(format!("a registration was answered with {}", answer.status()));
        None
    }

    /// The jar after a sign-in; `None` if the service could not be asked.
    pub async fn log_in(&self, username: &str) -> Option<Jar> {
        let sent = json!({"username": username, "password": PASSWORD});
        let answer = self.counted(self.http.post(self.url("/login")).json(&sent).send().await)?;
        if answer.status() != 200 {
            self.tally.wrong(format!("the sign-in of {username} was answered with {}", answer.status()));
            return None;
        }
        let mut jar = Jar::default();
        jar.apply(&answer);
        Some(jar)
    }

    /// A registered user's jar, tried a few times.
    pub async fn new_session(&self) -> Option<Jar> {
        for _ in 0..5 {
            if let Some(username) = self.register().await
                && let Some(jar) = self.log_in(&username).await
            {
                return Some(jar);
            }
            pause(200).await;
        }
        None
    }
}

/// The `code` of a refusal.
pub async fn code(answer: Response) -> String {
    let body: Value = answer.json().await.unwrap_or_default();
    body["code"].as_str().unwrap_or("none").to_owned()
}

/// Whether what began then is still within the soundness condition.
pub fn is_sound(since: Instant) -> bool {
    since.elapsed() < SOUND
}

fn random() -> u64 {
    uuid::Uuid::new_v4().as_u64_pair().0
}

/// A random number below a limit.
pub fn below(limit: u64) -> u64 {
    // The low half is all random; the high half holds the version.
    uuid::Uuid::new_v4().as_u64_pair().1 % (1 << 60) % limit
}

/// Up to so many milliseconds.
pub async fn pause(most: u64) {
    tokio::time::sleep(Duration::from_millis(below(most + 1))).await;
}
