use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;

use super::settings::Reader;
use crate::types::Origin;

/// Section `server`: where Tacit listens and how the world reaches it.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// `server.listen`: address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// `server.internal_listen`: /verify, /metrics and /readyz answer here only, when it is set.
    pub internal_listen: Option<SocketAddr>,
    /// `server.public_url`: scheme, host and port as browsers see them.
    pub public_url: Origin,
    /// `server.base_path`: stands between public_url and every path; empty, or `/something`.
    pub base_path: String,
    /// `server.workers`: threads that serve requests.
    pub workers: usize,
    /// `server.trusted_proxies`: whose X-Forwarded-* headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// `server.shutdown_timeout`: how long open requests may still run after SIGTERM.
    pub shutdown_timeout: Duration,
}

impl ServerConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        const PUBLIC_URL: &str = "server.public_url";
        let fallback = SocketAddr::from(([127, 0, 0, 1], 8080));
        let listen = r.optional("server.listen", "127.0.0.1:8080").unwrap_or(fallback);
        let internal_listen: Option<SocketAddr> = r.optional("server.internal_listen", "");
        let loopback = listen.ip().is_loopback();
        let public_url: Option<Origin> = r.optional(PUBLIC_URL, "");
        match &public_url {
            None if !loopback => {
                r.problem(PUBLIC_URL, "needed when server.listen is not a loopback address; set it to what browsers type, like \"https://auth.example.com\"");
            }
            Some(url) if !url.is_https() && !url.is_development() => {
                r.problem(PUBLIC_URL, "plain http is for localhost only, where cookies need no Secure; use https://");
            }
            Some(url) if url.is_development() && !loopback => {
                r.warning(PUBLIC_URL, "a development address on a listener that others can reach: cookies go without Secure; use https:// in production");
            }
            _ => {}
        }
        let public_url = public_url.unwrap_or_else(|| Origin::localhost(listen.port()));
        r.computed(PUBLIC_URL, &public_url);

        let base_path: String = r.get("server.base_path", "");
        let well_formed = base_path.is_empty()
            || (base_path.starts_with('/')
                && !base_path.ends_with('/')
                && !base_path.contains("//")
                && base_path.bytes().all(|b| b.is_ascii_alphanumeric() || b"/-_.~".contains(&b)));
        if !well_formed {
            r.problem("server.base_path", "expected nothing, or a path like \"/auth\" without a slash at its end");
        }

        let trusted_proxies: Vec<IpNet> = r.get("server.trusted_proxies", "");
        // 10.0.0.0/8 and fc00::/7 are the largest networks that are somebody's own; two of /1 would be everybody's.
        let too_large = |net: &IpNet| net.prefix_len() < if matches!(net, IpNet::V4(_)) { 8 } else { 7 };
        if trusted_proxies.iter().any(too_large) {
            r.problem(
                "server.trusted_proxies",
                "a network of so many addresses lets anybody choose his address; name the proxies",
            );
        }

        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let workers = r
            .optional("server.workers", "")
            .map_or(cores, |workers: u32| usize::try_from(workers).unwrap_or(usize::MAX));
        if !(1..=1024).contains(&workers) {
            r.problem("server.workers", "expected 1 to 1024");
        }
        r.computed("server.workers", &workers);
        Self {
            listen,
            internal_listen,
            public_url,
            base_path,
            workers,
            trusted_proxies,
            shutdown_timeout: r.get("server.shutdown_timeout", "10s"),
        }
    }

    /// Whether only this machine can reach the listener: what is unsafe only for others is tolerated there.
    pub fn is_loopback(&self) -> bool {
        self.listen.ip().is_loopback()
    }

    /// public_url and base_path: the address of the service, without a slash at its end.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.public_url, self.base_path)
    }
}
