//! How soon one replica follows what happened elsewhere.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};

use super::database::is_postgres;
use super::load::{Connection, request};
use super::service::{Home, Running, member, register, token_request};
use super::table::{Table, spread};

const ROUNDS: usize = 5;

/// Against hanging only.
const PATIENCE: Duration = Duration::from_secs(20);

/// Two replicas with one database and one directory of keys.
pub fn run(table: &mut Table) {
    let home = Home::new();
    let settings = [("passwords.bcrypt_cost", "4"), ("tokens.issuer", "https://id.example")];
    let replicas = [home.start(&settings), home.start(&settings)];
    register(&replicas[0], "ada");
    let database = if is_postgres() { "PostgreSQL" } else { "SQLite" };
    // Each round makes a key pair and lets it sign at once, which no replica has read by then.
    let rotated: Vec<f64> = (0..ROUNDS).map(|_| rotate(&home, &replicas)).collect();
    table.row("keys rotate: until every replica signs", spread(&rotated, " s"), "within 2 s");
    let client = home.command(&["client", "create", "backend", "--json"]);
    let told: Vec<f64> = (0..ROUNDS).map(|round| log_out(&client, &replicas, round)).collect();
    let what = format!("a logout until another replica's feed tells it, {database}");
    table.row(&what, spread(&told, " s"), "about 1 s");
}

/// Seconds from the start of `tacit keys rotate` until each replica hands out a token of the new key.
fn rotate(home: &Home, replicas: &[Running]) -> f64 {
    let kid = member(&home.command(&["keys", "generate", "--alg", "EdDSA", "--json"]), "kid");
    let started = Instant::now();
    home.command(&["keys", "rotate"]);
    let sign_in = token_request("ada");
    for replica in replicas {
        let mut connection = Connection::open(&replica.address);
        while signed_by(&member(&connection.exchange(&sign_in).body, "access_token")) != kid {
            assert!(started.elapsed() < PATIENCE, "never signs with {kid}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    started.elapsed().as_secs_f64()
}

fn signed_by(token: &str) -> String {
    let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    member(&String::from_utf8(header).unwrap(), "kid")
}

/// Seconds from a sign-out at one replica until a backend that waits at the other one has its answer.
fn log_out(client: &str, replicas: &[Running; 2], round: usize) -> f64 {
    let [here, there] = replicas;
    let proof = format!("{}:{}", member(client, "client_id"), member(client, "client_secret"));
    let proof = format!("Basic {}", BASE64_STANDARD.encode(proof));
    let mut connection = Connection::open(&here.address);
    let token = member(&connection.exchange(&token_request("ada")).body, "access_token");
    let sign_out = request("POST", "/logout", &[("Authorization", &format!("Bearer {token}"))], "");

    let mut backend = Connection::open(&there.address);
    let first = backend.exchange(&request("GET", "/revocations", &[("Authorization", &proof)], ""));
    let tag = first.head.lines().find_map(|line| line.strip_prefix("etag: ")).expect("an ETag").to_owned();
    let wait = request("GET", "/revocations?wait=20", &[("Authorization", &proof), ("If-None-Match", &tag)], "");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(move || (backend.status(&wait), Instant::now()));
        // Until it waits, and in each round a while longer: the replica looks once a second.
        std::thread::sleep(Duration::from_millis(1000 + 170 * round as u64));
        let started = Instant::now();
        assert_eq!(connection.status(&sign_out), 200);
        let (status, answered) = waiting.join().unwrap();
        assert_eq!(status, 200, "nothing was told");
        answered.duration_since(started).as_secs_f64()
    })
}
