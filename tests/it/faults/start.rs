//! First starts, several at once.

use std::sync::Arc;

use futures_util::future::join_all;

use super::proxy::{Network, Proxy};
use crate::app::{Home, Setup, Tacit, refreshed};
use crate::database;

/// Processes that start at the same moment.
const STARTED: usize = 3;

/// A home whose database was never migrated.
fn fresh_home() -> Arc<Home> {
    let home = Home::new();
    if database::is_postgres() {
        home.database.execute("DROP SCHEMA public CASCADE");
        home.database.execute("CREATE SCHEMA public");
    }
    home
}

#[tokio::test]
async fn parallel_first_starts_all_come_up_with_one_schema_and_one_set_of_secrets() {
    for _ in 0..5 {
        let home = fresh_home();
        let started: Vec<Tacit> = join_all((0..STARTED).map(|_| {
            let home = Arc::clone(&home);
            tokio::task::spawn_blocking(move || Setup::default().short_windows().argument("--migrate").spawn_in(home))
        }))
        .await
        .into_iter()
        .map(|tacit| tacit.expect("a start"))
        .collect();
        for tacit in &started {
            tacit.wait_until_ready().await;
            assert!(!tacit.log().contains("locked"), "{}", tacit.log());
        }
        let jar = started[0].new_session("ada").await;
        for tacit in &started {
            assert_eq!(tacit.get_with("/verify", &jar).await.status(), 200, "one key signs access tokens");
            let answer = tacit.get_with("/protected", &jar.without_access()).await;
            assert_eq!((answer.status().as_u16(), refreshed(&answer).is_some()), (200, true), "one refresh key");
        }
    }
}

#[tokio::test]
async fn first_starts_while_the_database_is_away_bring_its_schema_up_to_date_on_its_return() {
    if !database::is_postgres() {
        return; // The embedded database is reached over no network.
    }
    let home = fresh_home();
    let proxy = Proxy::of(&home);
    proxy.set(Network::Away);
    let setup = || {
        let setup = Setup::default().set("database.url", &proxy.url(&home)).set("database.acquire_timeout", "1s");
        setup.argument("--migrate").spawn_in(Arc::clone(&home))
    };
    let started = [setup(), setup()];
    for tacit in &started {
        assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
        assert_eq!(tacit.get("/readyz").send().await.unwrap().status(), 503);
    }
    proxy.set(Network::Open);
    for tacit in &started {
        tacit.wait_until_ready().await;
    }
    let jar = started[0].new_session("ada").await;
    assert_eq!(started[1].get_with("/verify", &jar).await.status(), 200);
}
