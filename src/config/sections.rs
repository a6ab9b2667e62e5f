use std::path::{Path, PathBuf};
use std::time::Duration;

use super::secrets::{KeyRing, read_secret_file};
use super::settings::Reader;
use super::value::word_setting;
use super::{ServerConfig, settings, value};
use crate::types::Origin;

/// Section `data`.
#[derive(Clone, Debug)]
pub struct DataConfig {
    /// `data.dir`: the embedded database and generated secrets live here.
    pub dir: PathBuf,
}

impl DataConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        Self { dir: r.optional("data.dir", "data").unwrap_or_else(|| PathBuf::from("data")) }
    }
}

/// Which database a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, as libpq reads it.
    Postgres(String),
}

impl value::FromSetting for DatabaseUrl {
    fn from_setting(raw: &settings::Raw) -> Result<Self, String> {
        const EXPECTED: &str = "expected \"sqlite://path/to/file.db\" or \"postgres://user@host/name\"";
        let text = String::from_setting(raw)?;
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(":memory:") || path.contains('\0') {
                return Err("sqlite: names a file, like \"sqlite://data/tacit.db\"".to_owned());
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if url::Url::parse(&text).is_ok() => Ok(Self::Postgres(format!("postgres://{rest}"))),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

/// Section `database`.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `database.url`, with the password of `database.password_file`.
    pub url: DatabaseUrl,
    /// `database.pool_size`: connections at most.
    pub pool_size: u32,
    /// `database.acquire_timeout`: the longest wait for a connection; on PostgreSQL also for connecting and for one statement.
    pub acquire_timeout: Duration,
}

impl DatabaseConfig {
    pub(super) fn read(r: &mut Reader<'_>, data: &DataConfig) -> Self {
        let fallback = data.dir.join("tacit.db");
        let given = r.optional("database.url", "");
        r.computed("database.url", &format!("sqlite://{}", fallback.display()));
        let url = with_password(r, given.unwrap_or(DatabaseUrl::Sqlite(fallback)));
        let pool_size = r.get("database.pool_size", "10");
        if !(1..=1000).contains(&pool_size) {
            r.problem("database.pool_size", "expected 1 to 1000");
        }
        let acquire_timeout: Duration = r.get("database.acquire_timeout", "2s");
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&acquire_timeout) {
            r.problem("database.acquire_timeout", "expected 100ms to 60s");
        }
        Self { url, pool_size, acquire_timeout }
    }
}

/// Adds the password of `database.password_file` to the URL.
///
/// libpq's own `passfile` would do, but it ignores a file that others may read, and containers mount secrets so.
fn with_password(r: &mut Reader<'_>, url: DatabaseUrl) -> DatabaseUrl {
    const KEY: &str = "database.password_file";
    let Some(path) = r.optional::<PathBuf>(KEY, "") else { return url };
    let DatabaseUrl::Postgres(text) = &url else {
        r.problem(KEY, "it is for PostgreSQL; set database.url to \"postgres://user@host/name\"");
        return url;
    };
    let has_password = url::Url::parse(text)
        .is_ok_and(|parsed| parsed.password().is_some() || parsed.query_pairs().any(|(name, _)| name == "password"));
    if has_password {
        r.problem(KEY, "database.url holds a password as well; keep one of the two");
        return url;
    }
    match read_secret_file(r, KEY, &path) {
        Some(secret) if secret.expose().is_empty() => {
            r.problem(KEY, format!("{} is empty", path.display()));
            url
        }
        Some(secret) => {
            let password = percent_encoding::percent_encode(secret.expose(), percent_encoding::NON_ALPHANUMERIC);
            let separator = if text.contains('?') { '&' } else { '?' };
            DatabaseUrl::Postgres(format!("{text}{separator}password={password}"))
        }
        None => url,
    }
}

/// Section `tokens`: access tokens.
#[derive(Clone, Debug)]
pub struct TokensConfig {
    /// `tokens.issuer`: the `iss` of every token.
    pub issuer: String,
    /// `tokens.audience`: the `aud` of every token.
    pub audience: String,
    /// `tokens.access_ttl`: an access token's lifetime.
    pub access_ttl: Duration,
    /// `tokens.secret`, `secret_file`, `previous_secrets`, `previous_secret_files`.
    pub keys: KeyRing,
}

impl TokensConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig, data: &DataConfig) -> Self {
        let issuer = r.optional("tokens.issuer", "");
        r.computed("tokens.issuer", &server.base_url());
        let access_ttl: Duration = r.get("tokens.access_ttl", "15m");
        if access_ttl < Duration::from_secs(1) || access_ttl > Duration::from_secs(86_400) {
            r.problem("tokens.access_ttl", "expected 1s to 24h");
        }
        Self {
            issuer: issuer.unwrap_or_else(|| server.base_url()),
            audience: r.optional("tokens.audience", "tacit").unwrap_or_else(|| "tacit".to_owned()),
            access_ttl,
            keys: KeyRing::read(r, "tokens", server, data.dir.join("jwt.key")),
        }
    }
}

