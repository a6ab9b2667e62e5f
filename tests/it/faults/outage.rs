//! The network to PostgreSQL breaks, in every way it can. SQLite has none: its tests stand in `disk`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::proxy::{Cut, Network, Proxy};
use crate::app::{Home, PASSWORD, Setup, Tacit, eventually, problem, refreshed};
use crate::clients::create;
use crate::database;
use crate::jar::{Jar, set_cookies};

/// The service heals within 3 s of the database's return; asserted at ten times that, since the machine may be busy.
const HEALS_WITHIN: Duration = Duration::from_secs(30);

/// An answer that is 503 comes within four times `database.acquire_timeout`: once in the queue, three times at work.
const ANSWERS_WITHIN: Duration = Duration::from_secs(40);

/// Connections of a service under test: few, so that a test can break each of them.
const POOL: usize = 3;

fn behind(proxy: &Proxy, home: &Home) -> Setup {
    on(&proxy.url(home))
}

/// A service on a database at this URL.
pub fn on(url: &str) -> Setup {
    Setup::default()
        .short_windows()
        .set("database.url", url)
        .set("database.pool_size", &POOL.to_string())
        .set("database.acquire_timeout", "1s")
}

/// One refresh without an access cookie: 503 with nothing touched.
async fn assert_refused(tacit: &Tacit, jar: &Jar) {
    let asked = Instant::now();
    let answer = tacit.http.get(format!("{}/protected", tacit.url)).timeout(ANSWERS_WITHIN);
    let answer = answer.header("cookie", jar.without_access().header()).send().await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(set_cookies(&answer), Vec::<String>::new());
    assert!(asked.elapsed() < ANSWERS_WITHIN);
}

/// Whether every part of the service works: as many parallel refreshes as there are connections, and readiness.
pub async fn works(tacit: &Tacit, jar: &Jar) -> bool {
    let jar = jar.without_access();
    let answers = join_all((0..2 * POOL).map(|_| tacit.get_with("/protected", &jar))).await;
    for answer in &answers {
        assert!([200, 503].contains(&answer.status().as_u16()), "{answer:?}");
    }
    let ready = tacit.get("/readyz").send().await.is_ok_and(|answer| answer.status() == 200);
    ready && answers.iter().all(|answer| answer.status() == 200)
}

