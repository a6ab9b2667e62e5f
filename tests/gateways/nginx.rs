//! nginx, with plain `auth_request` and with njs.

use std::fs;
use std::path::Path;

use super::contract::contract;
use super::front::{Addresses, Kind, installed, is_root};

pub const NGINX: Kind = Kind {
    name: "nginx",
    programs: || installed("nginx"),
    package: "apt-get install nginx-light",
    files: &["nginx/tacit.conf"],
    late: (r#""~^(?:1[5-9]|[2-9]\d|\d{3,})\." 1;"#, r#""~^[1-9]" 1;"#),
    arguments: |directory, addresses| main_file(directory, addresses, ""),
};

contract!(super::NGINX);
contract!(super::NGINX, crate::front::Listeners::Two; kept_with_an_internal_listener);

/// What Debian's nginx.conf holds around the files of conf.d, but in a directory of the test's own.
fn main_file(directory: &Path, _: &Addresses, modules: &str) -> Vec<String> {
    let at = directory.display();
    let user = if is_root(directory) { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {at}/{name};"))
        .collect();
    let text = format!(
        "{modules} {user} daemon off; master_process off; pid {at}/nginx.pid; error_log stderr warn;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; {temporary} include {at}/tacit.conf; }}\n"
    );
    fs::write(directory.join("nginx.conf"), text).expect("a file");
    ["-p", &at.to_string(), "-e", "stderr", "-c", &format!("{at}/nginx.conf")].map(str::to_owned).to_vec()
}