word_setting! {
    /// `sessions.on_limit`: what a sign-in over the limit does.
    OnLimit {
        /// The oldest session ends.
        #[default] Evict = "evict",
        /// The sign-in is refused.
        Deny = "deny",
    }
}

word_setting! {
    /// `sessions.on_theft`: what ends when a refresh token is replayed.
    OnTheft {
        /// The session it belongs to.
        #[default] Session = "session",
        /// Every session of its user.
        User = "user",
    }
}

/// Section `sessions`: refresh tokens and the protocol that rotates them.
#[derive(Clone, Debug)]
pub struct SessionsConfig {
    /// `sessions.grace`: the window after a rotation in which its losers still get an access token.
    pub grace: Duration,
    /// `sessions.emit_deadline`: a response later than this after its swap carries no cookies.
    pub emit_deadline: Duration,
    /// `sessions.idle_timeout`: a session not refreshed for so long has ended.
    pub idle_timeout: Duration,
    /// `sessions.absolute_timeout`: a session ends so long after its sign-in, whatever happens.
    pub absolute_timeout: Duration,
    /// `sessions.max_per_user`.
    pub max_per_user: u32,
    /// `sessions.on_limit`.
    pub on_limit: OnLimit,
    /// `sessions.on_theft`.
    pub on_theft: OnTheft,
    /// `sessions.secret` and its kin: the refresh key.
    pub keys: KeyRing,
}

impl SessionsConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig, data: &DataConfig, tokens: &TokensConfig) -> Self {
        let sessions = Self {
            grace: r.get("sessions.grace", "120s"),
            emit_deadline: r.get("sessions.emit_deadline", "15s"),
            idle_timeout: r.get("sessions.idle_timeout", "14d"),
            absolute_timeout: r.get("sessions.absolute_timeout", "90d"),
            max_per_user: r.get("sessions.max_per_user", "100"),
            on_limit: r.get("sessions.on_limit", "evict"),
            on_theft: r.get("sessions.on_theft", "session"),
            keys: KeyRing::read(r, "sessions", server, data.dir.join("refresh.key")),
        };
        let loopback = server.is_loopback();
        if sessions.emit_deadline > sessions.grace / 4 {
            r.unsafe_unless(
                loopback,
                "sessions.emit_deadline",
                "more than a quarter of sessions.grace: a late response could end a session wrongly; lower it",
            );
        }
        if sessions.grace >= tokens.access_ttl {
            r.unsafe_unless(
                loopback,
                "sessions.grace",
                "not below tokens.access_ttl: a stolen refresh token would go unnoticed; lower it",
            );
        }
        if sessions.idle_timeout <= tokens.access_ttl + sessions.grace {
            r.unsafe_unless(
                loopback,
                "sessions.idle_timeout",
                "not above tokens.access_ttl + sessions.grace: a busy session could end as idle; raise it",
            );
        }
        if sessions.idle_timeout < Duration::from_secs(1) || sessions.absolute_timeout < Duration::from_secs(1) {
            r.problem("sessions.idle_timeout", "idle_timeout and absolute_timeout are at least 1s");
        }
        if sessions.max_per_user == 0 {
            r.problem("sessions.max_per_user", "at least 1, or nobody could sign in");
        }
        sessions
    }
}

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
        let fallback_host = server.public_url.host();
        r.computed("gateway.return_hosts", &fallback_host);
        Self {
            login_url: login_url.unwrap_or(fallback_url),
            return_hosts: if hosts.is_empty() { vec![fallback_host] } else { hosts },
        }
    }
}

word_setting! {
    /// `accounts.registration`.
    Registration {
        /// Anybody may register.
        #[default] Open = "open",
        /// Only the command line creates users.
        Closed = "closed",
    }
}

/// Section `accounts`.
#[derive(Clone, Debug)]
pub struct AccountsConfig {
    /// `accounts.registration`.
    pub registration: Registration,
}

impl AccountsConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        Self { registration: r.get("accounts.registration", "open") }
    }
}

/// Section `passwords`.
#[derive(Clone, Debug)]
pub struct PasswordsConfig {
    /// `passwords.min_length`, in characters.
    pub min_length: usize,
    /// `passwords.bcrypt_cost`: the logarithm (base 2) of bcrypt's rounds.
    pub bcrypt_cost: u32,
    /// `passwords.hash_workers`: threads that hash.
    pub hash_workers: usize,
    /// `passwords.hash_queue`: sign-ins that may wait for one.
    pub hash_queue: usize,
}