/// What must hold while the database is away; how long the last 503 of a crowd took.
pub async fn assert_away(tacit: &Tacit, jar: &Jar) -> Duration {
    let broken = Instant::now();
    join_all((0..2 * POOL).map(|_| assert_refused(tacit, jar))).await;
    let answered = broken.elapsed();
    for path in ["/protected", "/verify"] {
        assert_eq!(tacit.get_with(path, jar).await.status(), 200, "a valid access token needs no database: {path}");
    }
    assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    assert_eq!(tacit.get("/readyz").send().await.unwrap().status(), 503);
    let sent = json!({"username": "ada", "password": PASSWORD});
    for path in ["/login", "/register"] {
        let answer = tacit.post(path).json(&sent).send().await.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!(problem(answer).await.0, 503, "{path}");
    }

    for path in ["/refresh", "/logout"] {
        let answer = tacit.post_with(path, jar).await;
        assert_eq!((answer.status().as_u16(), set_cookies(&answer)), (503, vec![]), "{path}");
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", jar.refresh())];
    assert_eq!(tacit.post("/token").form(&form).send().await.unwrap().status(), 503);
    answered
}

/// Waits until everything works again after the database's return; how long that took.
pub async fn assert_heals(tacit: &Tacit, jar: &Jar) -> Duration {
    let mended = Instant::now();
    assert!(eventually(async || works(tacit, jar).await).await, "never healed: {}", tacit.log());
    let healed = mended.elapsed();
    assert!(healed < HEALS_WITHIN);
    healed
}

/// Breaks the network while a session is open, checks what must hold during the outage, mends it, and waits.
async fn outage(name: &str, breaks: impl Fn(&Proxy), mends: impl Fn(&Proxy)) {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = Home::new();
    let proxy = Proxy::of(&home);
    let tacit = behind(&proxy, &home).start_in(Arc::clone(&home)).await;
    let jar = tacit.new_session("ada").await;
    // As many connections as the pool has are open, and will be broken.
    assert!(works(&tacit, &jar).await);

    breaks(&proxy);
    let answered = assert_away(&tacit, &jar).await;

    mends(&proxy);
    let healed = assert_heals(&tacit, &jar).await;
    println!("{name}: the last 503 came after {answered:.1?}, healed {healed:.1?} after the database's return");
}

#[tokio::test]
async fn a_database_that_closes_its_connections_is_503_until_it_returns_and_costs_nobody_a_session() {
    outage("away", |proxy| proxy.set(Network::Away), |proxy| proxy.set(Network::Open)).await;
}

#[tokio::test]
async fn a_database_that_falls_silent_is_503_until_it_answers_again_and_costs_nobody_a_session() {
    outage("stalled", |proxy| proxy.set(Network::Stalled), |proxy| proxy.set(Network::Open)).await;
}

#[tokio::test]
async fn connections_that_stay_silent_for_ever_are_given_up_for_new_ones() {
    let breaks = |proxy: &Proxy| {
        proxy.set(Network::Stalled);
        proxy.freeze();
    };
    outage("stalled for ever", breaks, |proxy| proxy.set(Network::Open)).await;
}

#[tokio::test]
async fn a_failover_that_leaves_every_open_connection_silent_heals_by_itself() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = Home::new();
    let proxy = Proxy::of(&home);
    let tacit = behind(&proxy, &home).start_in(Arc::clone(&home)).await;
    let jar = tacit.new_session("ada").await;
    for round in 0..3 {
        assert!(works(&tacit, &jar).await);
        proxy.freeze();
        let frozen = Instant::now();
        assert!(eventually(async || works(&tacit, &jar).await).await, "never healed: {}", tacit.log());
        println!("failover {round}: healed after {:.1?}", frozen.elapsed());
    }
    // The revocation poll was on a silent connection too.
    let other = tacit.log_in("ada").await;
    assert_eq!(tacit.post_with("/logout", &other).await.status(), 200);
    assert_eq!(tacit.get_with("/protected", &other).await.status(), 401);
    let polls = async || tacit.metric("tacit_revocation_poll_age_seconds").await < 3.0;
    assert!(eventually(polls).await);
}

#[tokio::test]
async fn a_statement_whose_connection_is_cut_is_503_with_cookies_untouched_and_the_retry_works() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    for (cut, retried) in [(Cut::Before, "rotated"), (Cut::After, "access-only")] {
        let home = Home::new();
        let proxy = Proxy::of(&home);
        let tacit = behind(&proxy, &home).start_in(Arc::clone(&home)).await;
        let jar = tacit.new_session("ada").await.without_access();
        // Of all the statements of a refresh only ROTATE carries the browser's name.
        proxy.cut_on("cut this one", cut);
        let refresh = tacit.get("/protected").header("cookie", jar.header()).header("user-agent", "cut this one");
        let answer = refresh.send().await.unwrap();
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!((answer.status().as_u16(), set_cookies(&answer)), (503, vec![]), "{cut:?}");

        let answer = tacit.get_with("/protected", &jar).await;
        assert_eq!((answer.status().as_u16(), refreshed(&answer)), (200, Some(retried)), "{cut:?}");
        assert_eq!(home.database.number("SELECT generation AS value FROM sessions"), 1);
    }
}

