//! Caddy.

use super::contract::contract;
use super::front::{Kind, installed};

pub const CADDY: Kind = Kind {
    name: "Caddy",
    programs: || installed("caddy"),
    package: "apt-get install caddy",
    files: &["caddy/Caddyfile"],
    late: ("< 15000.0", "< 1000.0"),
    arguments: |directory, _| {
        let file = directory.join("Caddyfile");
        ["run", "--adapter", "caddyfile", "--config", &file.display().to_string()].map(str::to_owned).to_vec()
    },
};

contract!(super::CADDY);
contract!(super::CADDY, crate::front::Listeners::Two; kept_with_an_internal_listener);
