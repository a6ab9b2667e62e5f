//! HAProxy, with Lua.

use super::contract::contract;
use super::front::{Kind, installed};

pub const HAPROXY: Kind = Kind {
    name: "HAProxy",
    programs: || installed("haproxy"),
    package: "apt-get install haproxy",
    files: &["haproxy/haproxy.cfg", "haproxy/tacit.lua"],
    late: ("-m int lt 15", "-m int lt 2"),
    arguments: |directory, _| {
        let file = directory.join("haproxy.cfg");
        ["-db", "-f", &file.display().to_string()].map(str::to_owned).to_vec()
    },
};

contract!(super::HAPROXY);
contract!(super::HAPROXY, crate::front::Listeners::Two; kept_with_an_internal_listener);
