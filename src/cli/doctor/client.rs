//! Asks a gateway as a browser or a program would: bounded in time and size, following nothing.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::{HeaderMap, Request};
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use crate::types::{Clock, Instant};

/// How long one answer may take, from the connection to its last byte.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the whole examination may take.
const TIMEOUT: Duration = Duration::from_secs(180);

/// What is read of an answer's body, in bytes; the rest does not matter.
const BODY_LIMIT: u64 = 256 * 1024;

/// What an answer's headers may take, in bytes.
const HEADER_LIMIT: usize = 64 * 1024;

/// A client of one origin.
pub(super) struct Client {
    agent: ureq::Agent,
    /// Why no certificate of anybody is believed here, if that is so.
    no_roots: Option<String>,
    origin: String,
    clock: Clock,
    until: Instant,
}

/// What came back.
pub(super) struct Answer {
    pub status: u16,
    headers: HeaderMap,
    pub body: String,
}

/// Why nothing came back.
#[derive(Debug)]
pub(super) struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A question that is being put together.
#[must_use]
pub(super) struct Question<'a> {
    client: &'a Client,
    method: &'a str,
    path: String,
    headers: Vec<(&'a str, String)>,
    body: String,
}

impl Client {
    /// `origin`: scheme, host and port, without a slash at the end. Certificates are checked against the system's roots.
    pub fn new(origin: String) -> Self {
        let (tls, no_roots) = tls();
        // A proxy in between would be examined instead of the gateway; so none is used, whatever the environment says.
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(ANSWER_TIMEOUT))
            .max_redirects(0)
            .http_status_as_error(false)
            .max_response_header_size(HEADER_LIMIT)
            .proxy(None)
            .user_agent(concat!("tacit-doctor/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls)
            .build()
            .new_agent();
        let clock = Clock::default();
        let until = clock.instant() + TIMEOUT;
        Self { agent, no_roots, origin, clock, until }
    }

    pub fn get(&self, path: &str) -> Question<'_> {
        self.ask("GET", path)
    }

    pub fn post(&self, path: &str) -> Question<'_> {
        self.ask("POST", path)
    }

    fn ask<'a>(&'a self, method: &'a str, path: &str) -> Question<'a> {
        Question { client: self, method, path: path.to_owned(), headers: Vec::new(), body: String::new() }
    }
}

/// With the system's roots; and what went wrong, if there are none.
fn tls() -> (TlsConfig, Option<String>) {
    let found = rustls_native_certs::load_native_certs();
    let no_roots = found.certs.is_empty().then(|| {
        let causes: Vec<String> = found.errors.iter().map(ToString::to_string).collect();
        if causes.is_empty() { "there are none".to_owned() } else { causes.join(", ") }
    });
    let roots = found.certs.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let config = TlsConfig::builder()
        .root_certs(RootCerts::Specific(Arc::new(roots)))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    (config, no_roots)
}

impl<'a> Question<'a> {
    /// Adds a header; an empty value adds none.
    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.headers.push((name, value));
        }
        self
    }

    pub fn json(mut self, value: &serde_json::Value) -> Self {
        self.body = value.to_string();
        self.header("Content-Type", "application/json")
    }

    /// Sends it, and reads what comes back. A connection that was kept open and found closed is tried once more.
    pub fn send(&self) -> Result<Answer, NoAnswer> {
        if self.client.clock.instant() > self.client.until {
            return Err(NoAnswer(format!("the examination took longer than {} s", TIMEOUT.as_secs())));
        }
        match self.try_send() {
            Err(ureq::Error::Io(_)) if self.method == "GET" => self.try_send(),
            outcome => outcome,
        }
        .map_err(|error| NoAnswer(explain(&error, self.client.no_roots.as_deref())))
    }

    fn try_send(&self) -> Result<Answer, ureq::Error> {
        let uri = format!("{}{}", self.client.origin, self.path);
        let mut request = Request::builder().method(self.method).uri(uri);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let answer = if self.body.is_empty() && self.method == "GET" {
            self.client.agent.run(request.body(())?)?
        } else {
            self.client.agent.run(request.body(self.body.clone())?)?
        };
        let (head, body) = answer.into_parts();
        let mut bytes = Vec::new();
        // A stream that never ends, or breaks off, has shown what it had.
        let _ = body.into_reader().take(BODY_LIMIT).read_to_end(&mut bytes);
        let body = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }
}

fn explain(error: &ureq::Error, no_roots: Option<&str>) -> String {
    match error {
        ureq::Error::Timeout(_) => format!("it took longer than {} s", ANSWER_TIMEOUT.as_secs()),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::Io(error)
            if error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>) =>
        {
            // Without a root every certificate is refused: that is no fault of the gateway's.
            let cause = no_roots.map_or_else(
                || error.to_string(),
                |cause| format!("since no certificate authority could be read on this machine ({cause})"),
            );
            format!(
                "TLS failed, {cause}; for an authority of your own, name a file with its certificate in SSL_CERT_FILE"
            )
        }
        other => other.to_string(),
    }
}

impl Answer {
    /// A header's first value; empty if it is absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// All values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    /// Whether it sends the client elsewhere.
    pub fn is_redirect(&self) -> bool {
        matches!(self.status, 301 | 302 | 303 | 307 | 308)
    }

    /// Whether it says that somebody has to sign in first.
    pub fn asks_to_sign_in(&self) -> bool {
        let (page, query) = self.header("location").split_once('?').unwrap_or((self.header("location"), ""));
        self.status == 401 || self.is_redirect() && (page.ends_with("/login") || query.contains("return_to="))
    }
}
