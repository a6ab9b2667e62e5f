//! What is measured, one function a claim.

use std::time::{Duration, Instant};

use super::load::{Connection, rate, request};
use super::service::{Home, PASSWORD, Running, member, register, token_request};
use super::table::{Table, median, percentile, spread};

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);

/// Pairs of rates, in turns; the ratios, and the rates of the first.
fn in_turns(mut first: impl FnMut() -> f64, mut second: impl FnMut() -> f64) -> (Vec<f64>, Vec<f64>) {
    // One round that does not count: connections, caches, the scheduler's idea of things.
    let _ = (first(), second());
    let rates: Vec<(f64, f64)> = (0..ROUNDS).map(|_| (first(), second())).collect();
    (rates.iter().map(|(a, b)| a / b).collect(), rates.iter().map(|(a, _)| *a).collect())
}

/// GET /verify beside a bare actix-web answer of the same size.
pub fn verify(table: &mut Table) {
    let home = Home::new();
    let service = home.start(&[("passwords.bcrypt_cost", "4")]);
    register(&service, "ada");
    let answer = Connection::open(&service.address).exchange(&token_request("ada"));
    let token = member(&answer.body, "access_token");
    let bearer = request("GET", "/verify", &[("Authorization", &format!("Bearer {token}"))], "");
    let cookie = request("GET", "/verify", &[("Cookie", &format!("tacit-access={token}"))], "");

    let size = Connection::open(&service.address).exchange(&bearer).bytes;
    let empty = Connection::open(&Running::bare(0).address).exchange(&bearer).bytes;
    let bare = Running::bare(size - empty);
    assert_eq!(Connection::open(&bare.address).exchange(&bearer).bytes, size);

    for (what, sent) in [("Bearer", &bearer), ("cookie", &cookie)] {
        let (ratios, rates) = in_turns(
            || rate(&service.address, sent, CONNECTIONS, ROUND, 200).0,
            || rate(&bare.address, sent, CONNECTIONS, ROUND, 200).0,
        );
        let measured = format!("{} of bare actix-web, {:.0} requests/s", spread(&ratios, ""), median(rates));
        table.row(&format!("GET /verify, valid {what}"), measured, "at least 0.6");
    }
}

/// POST /token beside bcrypt of the same cost on all cores.
pub fn token(table: &mut Table) {
    let home = Home::new();
    let service = home.start(&[]);
    register(&service, "ada");
    let sent = token_request("ada");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let time = Duration::from_secs(4);
    let (ratios, rates) =
        in_turns(|| rate(&service.address, &sent, cores * 3, time, 200).0, || raw_bcrypt(cores, time));
    let measured = format!("{} of raw bcrypt, {:.1} sign-ins/s", spread(&ratios, ""), median(rates));
    table.row("POST /token, bcrypt cost 12", measured, "at least 0.95");
}

fn raw_bcrypt(threads: usize, time: Duration) -> f64 {
    let started = Instant::now();
    let hashes: u32 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| {
                scope.spawn(|| {
                    let mut count = 0;
                    while started.elapsed() < time {
                        bcrypt::hash_with_salt(PASSWORD, 12, [7; 16]).unwrap();
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    f64::from(hashes) / started.elapsed().as_secs_f64()
}

/// GET /verify while sign-ins flood in, beside itself undisturbed.
pub fn flood(table: &mut Table) {
    let home = Home::new();
    let service = home.start(&[]);
    register(&service, "ada");
    let sign_in = token_request("ada");
    let answer = Connection::open(&service.address).exchange(&sign_in);
    let token = member(&answer.body, "access_token");
    let verify = request("GET", "/verify", &[("Authorization", &format!("Bearer {token}"))], "");
    let undisturbed = || rate(&service.address, &verify, CONNECTIONS, ROUND, 200).0;
    let flooded = || {
        std::thread::scope(|scope| {
            // As many sign-ins as keep every hashing thread and the whole queue busy; what is refused waits a little.
            let flood = scope.spawn(|| rate(&service.address, &sign_in, 10, ROUND + ROUND / 2, 200));
            std::thread::sleep(ROUND / 4);
            let verified = undisturbed();
            flood.join().unwrap();
            verified
        })
    };
    let (ratios, _) = in_turns(flooded, undisturbed);
    table.row("GET /verify while sign-ins flood in", format!("{} of undisturbed", spread(&ratios, "")), "at least 0.7");
}

/// Refreshes that rotate: the first one of fresh sessions.
pub fn refresh(table: &mut Table) {
    const SESSIONS: usize = 2_000;
    let home = Home::new();
    let settings = [("passwords.bcrypt_cost", "4"), ("sessions.max_per_user", "10000")];
    let service = home.start(&settings);
    register(&service, "ada");
    let mut connection = Connection::open(&service.address);
    let sent = token_request("ada");
    let refreshes: Vec<Vec<u8>> = (0..SESSIONS)
        .map(|_| {
            let refresh = member(&connection.exchange(&sent).body, "refresh_token");
            request("GET", "/protected", &[("Cookie", &format!("tacit-refresh={refresh}"))], "")
        })
        .collect();
    let started = Instant::now();
    let chunks: Vec<&[Vec<u8>]> = refreshes.chunks(SESSIONS / CONNECTIONS + 1).collect();
    let mut millis: Vec<f64> = std::thread::scope(|scope| {
        let workers: Vec<_> = chunks
            .into_iter()
            .map(|chunk| {
                let address = service.address.clone();
                scope.spawn(move || {
                    let mut connection = Connection::open(&address);
                    let mut timed = Vec::with_capacity(chunk.len());
                    for sent in chunk {
                        let before = Instant::now();
                        let answer = connection.exchange(sent);
                        timed.push(before.elapsed().as_secs_f64() * 1000.0);
                        assert!(answer.head.contains("x-auth-refresh: rotated"), "{}", answer.head);
                    }
                    timed
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let rate = SESSIONS as f64 / started.elapsed().as_secs_f64();
    let (half, most) = (percentile(&mut millis, 50), percentile(&mut millis, 99));
    let database = if super::database::is_postgres() { "PostgreSQL" } else { "SQLite" };
    let measured = format!("{rate:.0} refreshes/s, p50 {half:.1} ms, p99 {most:.1} ms");
    table.row(&format!("rotating refresh, {database}, {CONNECTIONS} connections"), measured, "");
}

/// From the start of the process to the first 200, on a database that exists; and memory once it idles.
pub fn start(table: &mut Table) {
    let home = Home::new();
    drop(home.start(&[]));
    let millis: Vec<f64> = (0..11)
        .map(|_| {
            let before = Instant::now();
            let service = home.start(&[]);
            let elapsed = before.elapsed().as_secs_f64() * 1000.0;
            drop(service);
            elapsed
        })
        .collect();
    table.row("cold start to the first 200 of /readyz", spread(&millis, " ms"), "under 200 ms");
    let service = home.start(&[]);
    std::thread::sleep(Duration::from_secs(3));
    let megabytes = service.resident_kilobytes() as f64 / 1024.0;
    table.row("idle memory", format!("{megabytes:.1} MB"), "under 25 MB on SQLite");
}
