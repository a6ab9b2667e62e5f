use super::ServerConfig;
use super::settings::Reader;
use super::value::word_setting;
use crate::types::Origin;

word_setting! {
    /// `cookies.same_site`.
    SameSite {
        /// Sent on top-level navigations from other sites, and on requests from this site.
        #[default] Lax = "lax",
        /// Sent on requests from this site only.
        Strict = "strict",
        /// Sent always; needs Secure.
        None = "none",
    }
}

word_setting! {
    /// `cookies.secure`.
    SecureCookies {
        /// Secure unless public_url is a development address.
        #[default] Auto = "auto",
        /// Secure.
        Always = "always",
    }
}

/// Section `cookies`.
#[derive(Clone, Debug)]
pub struct CookiesConfig {
    /// `cookies.same_site`.
    pub same_site: SameSite,
    /// Whether cookies are Secure and carry the `__Host-Http-` prefix, from `cookies.secure`.
    pub secure: bool,
}

impl CookiesConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig) -> Self {
        let same_site = r.get("cookies.same_site", "lax");
        let secure = r.get::<SecureCookies>("cookies.secure", "auto") == SecureCookies::Always
            || !server.public_url.is_development();
        if same_site == SameSite::None && !secure {
            r.problem(
                "cookies.same_site",
                "browsers take SameSite=None with Secure only; set cookies.secure = \"always\" and use https",
            );
        }
        Self { same_site, secure }
    }
}

/// Section `cross_site`.
#[derive(Clone, Debug)]
pub struct CrossSiteConfig {
    /// `cross_site.allowed_origins`: whose pages may call with cookies.
    pub allowed_origins: Vec<Origin>,
}

impl CrossSiteConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig, cookies: &CookiesConfig) -> Self {
        const KEY: &str = "cross_site.allowed_origins";
        let allowed_origins: Vec<Origin> = r.get(KEY, "");
        for origin in &allowed_origins {
            if cookies.same_site != SameSite::None && !server.public_url.may_be_same_site(origin) {
                r.warning(
                    KEY,
                    format!(
                        "{origin} is another site than {}: browsers will not send it the cookies",
                        server.public_url
                    ),
                );
            }
        }
        Self { allowed_origins }
    }
}

/// Section `gateway`.
#[derive(Clone, Debug)]
pub struct GatewayConfig {
    /// `gateway.login_url`: where a person without a session is sent.
    pub login_url: String,
    /// `gateway.return_hosts`: hosts, without port, that a person may be sent back to.
    pub return_hosts: Vec<String>,
}

impl GatewayConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig) -> Self {
        let login_url: Option<String> = r.optional("gateway.login_url", "");
        let fallback_url = format!("{}/login", server.base_url());
        r.computed("gateway.login_url", &fallback_url);
        if let Some(url) = &login_url
            && !url.starts_with('/')
            && !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
        {
            let message = "expected a URL like \"https://auth.example.com/login\", or a path like \"/login\"";
            r.problem("gateway.login_url", message);
        }
        let hosts: Vec<String> = r.get("gateway.return_hosts", "");
        if hosts.iter().any(|host| host.contains(['/', '*', '@', '\\', ' '])) {
            let message = "one of them is no host and leads nobody back: write each out, like \"app.example.com\"";
            r.warning("gateway.return_hosts", message);
        }
        let fallback_host = server.public_url.host();
        r.computed("gateway.return_hosts", &fallback_host);
        Self {
            login_url: login_url.unwrap_or(fallback_url),
            return_hosts: if hosts.is_empty() { vec![fallback_host] } else { hosts },
        }
    }
}
