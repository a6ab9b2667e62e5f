use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::{Failure, load_configuration, print_line};
use crate::app::App;
use crate::config::{Config, Overrides};
use crate::error::Error;
use crate::models::{Database, migrations};
use crate::server;
use crate::types::Clock;

/// `tacit serve`
#[derive(Args, Default)]
pub(super) struct Arguments {
    /// Bring the database's schema up to date first.
    #[arg(long)]
    migrate: bool,
    /// Address and port to listen on, like 127.0.0.1:8080; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<String>,
}

pub(super) fn run(mut overrides: Overrides, arguments: &Arguments) -> Result<(), Failure> {
    const LISTEN: &str = "server.listen";
    if let Some(listen) = &arguments.listen {
        overrides.set.push((LISTEN.to_owned(), listen.clone()));
    }
    let mut config = load_configuration(&overrides)?.config;
    let public = bind(config.server.listen)?;
    let bound = public.local_addr()?;
    if bound != config.server.listen {
        // The port that was found stands in public_url and all that follows from it.
        overrides.set.push((LISTEN.to_owned(), bound.to_string()));
        config = crate::config::load(&overrides).map_err(Failure::Configuration)?.config;
    }
    let internal = config.server.internal_listen.map(bind).transpose()?;
    let internal_address = internal.as_ref().and_then(|listener| listener.local_addr().ok());

    let app = Arc::new(App::build(config, Clock::default())?);
    check_schema(&app.database, arguments.migrate)?;
    settle(app.access_keys.settling()?);
    print_welcome(&app.config, internal_address)?;
    Ok(server::serve(&app, public, internal, arguments.migrate)?)
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener, Failure> {
    server::bind(address).map_err(|error| Failure::Failed(format!("cannot listen on {address}: {error}")))
}

/// A replica that starts right after a key was made would sign with it before the others have read it.
#[expect(clippy::disallowed_methods, reason = "there is nothing to look at: other replicas read what they read")]
fn settle(time: Duration) {
    std::thread::sleep(time);
}

/// Refuses to serve on an older schema. A database that is away is no reason not to start: it may come back.
fn check_schema(database: &Database, migrate: bool) -> Result<(), Failure> {
    if migrate {
        match database.migrate() {
            Ok(0) => {}
            Ok(count) => log::info!(event = "migrated", count = count; "the schema was brought up to date"),
            Err(error) => log::error!(event = "database_unavailable"; "cannot migrate yet: {error}"),
        }
    }
    let pending = database.connection().and_then(|mut connection| migrations::is_pending(&mut connection));
    match pending {
        Ok(true) => Err(Failure::Failed(
            "the database's schema is older than this binary; run `tacit migrate`, or start with --migrate".to_owned(),
        )),
        Ok(false) => Ok(()),
        Err(Error::Database(cause)) => {
            log::error!(event = "database_unavailable"; "serving without the database until it answers: {cause}");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

fn print_welcome(config: &Config, internal: Option<SocketAddr>) -> Result<(), Failure> {
    let server = &config.server;
    let local = format!("http://localhost:{}{}", server.listen.port(), server.base_path);
    let listens =
        if server.is_loopback() { local.clone() } else { format!("http://{}{}", server.listen, server.base_path) };
    // Elsewhere, as in a container, the port that callers reach is public_url's.
    let url = if server.is_loopback() { local } else { server.base_url() };
    print_line(format_args!("Tacit listens on {listens}"))?;
    if let Some(internal) = internal {
        print_line(format_args!("  for gateways and operators: http://{internal}{}", server.base_path))?;
    }
    print_line("Try:")?;
    let json = "-H 'Content-Type: application/json'";
    let body = r#"'{"username":"ada","password":"correct horse battery staple"}'"#;
    print_line(format_args!("  curl {url}/register {json} -d {body}"))?;
    print_line(format_args!("  curl -c jar {url}/login {json} -d {body}"))?;
    print_line(format_args!("  curl -b jar -c jar {url}/protected"))
}
