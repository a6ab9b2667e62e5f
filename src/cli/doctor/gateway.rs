//! The gateway that is looked at, and what is known of it.

use serde_json::{Value, json};

use super::client::{Answer, Client, NoAnswer};
use crate::routers::{ACCESS_COOKIES, IDENTITY_HEADERS, REFRESH_COOKIES};
use crate::types::{Password, random_bytes};

/// A gateway, as a client sees it.
pub(super) struct Gateway {
    pub client: Client,
    pub is_https: bool,
    pub is_loopback: bool,
    /// Tacit's `server.base_path`; empty if it has none.
    pub base: String,
    pub credentials: Option<(String, Password)>,
    /// Random text that no answer holds by chance.
    pub nonce: String,
}

/// A path behind the gateway that is not Tacit's.
pub(super) struct Place {
    pub path: String,
    /// Whether nobody gets in without a session.
    pub is_guarded: bool,
    /// Whether it is said to answer with the headers it got.
    pub is_echo: bool,
}

/// A cookie of ours, as an answer sets it.
pub(super) struct Cookie {
    pub name: String,
    pub value: String,
    /// The whole Set-Cookie line.
    pub line: String,
}

/// A sign-in of the doctor's own.
pub(super) struct Session {
    pub access: Cookie,
    pub refresh: Cookie,
    pub user_id: String,
    pub role: String,
}

/// What a try to sign in came to.
pub(super) enum SignIn {
    Done(Box<Session>),
    /// Signed in, but not both cookies arrived.
    CookiesLost(usize),
    Refused(Answer),
}

impl Gateway {
    /// A path of Tacit's own, as the gateway shows it.
    pub fn own(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A path that nobody has.
    pub fn nowhere(&self) -> String {
        format!("/tacit-doctor-{}", self.nonce)
    }

    /// Finds out whether a path is guarded.
    pub fn look_at(&self, path: &str, is_echo: bool) -> Result<Place, NoAnswer> {
        let answer = self.client.get(path).send()?;
        Ok(Place { path: path.to_owned(), is_guarded: answer.asks_to_sign_in(), is_echo })
    }

    /// Signs in; without `credentials` there is nothing to do.
    pub fn sign_in(&self) -> Result<Option<SignIn>, NoAnswer> {
        let Some((name, password)) = &self.credentials else { return Ok(None) };
        let member = if name.contains('@') { "email" } else { "username" };
        let body = json!({ member: name, "password": password.expose() });
        let answer = self.client.post(&self.own("/login")).json(&body).send()?;
        let document: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let text = |name: &str| document.pointer(name).and_then(Value::as_str).map(str::to_owned);
        let (Some(user_id), Some(role)) = (text("/user/id"), text("/user/role")) else {
            return Ok(Some(SignIn::Refused(answer)));
        };
        let cookies = token_cookies(&answer);
        let arrived = cookies.len();
        let (mut access, mut refresh) = (None, None);
        for cookie in cookies {
            let place = if cookie.is_access() { &mut access } else { &mut refresh };
            *place = Some(cookie);
        }
        if let (Some(access), Some(refresh)) = (access, refresh) {
            return Ok(Some(SignIn::Done(Box::new(Session { access, refresh, user_id, role }))));
        }
        // No session is left behind. Who sends neither Origin nor Sec-Fetch-Site is given the token as well.
        let bearer = format!("Bearer {}", text("/access_token").unwrap_or_default());
        self.client.post(&self.own("/logout")).header("Authorization", bearer).send()?;
        Ok(Some(SignIn::CookiesLost(arrived)))
    }

    /// Signs in for a check of its own; `None` if it cannot be done.
    pub fn another_session(&self) -> Result<Option<Session>, NoAnswer> {
        Ok(match self.sign_in()? {
            Some(SignIn::Done(session)) => Some(*session),
            _ => None,
        })
    }

    /// Ends a session of the doctor's.
    pub fn sign_out(&self, session: &Session) -> Result<Answer, NoAnswer> {
        self.client.post(&self.own("/logout")).header("Cookie", session.cookies()).send()
    }
}

impl Cookie {
    pub fn is_access(&self) -> bool {
        ACCESS_COOKIES.contains(&self.name.as_str())
    }

    pub fn pair(&self) -> String {
        format!("{}={}", self.name, self.value)
    }
}

impl Session {
    /// The `Cookie` header.
    pub fn cookies(&self) -> String {
        format!("{}; {}", self.access.pair(), self.refresh.pair())
    }
}

/// The cookies of ours that an answer sets or clears.
pub(super) fn token_cookies(answer: &Answer) -> Vec<Cookie> {
    let mut found = Vec::new();
    for line in answer.all("set-cookie") {
        let pair = line.split(';').next().unwrap_or_default();
        let Some((name, value)) = pair.split_once('=') else { continue };
        if ACCESS_COOKIES.contains(&name) || REFRESH_COOKIES.contains(&name) {
            found.push(Cookie { name: name.to_owned(), value: value.to_owned(), line: line.to_owned() });
        }
    }
    found
}

/// Headers that are for the API only, among an answer's: a script could read them there.
pub(super) fn leaks(answer: &Answer) -> Vec<&'static str> {
    let with_tokens = ["authorization", "x-auth-set-cookie-1", "x-auth-set-cookie-2"];
    with_tokens.into_iter().chain(IDENTITY_HEADERS).filter(|name| answer.has(name)).collect()
}

/// Random text, in hexadecimal.
pub(super) fn nonce() -> String {
    format!("{:016x}", u64::from_ne_bytes(random_bytes()))
}
