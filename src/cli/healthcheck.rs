use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::{Failure, load_configuration};
use crate::config::Overrides;

/// The whole check takes at most about twice this.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Asks /healthz on the configured listener.
pub(super) fn run(overrides: &Overrides) -> Result<(), Failure> {
    let config = load_configuration(overrides)?.config;
    let address = reachable(config.server.listen);
    let failed = |error: std::io::Error| Failure::Failed(format!("{address} does not answer: {error}"));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).map_err(failed)?;
    stream.set_read_timeout(Some(TIMEOUT)).map_err(failed)?;
    stream.set_write_timeout(Some(TIMEOUT)).map_err(failed)?;
    let path = format!("{}/healthz", config.server.base_path);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut start = [0; 12];
    stream.read_exact(&mut start).map_err(failed)?;
    if start.ends_with(b" 200") {
        Ok(())
    } else {
        Err(Failure::Failed(format!("{address} answered {}", String::from_utf8_lossy(&start))))
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
