use std::time::Duration;

use super::{Failure, build_app, print_line};
use crate::config::Overrides;
use crate::services::purge;

pub(super) fn run(overrides: &Overrides) -> Result<(), Failure> {
    let app = build_app(overrides)?;
    let deleted = purge::purge(&app, pause)?;
    print_line(format_args!("{deleted} sessions deleted."))
}

/// The running service, which may share the database, goes first.
#[expect(clippy::disallowed_methods, reason = "it yields on purpose, and waits for nothing")]
fn pause(time: Duration) -> bool {
    std::thread::sleep(time);
    true
}
