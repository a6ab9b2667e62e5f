//! A service without a network, and requests to it.

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::test::TestRequest;
use actix_web::{HttpRequest, web};
use tacit::app::App;
use tacit::config::{Config, Settings};
use tacit::routers::Shared;
use tacit::services::tokens::{self, Flaw, Verified};
use tacit::types::Clock;

pub const PUBLIC_URL: &str = "https://auth.example";
pub const RETURN_HOST: &str = "shop.example";
pub const SECRET: &str = "Zk3vQ8sL1xT0pWm9eRy7Uc2Hb6Nf4Jd5";

const SETTINGS: &str = r#"
[server]
public_url = "https://auth.example"
trusted_proxies = ["10.0.0.0/8", "fd00::/8"]
[gateway]
return_hosts = ["shop.example"]
[tokens]
secret = "Zk3vQ8sL1xT0pWm9eRy7Uc2Hb6Nf4Jd5"
[sessions]
secret = "nB5cX7zQ2wE4rT6yU8iO0pL1kJ3hG9fD"
[passwords]
hash_workers = 1
"#;

/// A configuration that holds.
pub fn config(text: &str) -> Config {
    let mut settings = Settings::default();
    settings.add_toml(text, "a file");
    let mut reader = settings.reader();
    let config = Config::read(&mut reader);
    let (problems, _) = reader.finish();
    assert!(problems.is_empty(), "{problems:?}");
    config
}

static SHARED: LazyLock<web::Data<Shared>> = LazyLock::new(|| {
    // Beside the program, and so below target.
    let directory = std::env::current_exe().expect("a path").with_extension("data");
    std::fs::create_dir_all(&directory).expect("a directory");
    let directory = directory.display();
    let text = format!(
        "{SETTINGS}\n[data]\ndir = \"{directory}\"\n[database]\nurl = \"sqlite:{directory}/tacit.db\"\npool_size = 1\n"
    );
    let app = App::build(config(&text), Clock::default()).expect("an application");
    app.database.migrate().expect("a schema");
    web::Data::new(Shared::new(Arc::new(app)))
});

pub fn app() -> &'static App {
    &SHARED.app
}

/// What a token is that anybody presents.
pub fn verify_any(text: &str) -> Result<Verified, Flaw> {
    let mut connection = app().database.connection().expect("a connection");
    tokens::verify_any(app(), &mut connection, text).expect("an answer of the database")
}

/// What comes from a proxy that we trust.
pub const TRUSTED: &str = "10.0.0.1:4711";

/// A request with these headers; `None` where no client could send them.
pub fn request(peer: &str, headers: &[(&'static str, &[u8])]) -> Option<HttpRequest> {
    let peer: SocketAddr = peer.parse().expect("an address");
    let mut request = TestRequest::default().app_data(SHARED.clone()).peer_addr(peer);
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(value).ok()?;
        request = request.append_header((HeaderName::from_static(name), value));
    }
    Some(request.to_http_request())
}

/// The lines of an input, as header values; they hold no line breaks anyway.
pub fn lines(data: &[u8]) -> Vec<&[u8]> {
    data.split(|byte| *byte == b'\n').take(8).collect()
}
