//! The configuration: built-in defaults, then the TOML file, then the environment and `.env`, then flags.
//!
//! One struct per concern; each field's doc names its key. Every problem is found before any is reported.

mod accounts;
mod audit;
mod browsers;
mod database;
mod load;
mod log;
mod network;
mod scopes;
mod secrets;
mod sessions;
mod settings;
mod throttle;
mod value;

pub use accounts::{AccountsConfig, OAuthConfig, PasswordsConfig, Registration};
pub use audit::AuditConfig;
pub use browsers::{CookiesConfig, CrossSiteConfig, GatewayConfig, SameSite};
pub use database::{DataConfig, DatabaseConfig, DatabaseUrl};
pub use load::{Loaded, Overrides, load};
pub use log::{LogConfig, LogFormat};
pub use network::ServerConfig;
pub use scopes::RoleScopes;
pub use secrets::{KeyRing, generate_secret_file};
pub use sessions::{OnLimit, OnTheft, SessionsConfig, TokensConfig};
pub use settings::{Problem, Reader, Settings};
pub use throttle::ThrottleConfig;
pub use value::parse_duration;

/// Everything that can be configured, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// Section `server`.
    pub server: ServerConfig,
    /// Section `data`.
    pub data: DataConfig,
    /// Section `database`.
    pub database: DatabaseConfig,
    /// Section `tokens`.
    pub tokens: TokensConfig,
    /// Section `sessions`.
    pub sessions: SessionsConfig,
    /// Section `cookies`.
    pub cookies: CookiesConfig,
    /// Section `cross_site`.
    pub cross_site: CrossSiteConfig,
    /// Section `gateway`.
    pub gateway: GatewayConfig,
    /// Section `accounts`.
    pub accounts: AccountsConfig,
    /// Section `passwords`.
    pub passwords: PasswordsConfig,
    /// Section `throttle`.
    pub throttle: ThrottleConfig,
    /// Section `oauth`.
    pub oauth: OAuthConfig,
    /// Section `audit`.
    pub audit: AuditConfig,
    /// Section `log`.
    pub log: LogConfig,
}

impl Config {
    /// Reads every section; what is wrong is noted in the reader, and a default stands in for it.
    pub fn read(r: &mut Reader<'_>) -> Self {
        let server = ServerConfig::read(r);
        let data = DataConfig::read(r);
        let database = DatabaseConfig::read(r, &data);
        let tokens = TokensConfig::read(r, &server, &data);
        let sessions = SessionsConfig::read(r, &server, &data, &tokens);
        let cookies = CookiesConfig::read(r, &server);
        let cross_site = CrossSiteConfig::read(r, &server, &cookies);
        let gateway = GatewayConfig::read(r, &server);
        let passwords = PasswordsConfig::read(r, &server);
        let throttle = ThrottleConfig::read(r, &server);
        let config = Self {
            accounts: AccountsConfig::read(r),
            oauth: OAuthConfig::read(r),
            audit: AuditConfig::read(r),
            log: LogConfig::read(r),
            server,
            data,
            database,
            tokens,
            sessions,
            cookies,
            cross_site,
            gateway,
            passwords,
            throttle,
        };
        secrets::check_independence(r, &config);
        config
    }
}
