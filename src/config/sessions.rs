use std::path::PathBuf;
use std::time::Duration;

use super::secrets::KeyRing;
use super::settings::Reader;
use super::value::word_setting;
use super::{DataConfig, ServerConfig};

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
    /// `tokens.keys_dir`: key pairs for EdDSA and ES256, and the index that says which signs.
    pub keys_dir: PathBuf,
}

impl TokensConfig {
    pub(super) fn read(r: &mut Reader<'_>, server: &ServerConfig, data: &DataConfig) -> Self {
        const KEYS_DIR: &str = "tokens.keys_dir";
        let issuer = r.optional("tokens.issuer", "");
        r.computed("tokens.issuer", &server.base_url());
        let access_ttl: Duration = r.get("tokens.access_ttl", "15m");
        if access_ttl < Duration::from_secs(1) || access_ttl > Duration::from_secs(86_400) {
            r.problem("tokens.access_ttl", "expected 1s to 24h");
        }
        let given: Option<PathBuf> = r.optional(KEYS_DIR, "");
        let usual = data.dir.join("keys");
        r.computed(KEYS_DIR, &usual.display());
        if let Some(given) = given.as_ref().filter(|path| !path.is_dir()) {
            r.warning(KEYS_DIR, format!("{} is no directory yet; `tacit keys generate` makes it", given.display()));
        }
        Self {
            issuer: issuer.unwrap_or_else(|| server.base_url()),
            audience: r.optional("tokens.audience", "tacit").unwrap_or_else(|| "tacit".to_owned()),
            access_ttl,
            keys: KeyRing::read(r, "tokens", server, data.dir.join("jwt.key")),
            keys_dir: given.unwrap_or(usual),
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
