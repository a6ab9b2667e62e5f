use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{Failure, load_configuration};
use crate::config::Overrides;

/// How long the whole check takes at most.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks /healthz on the configured listener.
pub(super) fn run(overrides: &Overrides) -> Result<(), Failure> {
    let config = load_configuration(overrides)?.config;
    let address = reachable(config.server.listen);
    // A proxy would be asked instead of this service; so none is used, whatever the environment says.
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let answer = agent.get(format!("http://{address}{}/healthz", config.server.base_path)).call();
    match answer.map(|answer| answer.status().as_u16()) {
        Ok(200) => Ok(()),
        Ok(status) => Err(Failure::Failed(format!("{address} answered {status}"))),
        Err(error) => Err(Failure::Failed(format!("{address} does not answer: {error}"))),
    }
}

/// Where a listener on all addresses is reached from this machine.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let mut address = listen;
    match listen {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}
