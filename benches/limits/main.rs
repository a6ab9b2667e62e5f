//! How fast Tacit is, as ratios to what the machine can do at all, measured in one run: `scripts/bench`.
//!
//! Two things that are compared are run in turns, A B A B .., and the median of the pairwise ratios is what counts:
//! machines drift, ratios of neighbours hardly do. Nothing here is a test; the table is for docs/performance.md.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "a benchmark fails by panicking, and measures time by itself"
)]

mod bare;
#[expect(dead_code, reason = "tests do more with a database")]
#[path = "../../tests/it/database.rs"]
mod database;
mod floods;
mod load;
mod measures;
mod replicas;
mod scale;
mod service;
mod table;
mod tell_tale;

use table::Table;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if arguments.first().is_some_and(|argument| argument == "bare") {
        return bare::serve(arguments[1].parse().expect("a size in bytes"));
    }
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let mut table = Table::default();
    if wanted("verify") {
        measures::verify(&mut table);
    }
    if wanted("token") {
        measures::token(&mut table);
    }
    if wanted("flood") {
        measures::flood(&mut table);
    }
    if wanted("refresh") {
        measures::refresh(&mut table);
    }
    if wanted("start") {
        measures::start(&mut table);
    }
    if wanted("scale") {
        scale::run(&mut table);
    }
    if wanted("updates") {
        scale::updates_in_place(&mut table);
    }
    if wanted("replicas") {
        replicas::run(&mut table);
    }
    if wanted("floods") {
        floods::run(&mut table);
    }
    if wanted("tell-tale") {
        tell_tale::run(&mut table);
    }
    table.print();
}
