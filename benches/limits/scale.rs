//! Many sessions: what a million of them cost a refresh, what the purge costs, and how PostgreSQL updates its rows.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::database::is_postgres;
use super::load::{Connection, request};
use super::service::{Home, Running, member, register, token_request};
use super::table::{Table, median, percentile, spread};

const WORKERS: usize = 8;
const FEW: usize = 1_000;
const USERS: usize = 200_000;
const SESSIONS: usize = 1_000_000;
const EXPIRED: usize = 100_000;
/// Each takes minutes.
const PURGES: usize = 2;
const ROUNDS: usize = 7;
const ROUND: Duration = Duration::from_secs(2);

/// A window that has passed before a session's turn comes again: every refresh rotates.
const ALWAYS: [(&str, &str); 2] = [("sessions.grace", "1ms"), ("sessions.emit_deadline", "2s")];

/// A window of a second: most refreshes get an access token only.
const SOMETIMES: [(&str, &str); 2] = [("sessions.grace", "1s"), ("sessions.emit_deadline", "250ms")];

const SETTINGS: [(&str, &str); 3] =
    [("passwords.bcrypt_cost", "4"), ("sessions.max_per_user", "2000000"), ("log.level", "error")];

/// A service with live sessions that the benchmark refreshes, among however many others.
struct Crowd {
    home: Home,
    service: Running,
    /// The refresh tokens of each worker's sessions.
    tokens: Vec<Mutex<Vec<String>>>,
}

/// What refreshing for a while showed: rotations a second, and each one's milliseconds.
struct Refreshed {
    rate: f64,
    millis: Vec<f64>,
}

impl Crowd {
    fn gather(others: usize, window: [(&str, &str); 2]) -> Self {
        let home = Home::new();
        let service = home.start(&[&SETTINGS[..], &window[..]].concat());
        if others > 0 {
            fill(&home, others);
        }
        register(&service, "ada");
        let mut connection = Connection::open(&service.address);
        let sign_in = token_request("ada");
        let per_worker = FEW / WORKERS;
        let mut session = || member(&connection.exchange(&sign_in).body, "refresh_token");
        let tokens = (0..WORKERS).map(|_| Mutex::new((0..per_worker).map(|_| session()).collect())).collect();
        Self { home, service, tokens }
    }