#[tokio::test]
async fn connections_cut_again_and_again_under_load_cost_nobody_a_session() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = Home::new();
    let proxy = Proxy::of(&home);
    let tacit = behind(&proxy, &home).start_in(Arc::clone(&home)).await;
    let mut jars = Vec::new();
    for number in 0..4 {
        jars.push(tacit.new_session(&format!("user-{number}")).await);
    }
    for round in 0..20 {
        let (jar, tacit) = (&jars[round % jars.len()].without_access(), &tacit);
        proxy.set(Network::Slow(Duration::from_millis(u64::try_from(round % 4).unwrap() * 10)));
        let cutting = async { proxy.cut() };
        let (answers, ()) = tokio::join!(join_all((0..4).map(|_| tacit.get_with("/protected", jar))), cutting);
        for answer in answers {
            assert!([200, 503].contains(&answer.status().as_u16()), "round {round}: {answer:?}");
            jars[round % 4].apply(&answer);
        }
    }
    proxy.set(Network::Open);
    for jar in &jars {
        assert!(eventually(async || tacit.get_with("/protected", &jar.without_access()).await.status() == 200).await);
    }
}

#[tokio::test]
async fn started_without_its_database_it_listens_waits_and_heals() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    for away in [Network::Away, Network::Stalled] {
        let home = Home::new();
        let proxy = Proxy::of(&home);
        // A token of an earlier life, good for a while yet; the keys stay in the home.
        let jar = behind(&proxy, &home).start_in(Arc::clone(&home)).await.new_session("ada").await;

        proxy.set(away);
        let tacit = behind(&proxy, &home).spawn_in(Arc::clone(&home));
        assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
        assert_eq!(tacit.get("/readyz").send().await.unwrap().status(), 503);
        for path in ["/verify", "/protected"] {
            let answer = tacit.get_with(path, &jar).await;
            assert_eq!(problem(answer).await.0, 503, "{path}: nobody knows yet whether the session was revoked");
        }
        assert_refused(&tacit, &jar).await;

        proxy.set(Network::Open);
        let healed = assert_heals(&tacit, &jar).await;
        println!("started while {away:?}: healed {healed:.1?} after the database's return");
        assert_eq!(tacit.get_with("/verify", &jar).await.status(), 200);
    }
}

#[tokio::test]
async fn a_replica_that_lost_the_database_does_not_say_that_nothing_is_new() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = Home::new();
    let proxy = Proxy::of(&home);
    let tacit = behind(&proxy, &home).start_in(Arc::clone(&home)).await;
    let client = create(&home, "api", &[]);
    let asked = |query: &str| client.on(tacit.get(&format!("/revocations{query}"))).timeout(Duration::from_secs(90));
    let tag = asked("").send().await.unwrap().headers()["etag"].clone();
    let waiting = async {
        let begun = Instant::now();
        let answer = asked("?wait=25").header("if-none-match", &tag).send().await.unwrap();
        (answer.status().as_u16(), begun.elapsed() >= Duration::from_secs(25))
    };
    let breaking = async {
        // The client has proved itself by then, and waits.
        tokio::time::sleep(Duration::from_secs(5)).await;
        proxy.set(Network::Away);
    };
    assert_eq!(tokio::join!(waiting, breaking).0, (503, true));
    proxy.set(Network::Open);
    let heard = async || {
        let answer = asked("").header("if-none-match", &tag).send().await.unwrap();
        answer.status() == 304
    };
    assert!(eventually(heard).await);
}

#[tokio::test]
async fn pools_that_are_given_up_leave_no_threads_behind() {
    /// Pools that are given up before the threads are counted; each has three.
    const GIVEN_UP: usize = 12;
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = Home::new();
    let proxy = Proxy::of(&home);
    let tacit = behind(&proxy, &home).start_in(Arc::clone(&home)).await;
    let jar = tacit.new_session("ada").await;
    assert!(works(&tacit, &jar).await);
    let before = threads(&tacit);
    proxy.set(Network::Stalled);
    proxy.freeze();
    let given_up = async || tacit.log().matches("database_pool_replaced").count() >= GIVEN_UP;
    assert!(eventually(given_up).await || eventually(given_up).await, "{}", tacit.log());
    let during = threads(&tacit);
    assert!(during < before + 2 * GIVEN_UP, "{before} threads became {during}");
    proxy.set(Network::Open);
    assert!(eventually(async || works(&tacit, &jar).await).await, "never healed: {}", tacit.log());
}

fn threads(tacit: &Tacit) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", tacit.pid())).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).expect("a number of threads");
    line.trim().parse().expect("a number")
}
