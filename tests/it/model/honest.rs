//! What holds for an honest browser, whatever is late, lost or reordered.

use super::promises::Promise;
use super::search::explore;
use super::world::Setting;

fn splits(sum: u8) -> Vec<(u8, u8, u8)> {
    (0..=sum).flat_map(|queue| (0..=sum - queue).map(move |emit| (queue, emit, sum - queue - emit))).collect()
}

#[test]
fn tmp_exact() {
    for (grace, n, sum) in [(4, 3, 3), (4, 3, 4), (4, 2, 4), (8, 2, 6), (8, 2, 7)] {
        let start = std::time::Instant::now();
        let mut total = 0;
        for (q, e, t) in splits(sum) {
            let s = Setting { requests: n, ..Setting::timed(grace, q, e, t) };
            let f = explore(&s, &[Promise::HonestSessionLives], 3_000_000);
            total += f.states;
            println!("  {q} {e} {t} {} complete {} broken {:?}", f.states, f.complete, f.broken.iter().map(|b| b.promise).collect::<Vec<_>>());
        }
        println!("{grace} {n} {sum}: {total} {:?}", start.elapsed());
    }
}

#[test]
fn tmp_other() {
    for below in [4, 5] { for n in [2, 3] { for (q, e, t) in [(1,1,1),(2,1,0), (3,0,0)] {
        let start = std::time::Instant::now();
        let s = Setting { requests: n, lost_commits_below: Some(below), ..Setting::timed(4, q, e, t) };
        let f = explore(&s, &[Promise::HonestSessionLives], 3_000_000);
        println!("{below} {n} {q} {e} {t}: {f} {} {:?}", f.complete, start.elapsed());
    }}}
}
