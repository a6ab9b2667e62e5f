use super::ServerConfig;
use super::scopes::RoleScopes;
use super::settings::Reader;
use super::value::word_setting;

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
    /// `oauth.role_scopes`: what each role grants.
    pub role_scopes: RoleScopes,
}

impl OAuthConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        let role_scopes: RoleScopes = r.get("oauth.role_scopes", "");
        role_scopes.check(r);
        Self { password_grant: r.get("oauth.password_grant", "true"), role_scopes }
    }
}