    /// Every worker refreshes its sessions in turn, each with the token that its last refresh gave it.
    fn refresh(&self, keep_going: impl Fn() -> bool + Sync) -> Refreshed {
        let started = Instant::now();
        let millis: Vec<f64> = std::thread::scope(|scope| {
            let workers: Vec<_> = self
                .tokens
                .iter()
                .map(|tokens| {
                    let keep_going = &keep_going;
                    scope.spawn(move || {
                        let mut connection = Connection::open(&self.service.address);
                        let mut tokens = tokens.lock().unwrap();
                        let mut timed = Vec::new();
                        'rounds: loop {
                            for token in tokens.iter_mut() {
                                if !keep_going() {
                                    break 'rounds;
                                }
                                timed.push(refresh(&mut connection, token));
                            }
                        }
                        timed
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        });
        Refreshed { rate: millis.len() as f64 / started.elapsed().as_secs_f64(), millis }
    }

    fn refresh_for(&self, time: Duration) -> Refreshed {
        let deadline = Instant::now() + time;
        self.refresh(|| Instant::now() < deadline)
    }

    fn refresh_times(&self, times: usize) {
        let count = AtomicUsize::new(0);
        self.refresh(|| count.fetch_add(1, Ordering::Relaxed) < times);
    }
}

/// One refresh; if it rotates, the token becomes its successor.
fn refresh(connection: &mut Connection, token: &mut String) -> f64 {
    const COOKIE: &str = "set-cookie: tacit-refresh=";
    let sent = request("GET", "/protected", &[("Cookie", &format!("tacit-refresh={token}"))], "");
    let before = Instant::now();
    let answer = connection.exchange(&sent);
    let millis = before.elapsed().as_secs_f64() * 1000.0;
    assert!(answer.head.contains("x-auth-refresh: "), "not refreshed: {}", answer.head);
    if let Some(start) = answer.head.find(COOKIE).map(|start| start + COOKIE.len()) {
        let end = answer.head[start..].find(';').unwrap();
        answer.head[start..start + end].clone_into(token);
    }
    millis
}

/// Users and sessions of theirs that nobody holds a token of.
fn fill(home: &Home, sessions: usize) {
    let (series, id, now, blob) = if is_postgres() {
        (
            "generate_series(1, {n}) AS numbers(n)",
            "gen_random_uuid()::text",
            "tacit_now()",
            "decode(repeat('00', 32), 'hex')",
        )
    } else {
        (
            "(WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {n}) SELECT n FROM numbers)",
            "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' || substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))",
            "strftime('%Y-%m-%d %H:%M:%f', 'now')",
            "zeroblob(32)",
        )
    };
    let (later, user_id) = if is_postgres() {
        (format!("{now} + interval '90 days'"), "'u' || (n % {users})")
    } else {
        ("strftime('%Y-%m-%d %H:%M:%f', 'now', '+90 days')".to_owned(), "'u' || (n % {users})")
    };
    let user_id = user_id.replace("{users}", &USERS.to_string());
    home.database.execute(&format!(
        "INSERT INTO users (id, username, username_canonical, password_hash, role, created_at, updated_at) \
         SELECT {user_id}, {user_id}, {user_id}, '!', 'user', {now}, {now} FROM {}",
        series.replace("{n}", &USERS.to_string())
    ));
    home.database.execute(&format!(
        "INSERT INTO sessions (id, user_id, secret_hash, created_at, authenticated_at, expires_at, idle_timeout) \
         SELECT {id}, {user_id}, {blob}, {now}, {now}, {later}, 1209600 FROM {}",
        series.replace("{n}", &sessions.to_string())
    ));
    if is_postgres() {
        home.database.execute("ANALYZE");
    }
}

/// Sessions whose absolute limit passed two days ago.
fn add_expired(home: &Home, count: usize) {
    let past = if is_postgres() {
        "tacit_now() - interval '2 days'"
    } else {
        "strftime('%Y-%m-%d %H:%M:%f', 'now', '-2 days')"
    };
    home.database.execute(&format!("UPDATE sessions SET expires_at = {past} WHERE id IN (SELECT id FROM sessions WHERE user_id LIKE 'u%' AND expires_at > {past} LIMIT {count})"));
}

pub fn run(table: &mut Table) {
    let database = if is_postgres() { "PostgreSQL" } else { "SQLite" };
    let (few, many) = (Crowd::gather(0, ALWAYS), Crowd::gather(SESSIONS, ALWAYS));
    drop((few.refresh_for(ROUND), many.refresh_for(ROUND)));
    let mut pairs: Vec<(Refreshed, Refreshed)> =
        (0..ROUNDS).map(|_| (many.refresh_for(ROUND), few.refresh_for(ROUND))).collect();
    let rates: Vec<f64> = pairs.iter().map(|(many, few)| many.rate / few.rate).collect();
    let latencies: Vec<f64> = pairs
        .iter_mut()
        .map(|(many, few)| percentile(&mut many.millis, 99) / percentile(&mut few.millis, 99))
        .collect();
    let rate = median(pairs.iter().map(|(many, _)| many.rate).collect());
    let what = format!("refresh among 1,000,000 sessions beside 1,000, {database}");
    table.row(&format!("{what}: rate"), format!("{}, {rate:.0} refreshes/s", spread(&rates, "")), "0.9 to 1.1");
    table.row(&format!("{what}: p99"), spread(&latencies, ""), "0.9 to 1.1");
    drop(few);

    let purges: Vec<Purged> = (0..PURGES).map(|_| purge_beside_refresh(&many)).collect();
    let slowed: Vec<f64> = purges.iter().map(|purged| purged.slowed).collect();
    let seconds = median(purges.iter().map(|purged| purged.seconds).collect());
    let what = format!("p99 of a refresh while 100,000 sessions are purged, {database}");
    table.row(&what, format!("{} of its base, done after {seconds:.0} s", spread(&slowed, "")), "under 2");
}

/// What a purge did to the refreshes beside it.
struct Purged {
    /// The refreshes' p99, in units of their p99 without it.
    slowed: f64,
    seconds: f64,
}

/// Purges [`EXPIRED`] sessions while refreshes go on.
fn purge_beside_refresh(crowd: &Crowd) -> Purged {
    let others = || crowd.home.database.number("SELECT count(*) AS value FROM sessions WHERE user_id LIKE 'u%'");
    let before = usize::try_from(others()).unwrap();
    add_expired(&crowd.home, EXPIRED);
    let base = percentile(&mut crowd.refresh_for(ROUND * 2).millis, 99);
    let mut purge = Command::new(env!("CARGO_BIN_EXE_tacit"))
        .env_clear()
        .current_dir(crowd.home.directory.path())
        .args(["purge", "--set", &format!("database.url={}", crowd.home.database.url())])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let started = Instant::now();
    let running = Mutex::new(&mut purge);
    let mut beside = crowd.refresh(|| running.lock().unwrap().try_wait().unwrap().is_none());
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(usize::try_from(others()).unwrap(), before - EXPIRED, "all that had expired, and nothing else");
    Purged { slowed: percentile(&mut beside.millis, 99) / base, seconds }
}

/// 100,000 refreshes of 1,000 sessions: no row more, and on PostgreSQL no index touched and no page more.
pub fn updates_in_place(table: &mut Table) {
    const REFRESHES: usize = 100_000;
    const UPDATE_ROUNDS: usize = 4;
    let database = if is_postgres() { "PostgreSQL" } else { "SQLite" };
    let crowd = Crowd::gather(0, SOMETIMES);
    let rows = |crowd: &Crowd| crowd.home.database.number("SELECT count(*) AS value FROM sessions");
    let before = rows(&crowd);
    // The first round: first rotations fill columns that a sign-in leaves empty, and dead versions find their room.
    let sizes: Vec<String> = (0..UPDATE_ROUNDS)
        .map(|_| {
            crowd.refresh_times(REFRESHES);
            format!("{}", table_size(&crowd.home) / 1024)
        })
        .collect();
    assert_eq!(rows(&crowd), before);
    table.row(
        &format!("rows after each 100,000 refreshes of 1,000 sessions, {database}"),
        format!("{before}"),
        "1,000",
    );
    if is_postgres() {
        let measured = format!("{} kB", sizes.join(", "));
        table.row("size of the sessions table after each 100,000 refreshes", measured, "constant after the first");
        // The statistics arrive a little later.
        let deadline = Instant::now() + Duration::from_secs(20);
        let statistic = |column: &str| {
            let query = format!("SELECT {column} AS value FROM pg_stat_user_tables WHERE relname = 'sessions'");
            crowd.home.database.number(&query)
        };
        while statistic("n_tup_upd") == 0 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(200));
        }
        let share = statistic("n_tup_hot_upd") as f64 / statistic("n_tup_upd") as f64;
        table.row("heap-only updates (HOT)", format!("{:.1} %", share * 100.0), "more than 95 %");
    }
}

fn table_size(home: &Home) -> i64 {
    if is_postgres() { home.database.number("SELECT pg_relation_size('sessions') AS value") } else { 0 }
}