impl PasswordsConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let min_length = count(r.get("passwords.min_length", "8"));
        if min_length == 0 || min_length > 128 {
            r.problem("passwords.min_length", "expected 1 to 128");
        } else if min_length < 8 {
            r.unsafe_unless(server.is_loopback(), "passwords.min_length", "below 8 characters; raise it");
        }
        let bcrypt_cost = r.get("passwords.bcrypt_cost", "12");
        if !(4..=20).contains(&bcrypt_cost) {
            r.problem("passwords.bcrypt_cost", "expected 4 to 20");
        } else if bcrypt_cost < 10 {
            r.unsafe_unless(
                server.is_loopback(),
                "passwords.bcrypt_cost",
                "below 10: stolen hashes could be guessed quickly; raise it",
            );
        }
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let hash_workers = r.optional("passwords.hash_workers", "").map_or(cores, count);
        r.computed("passwords.hash_workers", &hash_workers);
        let hash_queue = r.optional("passwords.hash_queue", "").map_or(hash_workers.saturating_mul(4), count);
        r.computed("passwords.hash_queue", &hash_queue);
        if !(1..=1024).contains(&hash_workers) || !(1..=100_000).contains(&hash_queue) {
            r.problem("passwords.hash_workers", "expected 1 to 1024 workers and a queue of 1 to 100000");
        }
        Self { min_length, bcrypt_cost, hash_workers, hash_queue }
    }
}

/// Section `oauth`.
#[derive(Clone, Debug)]
pub struct OAuthConfig {
    /// `oauth.password_grant`: whether POST /token takes passwords.
    pub password_grant: bool,
}

impl OAuthConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        Self { password_grant: r.get("oauth.password_grant", "true") }
    }
}

word_setting! {
    /// `log.format`.
    LogFormat {
        /// One line of text an event.
        #[default] Text = "text",
        /// One JSON object an event.
        Json = "json",
    }
}

/// Section `log`.
#[derive(Clone, Debug)]
pub struct LogConfig {
    /// `log.level`, in env_logger's filter syntax.
    pub level: String,
    /// `log.format`.
    pub format: LogFormat,
}

impl LogConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        let level: String = r.optional("log.level", "info").unwrap_or_else(|| "info".to_owned());
        Self { level, format: r.get("log.format", "text") }
    }
}

impl DatabaseUrl {
    /// The file's path, if it is one.
    pub fn sqlite_path(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(path) => Some(path),
            Self::Postgres(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Problem, Settings};
    use super::*;

    fn read(url: &str, password_file: &Path) -> (DatabaseUrl, Vec<Problem>) {
        let mut settings = Settings::default();
        settings.set("database.url", settings::Raw::Text(url.to_owned()), "a test");
        let file = password_file.display().to_string();
        settings.set("database.password_file", settings::Raw::Text(file), "a test");
        let mut reader = settings.reader();
        let data = DataConfig::read(&mut reader);
        let database = DatabaseConfig::read(&mut reader, &data);
        (database.url, reader.finish().0)
    }

    #[test]
    fn a_password_file_completes_the_url_and_stands_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        std::fs::write(&file, "p@ss/word?&=%\n").unwrap();
        for (url, expected) in [
            ("postgres://tacit@db/tacit", "postgres://tacit@db/tacit?password=p%40ss%2Fword%3F%26%3D%25"),
            ("postgres:///t?host=/run/x", "postgres:///t?host=/run/x&password=p%40ss%2Fword%3F%26%3D%25"),
        ] {
            assert_eq!(read(url, &file), (DatabaseUrl::Postgres(expected.to_owned()), vec![]));
        }
    }

    #[test]
    fn a_password_file_that_cannot_be_meant_is_a_problem() {
        let directory = tempfile::tempdir().unwrap();
        let (good, empty) = (directory.path().join("good"), directory.path().join("empty"));
        std::fs::write(&good, "secret").unwrap();
        std::fs::write(&empty, "\n").unwrap();
        for (url, file) in [
            ("sqlite://x.db", &good),
            ("postgres://tacit:other@db/tacit", &good),
            ("postgres://tacit@db/tacit?password=other", &good),
            ("postgres://tacit@db/tacit", &empty),
            ("postgres://tacit@db/tacit", &directory.path().join("absent")),
        ] {
            let (_, problems) = read(url, file);
            assert!(problems.iter().any(|problem| problem.key == "database.password_file"), "{url}");
        }
    }
}
