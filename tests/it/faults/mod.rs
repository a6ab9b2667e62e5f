//! What must hold when things break: the process, the database, the disk, the network, the clock.

mod clock;
mod disk;
mod full;
mod kill;
mod outage;
mod proxy;
mod server;
mod shutdown;
mod start;
mod witness;

use std::os::unix::fs::MetadataExt;

use crate::app::Tacit;

/// Host and port of a service, for a test that speaks HTTP by hand.
fn address(tacit: &Tacit) -> String {
    tacit.url.strip_prefix("http://").expect("an address").replace("localhost", "127.0.0.1")
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").expect("/proc").uid() == 0
}
