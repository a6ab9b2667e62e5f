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

pub const NJS: Kind = Kind {
    name: "nginx with njs",
    programs: || installed("nginx"),
    package: "apt-get install nginx-light libnginx-mod-http-js",
    files: &["nginx-njs/tacit.conf", "nginx-njs/tacit.js"],
    late: ("EMIT_SECONDS = 15", "EMIT_SECONDS = 2"),
    arguments: |directory, addresses| main_file(directory, addresses, "ngx_http_js_module"),
};

/// The first example, with its line for headers-more in force.
pub const HEADERS_MORE: Kind = Kind {
    name: "nginx with headers-more",
    programs: || installed("nginx"),
    package: "apt-get install nginx-light libnginx-mod-http-headers-more-filter",
    files: &["nginx/tacit.conf"],
    late: NGINX.late,
    arguments: |directory, addresses| {
        let file = directory.join("tacit.conf");
        let text = fs::read_to_string(&file).expect("the example");
        assert!(text.contains(CLEARS_ALL));
        fs::write(&file, text.replace(CLEARS_ALL, &CLEARS_ALL[1..])).expect("a file");
        main_file(directory, addresses, "ngx_http_headers_more_filter_module")
    },
};

const CLEARS_ALL: &str = "#more_clear_input_headers X-Auth-*;";

contract!(super::NGINX);
contract!(super::NGINX, crate::front::Listeners::Two; kept_with_an_internal_listener);
contract!(super::NJS, crate::front::Listeners::One; kept_with_njs);
contract!(super::NJS, crate::front::Listeners::Two; kept_with_njs_and_an_internal_listener);
contract!(super::HEADERS_MORE, crate::front::Listeners::One; kept_with_headers_more);

/// Where Debian installs modules.
const MODULES: &str = "/usr/lib/nginx/modules";

/// What Debian's nginx.conf holds around the files of conf.d, but in a directory of the test's own.
fn main_file(directory: &Path, _: &Addresses, module: &str) -> Vec<String> {
    let at = directory.display();
    let user = if is_root(directory) { "user root;" } else { "" };
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {at}/{name};"))
        .collect();
    let load = if module.is_empty() { String::new() } else { format!("load_module {MODULES}/{module}.so;") };
    let text = format!(
        "{load} {user} daemon off; master_process off; pid {at}/nginx.pid; error_log stderr warn;\n\
         events {{ worker_connections 512; }}\n\
         http {{ access_log off; {temporary} include {at}/tacit.conf; }}\n"
    );
    fs::write(directory.join("nginx.conf"), text).expect("a file");
    ["-p", &at.to_string(), "-e", "stderr", "-c", &format!("{at}/nginx.conf")].map(str::to_owned).to_vec()
}
