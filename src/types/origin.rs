use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// Scheme, host and port (RFC 6454), compared exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: Host,
    port: u16,
}

impl Origin {
    /// Reads `http://host[:port]` or `https://..`; anything more (a path, a query, a user) is refused.
    pub fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let bare = matches!(url.scheme(), "http" | "https")
            && url.path() == "/"
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
            && !text.ends_with('?')
            && !text.ends_with('#');
        if !bare {
            return None;
        }
        Some(Self { scheme: url.scheme().to_owned(), host: url.host()?.to_owned(), port: url.port_or_known_default()? })
    }

    /// `http://localhost:PORT`.
    pub fn localhost(port: u16) -> Self {
        Self { scheme: "http".to_owned(), host: Host::Domain("localhost".to_owned()), port }
    }

    /// Whether the scheme is https.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// The host without the port.
    pub fn host(&self) -> String {
        self.host.to_string()
    }

    /// `localhost`, `*.localhost`, 127.0.0.0/8 or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
            Host::Ipv4(address) => address.is_loopback(),
            Host::Ipv6(address) => address.is_loopback(),
        }
    }

    /// Plain http on a loopback host: what a developer types.
    pub fn is_development(&self) -> bool {
        !self.is_https() && self.is_loopback()
    }

    /// Equal, or (in development) both among localhost, 127.0.0.1 and `[::1]` on one port.
    pub fn matches(&self, other: &Self) -> bool {
        self == other
            || (self.is_development()
                && self.scheme == other.scheme
                && self.port == other.port
                && self.is_alias_of_this_machine()
                && other.is_alias_of_this_machine())
    }

    /// Whether a page here gets the `SameSite=Lax` cookies of a page there: one scheme and one host, or one parent domain.
    ///
    /// Without the public suffix list this only warns of what is certainly another site.
    pub fn may_be_same_site(&self, other: &Self) -> bool {
        let parent = |host: &Host| match host {
            Host::Domain(name) => {
                let labels: Vec<&str> = name.rsplit('.').take(2).collect();
                labels.join(".")
            }
            address => address.to_string(),
        };
        self.scheme == other.scheme && parent(&self.host) == parent(&other.host)
    }

    fn is_alias_of_this_machine(&self) -> bool {
        match &self.host {
            Host::Domain(name) => name == "localhost",
            Host::Ipv4(address) => *address == Ipv4Addr::LOCALHOST,
            Host::Ipv6(address) => *address == Ipv6Addr::LOCALHOST,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        match (self.scheme.as_str(), self.port) {
            ("http", 80) | ("https", 443) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn default_ports_and_case_do_not_count() {
        assert_eq!(origin("https://A.example:443"), origin("https://a.example"));
        assert_eq!(origin("https://a.example").to_string(), "https://a.example");
    }

    #[test]
    fn look_alikes_do_not_match() {
        let ours = origin("https://app.example");
        for other in
            ["http://app.example", "https://app.example:8443", "https://app.example.evil", "https://evil-app.example"]
        {
            assert!(!ours.matches(&origin(other)), "{other}");
        }
        for garbage in ["null", "", "app.example", "https://app.example/x", "file:///x", "https://u@app.example"] {
            assert_eq!(Origin::parse(garbage), None, "{garbage}");
        }
    }

    #[test]
    fn in_development_the_names_of_this_machine_are_one() {
        assert!(origin("http://localhost:8080").matches(&origin("http://127.0.0.1:8080")));
        assert!(origin("http://[::1]:8080").matches(&origin("http://localhost:8080")));
        assert!(!origin("http://localhost:8080").matches(&origin("http://localhost:3000")));
        assert!(!origin("http://localhost:8080").matches(&origin("http://evil.localhost:8080")));
        assert!(!origin("https://localhost:8080").matches(&origin("https://127.0.0.1:8080")));
    }
}
