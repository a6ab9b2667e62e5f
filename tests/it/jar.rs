//! A browser's cookie jar, small enough to reason about.

use std::collections::BTreeMap;

use reqwest::header::SET_COOKIE;

/// The development names, which every test service uses.
pub const ACCESS: &str = "tacit-access";
pub const REFRESH: &str = "tacit-refresh";
pub const DEVICE: &str = "tacit-device";

/// Cookies by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Jar(BTreeMap<String, String>);

impl Jar {
    /// Takes in a response's Set-Cookie headers, in order; one with Max-Age=0 deletes.
    pub fn apply(&mut self, response: &reqwest::Response) {
        for cookie in set_cookies(response) {
            let (pair, attributes) = cookie.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("a name and a value");
            if attributes.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// The `Cookie` header.
    pub fn header(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// The same jar after its access cookie has run out and the browser has dropped it.
    pub fn without_access(&self) -> Self {
        let mut jar = self.clone();
        jar.0.remove(ACCESS);
        jar
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The refresh token; a test that asks knows that there is one.
    pub fn refresh(&self) -> &str {
        self.get(REFRESH).expect("a refresh cookie")
    }

    pub fn put(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.to_owned());
    }
}

/// The Set-Cookie headers of a response, in order.
pub fn set_cookies(response: &reqwest::Response) -> Vec<String> {
    response
        .headers()
        .get_all(SET_COOKIE)
        .iter()
        .map(|value| value.to_str().expect("an ASCII cookie").to_owned())
        .collect()
}
