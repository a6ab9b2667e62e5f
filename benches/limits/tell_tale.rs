//! Whether refusals tell, by the time they take, who has an account or which client exists.

use std::time::Instant;

use super::load::{Connection, request};
use super::service::{Home, Running, member, register};
use super::table::{Table, median};

/// Of each kind, taken in turns.
const SAMPLES: usize = 200;

/// Low, so that it takes a minute; a hash of the lower cost would answer in a quarter of the time if nobody made up for it.
const COST: &str = "8";
const LOWER_COST: &str = "6";

const WRONG: &str = "not the password of anybody";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A kind of refusal, and the request that is refused.
type Kind = (&'static str, Vec<u8>);

/// The request that presents a name and a password.
type Made = fn(&str, &str) -> Vec<u8>;

/// Measures sign-ins and client authentication.
pub fn run(table: &mut Table) {
    let home = Home::new();
    let older = home.start(&[("passwords.bcrypt_cost", LOWER_COST)]);
    register(&older, "lower0");
    drop(older);
    // Its counters are met as by anybody, only that none is ever used up.
    let service = home.start(&[
        ("passwords.bcrypt_cost", COST),
        ("oauth.password_grant", "true"),
        ("throttle.enabled", "true"),
        ("throttle.account_failures", "1000000"),
        ("throttle.address_failures", "1000000"),
    ]);
    register(&service, "wrong0");
    register(&service, "gone00");
    home.command(&["user", "disable", "gone00"]);
    let created = home.command(&["client", "create", "backend", "--json"]);
    let client = member(&created, "client_id");

    let paths: [(&str, Made); 2] = [("/token", token), ("/login", log_in)];
    for (path, made) in paths {
        let kinds: [Kind; 6] = [
            ("wrong password", made("wrong0", WRONG)),
            ("the same again, for the noise", made("wrong0", WRONG)),
            ("unknown name", made("nobody", WRONG)),
            ("unknown address", made("nobody@example.com", WRONG)),
            ("disabled account, right password", made("gone00", super::service::PASSWORD)),
            ("wrong password, stored hash of a quarter of the cost", made("lower0", WRONG)),
        ];
        compare(table, &service, path, &kinds, "as the noise");
    }
    let kinds: [Kind; 3] = [
        ("wrong secret", introspect(&client)),
        ("the same again, for the noise", introspect(&client)),
        ("unknown client", introspect("00000000-0000-4000-8000-000000000000")),
    ];
    compare(table, &service, "client at /introspect", &kinds, "within 0.1 ms");
}

fn token(name: &str, password: &str) -> Vec<u8> {
    request("POST", "/token", &[FORM], &format!("grant_type=password&username={name}&password={password}"))
}

fn log_in(name: &str, password: &str) -> Vec<u8> {
    request("POST", "/login", &[JSON], &format!(r#"{{"username":"{name}","password":"{password}"}}"#))
}

fn introspect(client: &str) -> Vec<u8> {
    request("POST", "/introspect", &[FORM], &format!("token=x&client_id={client}&client_secret=tcs_wrong"))
}

/// A row for each kind: its medians, and how they stand to the first kind's. The processor time is the service's own, which
/// a busy machine hardly changes; what somebody else can measure is the other one.
fn compare(table: &mut Table, service: &Running, path: &str, kinds: &[Kind], asked: &str) {
    let mut connection = Connection::open(&service.address);
    let mut millis = vec![Vec::with_capacity(SAMPLES); kinds.len()];
    let mut processor = millis.clone();
    // One round that does not count.
    for round in 0..=SAMPLES {
        for kind in shuffled(kinds.len(), round) {
            let (before, worked) = (Instant::now(), service.processor_millis());
            let status = connection.status(&kinds[kind].1);
            let elapsed = before.elapsed().as_secs_f64() * 1000.0;
            assert!([400, 401].contains(&status), "{path}, {}: {status}", kinds[kind].0);
            if round > 0 {
                millis[kind].push(elapsed);
                processor[kind].push(service.processor_millis() - worked);
            }
        }
    }
    let medians = |samples: Vec<Vec<f64>>| samples.into_iter().map(median).collect::<Vec<f64>>();
    let (millis, processor) = (medians(millis), medians(processor));
    for (number, (what, _)) in kinds.iter().enumerate() {
        let measured = format!(
            "median {:.2} ms, {:.3} of the first; processor {:.3} ms, {:.3} of the first",
            millis[number],
            millis[number] / millis[0],
            processor[number],
            processor[number] / processor[0]
        );
        table.row(&format!("{path}, {what}"), measured, asked);
    }
}

/// The numbers below `count`, in another order each round, so that none always follows the same one.
fn shuffled(count: usize, round: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by_key(|number| ((round + 1) * 7919 + (number + 1) * 104_729).wrapping_mul(2_654_435_761) % 1_000_003);
    order
}
