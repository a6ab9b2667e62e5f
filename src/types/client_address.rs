use std::net::IpAddr;

use ipnet::IpNet;

/// The address a request came from: the peer's, or, when the peer is a configured proxy, the rightmost hop
/// of `X-Forwarded-For` that is not one of the configured proxies.
///
/// Hops are read from the right, since only those were written by machines we trust; what is no address ends the walk.
pub fn client_address(peer: IpAddr, forwarded_for: &[impl AsRef<str>], trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|net| net.contains(&address));
    let mut client = peer.to_canonical();
    if !is_trusted(client) {
        return client;
    }
    for hop in forwarded_for.iter().rev().flat_map(|line| line.as_ref().rsplit(',')) {
        let Some(address) = parse_hop(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// An address, alone or with a port, as gateways write it.
fn parse_hop(hop: &str) -> Option<IpAddr> {
    hop.parse()
        .ok()
        .or_else(|| hop.parse::<std::net::SocketAddr>().ok().map(|socket| socket.ip()))
        .or_else(|| hop.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let trusted: Vec<IpNet> = trusted.iter().map(|net| net.parse().unwrap()).collect();
        client_address(peer.parse().unwrap(), forwarded, &trusted).to_string()
    }

    #[test]
    fn a_stranger_cannot_choose_his_address() {
        assert_eq!(address("203.0.113.9", &["1.2.3.4"], &[]), "203.0.113.9");
        assert_eq!(address("203.0.113.9", &["1.2.3.4"], &["10.0.0.0/8"]), "203.0.113.9");
    }

    #[test]
    fn the_rightmost_untrusted_hop_counts() {
        let trusted = &["10.0.0.0/8"];
        assert_eq!(address("10.0.0.1", &["6.6.6.6, 198.51.100.7, 10.0.0.2"], trusted), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "198.51.100.7:4711"], trusted), "198.51.100.7");
        assert_eq!(address("10.0.0.1", &["6.6.6.6, nonsense"], trusted), "10.0.0.1");
        assert_eq!(address("::ffff:10.0.0.1", &["[2001:db8::1]"], trusted), "2001:db8::1");
    }
}
