use super::{Failure, build_app, print_line};
use crate::config::Overrides;
use crate::services::purge;

pub(super) fn run(overrides: &Overrides) -> Result<(), Failure> {
    let app = build_app(overrides)?;
    let deleted = purge::purge(&app, || true)?;
    print_line(format_args!("{deleted} sessions deleted."))
}
