//! What floods cost: how quick the rest stays, how much memory it takes, how soon all is well again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::database::is_postgres;
use super::load::{Connection, request};
use super::service::{Home, Running, member, register, token_request};
use super::table::{Table, median};

const HEALTH: &str = "/healthz under 100 ms, up, memory bounded, well in seconds";

/// Every flood, one after the other.
pub fn run(table: &mut Table) {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).expect("a higher limit on open files");
    sign_ins(table);
    slow_connections(table);
    unread_answers(table);
    large_requests(table);
    forged_tokens(table);
    many_sessions(table);
}

fn millis(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

/// How long /healthz takes while `work` goes on, each time over a connection of its own; and what `work` gives.
fn health_during<T>(service: &Running, work: impl FnOnce() -> T) -> (String, T) {
    let over = AtomicBool::new(false);
    let times = Mutex::new(Vec::new());
    let given = std::thread::scope(|scope| {
        scope.spawn(|| {
            let asked = request("GET", "/healthz", &[], "");
            while !over.load(Ordering::Relaxed) {
                let before = Instant::now();
                assert_eq!(Connection::open(&service.address).status(&asked), 200);
                times.lock().unwrap().push(millis(before));
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let given = work();
        over.store(true, Ordering::Relaxed);
        given
    });
    let times = times.into_inner().unwrap();
    let most = times.iter().copied().fold(0.0, f64::max);
    (format!("/healthz median {:.1} ms, at most {most:.1} ms", median(times)), given)
}

fn memory(service: &Running) -> f64 {
    service.kilobytes("VmHWM") as f64 / 1024.0
}

/// 300 sign-ins at once, at the default cost and with the default queue: as people are met, by the throttle, and without it.
fn sign_ins(table: &mut Table) {
    const AT_ONCE: usize = 300;
    let one_name = vec!["ada".to_owned(); AT_ONCE];
    let names: Vec<String> = (0..AT_ONCE).map(|number| format!("person{number}")).collect();
    for (what, throttled, names) in [
        ("300 sign-ins at once to one account", "true", &one_name),
        ("300 sign-ins at once to 300 accounts from one address", "true", &names),
        ("300 sign-ins at once, without the throttle", "false", &one_name),
    ] {
        let home = Home::new();
        let service = home.start(&[("throttle.enabled", throttled)]);
        register(&service, "ada");
        names.iter().filter(|name| *name != "ada").for_each(|name| register(&service, name));
        table.row(what, sign_in_at_once(&service, names), HEALTH);
    }
}

fn sign_in_at_once(service: &Running, names: &[String]) -> String {
    let (health, (opened, refused)) = health_during(service, || {
        let (opened, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for name in names {
                scope.spawn(|| {
                    let status = Connection::open(&service.address).status(&token_request(name));
                    assert!([200, 503].contains(&status), "{status}");
                    let counter = if status == 200 { &opened } else { &refused };
                    counter.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        (opened.into_inner(), refused.into_inner())
    });
    let before = Instant::now();
    while Connection::open(&service.address).status(&token_request("ada")) != 200 {
        assert!(before.elapsed() < Duration::from_secs(60), "never well again");
    }
    let again = before.elapsed().as_secs_f64();
    format!("{health}; {opened} signed in, {refused} got 503; the next one signed in after {again:.1} s")
}

/// 1,000 connections that send a byte now and then.
fn slow_connections(table: &mut Table) {
    const BEGINS: [&str; 2] = [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{",
    ];
    let home = Home::new();
    let service = home.start(&[]);
    let before = memory(&service);
    let started = Instant::now();
    let mut slow: Vec<TcpStream> = (0..1000)
        .map(|number| {
            let mut stream = TcpStream::connect(&service.address).unwrap();
            stream.write_all(BEGINS[number % 2].as_bytes()).unwrap();
            stream.set_nonblocking(true).unwrap();
            stream
        })
        .collect();
    let (health, ()) = health_during(&service, || {
        while !slow.is_empty() {
            assert!(started.elapsed() < Duration::from_secs(60), "{} slow connections stay open", slow.len());
            slow.retain_mut(|stream| {
                let waits = |error: &std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
                let open = stream.read(&mut [0; 4096]).is_err_and(|error| waits(&error));
                open && stream.write_all(b"1").is_ok()
            });
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    let all = started.elapsed().as_secs_f64();
    let grown = memory(&service) - before;
    let measured = format!("{health}; all ended after {all:.1} s; {grown:.0} MB more");
    table.row("1,000 slow connections, headers and bodies", measured, HEALTH);
}

/// 300 connections that ask for large answers and read none.
fn unread_answers(table: &mut Table) {
    let home = Home::new();
    let service = home.start(&[]);
    let before = memory(&service);
    let sent = request("GET", "/docs/swagger-ui-bundle.js", &[], "").repeat(20);
    let started = Instant::now();
    let unread: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(&service.address).unwrap();
            stream.write_all(&sent).unwrap();
            stream
        })
        .collect();
    let open = || std::fs::read_dir(format!("/proc/{}/fd", service.id())).unwrap().count();
    let (health, ()) = health_during(&service, || {
        while open() > 100 {
            assert!(started.elapsed() < Duration::from_secs(300), "{} files stay open", open());
            std::thread::sleep(Duration::from_millis(300));
        }
    });
    drop(unread);
    let (all, grown) = (started.elapsed().as_secs_f64(), memory(&service) - before);
    let measured = format!("{health}; all dropped after {all:.0} s; {grown:.0} MB more");
    table.row("300 connections that read no answer", measured, HEALTH);
}

/// 100 requests of 10 MB, 20 at once.
fn large_requests(table: &mut Table) {
    let home = Home::new();
    let service = home.start(&[]);
    let before = memory(&service);
    let body = "POST /login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\na00000\r\n";
    for (what, head) in [("headers", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: "), ("bodies", body)] {
        let (health, ()) = health_during(&service, || {
            std::thread::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| (0..5).for_each(|_| send_large(&service, head)));
                }
            });
        });
        let grown = memory(&service) - before;
        table.row(&format!("100 {what} of 10 MB, 20 at once"), format!("{health}; {grown:.0} MB more"), HEALTH);
    }
}

fn send_large(service: &Running, head: &str) {
    let piece = vec![b'a'; 1024 * 1024];
    let mut stream = TcpStream::connect(&service.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
    // Whoever is refused early cannot send the rest.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| (0..10).try_for_each(|_| stream.write_all(&piece)));
    let mut answer = [0; 12];
    if stream.read_exact(&mut answer).is_ok() {
        assert_eq!(answer[9], b'4', "{}", String::from_utf8_lossy(&answer));
    }
    let _ = stream.shutdown(Shutdown::Both);
}

/// 100,000 refresh tokens of the right shape, whose MAC is not ours.
fn forged_tokens(table: &mut Table) {
    const TOKENS: usize = 100_000;
    const CONNECTIONS: usize = 8;
    let home = Home::new();
    let service = home.start(&[("passwords.bcrypt_cost", "4")]);
    register(&service, "ada");
    let good = member(&Connection::open(&service.address).exchange(&token_request("ada")).body, "refresh_token");
    let before = memory(&service);
    let started = Instant::now();
    let (health, ()) = health_during(&service, || {
        std::thread::scope(|scope| {
            for part in 0..CONNECTIONS {
                let (service, good) = (&service, &good);
                scope.spawn(move || {
                    let mut connection = Connection::open(&service.address);
                    for number in 0..TOKENS / CONNECTIONS {
                        // Digits in the secret part: each is another token, and none is ours.
                        let forged = format!("{}{:08}{}", &good[..60], part * TOKENS + number, &good[68..]);
                        let cookie = format!("tacit-refresh={forged}");
                        let sent = request("GET", "/me", &[("Cookie", &cookie)], "");
                        assert_eq!(connection.status(&sent), 401);
                    }
                });
            }
        });
    });
    let rate = TOKENS as f64 / started.elapsed().as_secs_f64();
    let grown = memory(&service) - before;
    let measured = format!("{health}; {rate:.0} refused a second; {grown:.0} MB more");
    table.row("100,000 forged refresh tokens", measured, HEALTH);
}

/// 100,000 sessions of one user, where the limit allows them.
fn many_sessions(table: &mut Table) {
    const SESSIONS: usize = 100_000;
    let database = if is_postgres() { "PostgreSQL" } else { "SQLite" };
    let home = Home::new();
    let service = home.start(&[("passwords.bcrypt_cost", "4"), ("sessions.max_per_user", "200000")]);
    register(&service, "ada");
    let mut connection = Connection::open(&service.address);
    connection.exchange(&token_request("ada"));
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {SESSIONS})");
    let columns = "user_id, secret_hash, created_at, authenticated_at, expires_at, idle_timeout, user_agent, ip, label";
    let id = "'00000000-0000-4000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2)";
    let made = home
        .database
        .execute(&format!("{numbers} INSERT INTO sessions (id, {columns}) SELECT {id}, {columns} FROM sessions, n"));
    assert_eq!(made, SESSIONS);
    let before = memory(&service);
    let signing_in = Instant::now();
    let access = member(&connection.exchange(&token_request("ada")).body, "access_token");
    let sign_in = millis(signing_in);
    let bearer = format!("Bearer {access}");
    let listing = Instant::now();
    let listed = connection.exchange(&request("GET", "/sessions", &[("Authorization", &bearer)], "")).bytes / 1024;
    let list = millis(listing);
    let (health, end) = health_during(&service, || {
        let ending = Instant::now();
        let answer = connection.exchange(&request("POST", "/logout/all", &[("Authorization", &bearer)], ""));
        assert!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
        millis(ending)
    });
    let grown = memory(&service) - before;
    let measured = format!(
        "a sign-in {sign_in:.0} ms, GET /sessions {list:.0} ms and {listed} kB, POST /logout/all {end:.0} ms; {health}; {grown:.0} MB more"
    );
    table.row(&format!("100,000 sessions of one user, {database}"), measured, HEALTH);
}
