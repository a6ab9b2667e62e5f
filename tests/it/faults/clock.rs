//! Clocks that are wrong or jump: the host's on SQLite, PostgreSQL's own on PostgreSQL.

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::app::{Home, Setup, Tacit, eventually, problem, refreshed};
use crate::database::{self, TestDatabase};
use crate::jar::Jar;

/// What makes a process believe in another time (the Debian package `faketime`).
fn faketime() -> PathBuf {
    let folders = ["/usr/lib/x86_64-linux-gnu/faketime", "/usr/lib/aarch64-linux-gnu/faketime", "/usr/lib/faketime"];
    let mut files = folders.iter().map(|folder| PathBuf::from(folder).join("libfaketimeMT.so.1"));
    files.find(|file| file.exists()).expect("libfaketime: install the package `faketime`")
}

/// A clock that a test sets: the one that the protocol goes by.
struct TestClock {
    home: Arc<Home>,
}

impl TestClock {
    fn new(home: &Arc<Home>) -> Self {
        let clock = Self { home: Arc::clone(home) };
        clock.set(0);
        clock
    }

    fn file(&self) -> PathBuf {
        self.home.directory.path().join("faketime")
    }

    /// Sets it to the true time and so many seconds.
    fn set(&self, seconds: i64) {
        match &self.home.database {
            TestDatabase::Sqlite(_) => {
                // Put in place whole: a process that reads meanwhile must not find half a number.
                let written = self.file().with_extension("new");
                std::fs::write(&written, format!("{seconds:+}s\n")).expect("a file");
                std::fs::rename(written, self.file()).expect("a file");
            }
            TestDatabase::Postgres { .. } => {
                self.home.database.execute(&format!(
                    "CREATE OR REPLACE FUNCTION tacit_now() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE \
                     AS $$ SELECT (now() + interval '{seconds} seconds') AT TIME ZONE 'UTC' $$"
                ));
            }
        }
    }

    /// A service that goes by this clock.
    async fn start(&self) -> Tacit {
        let setup = Setup::default();
        let setup = if database::is_postgres() {
            setup
        } else {
            setup
                .env("LD_PRELOAD", faketime().to_str().expect("UTF-8"))
                .env("FAKETIME_TIMESTAMP_FILE", self.file().to_str().expect("UTF-8"))
                .env("FAKETIME_NO_CACHE", "1")
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
                .env("DONT_FAKE_MONOTONIC", "1")
        };
        setup.start_in(Arc::clone(&self.home)).await
    }
}

/// Refreshes in parallel on both replicas; the answers are applied in turn.
async fn refresh_everywhere(replicas: [&Tacit; 2], jar: &mut Jar) {
    let presented = jar.without_access();
    let answers = join_all((0..6).map(|number| replicas[number % 2].get_with("/protected", &presented))).await;
    for answer in &answers {
        assert_eq!(answer.status(), 200);
        jar.apply(answer);
    }
    let rotations = answers.iter().filter(|answer| refreshed(answer) == Some("rotated")).count();
    assert!(rotations <= 1, "{rotations} rotations of one token");
}

/// A sign-out on one replica reaches the other.
async fn assert_sign_out_spreads(from: &Tacit, to: &Tacit) {
    let jar = from.log_in("ada").await;
    assert_eq!(to.get_with("/protected", &jar).await.status(), 200);
    assert_eq!(from.post_with("/logout", &jar).await.status(), 200);
    assert!(eventually(async || to.get_with("/protected", &jar).await.status() == 401).await, "{}", to.log());
}

#[tokio::test]
async fn a_clock_that_jumps_signs_nobody_out_wrongly_and_resurrects_nobody() {
    let home = Home::new();
    let clock = TestClock::new(&home);
    let (first, second) = (clock.start().await, clock.start().await);
    let mut jar = first.new_session("ada").await;
    let ended = first.log_in("ada").await;
    assert_eq!(first.post_with("/logout", &ended).await.status(), 200);

    // Back two minutes; forward an hour; back again, as when a wrong time is mended; and home.
    for step in [-120, 3600, 0, 7200, -120, 0] {
        clock.set(step);
        // The answer is lost: what the jar holds is the predecessor then.
        assert_eq!(first.get_with("/protected", &jar.without_access()).await.status(), 200, "at {step}");
        refresh_everywhere([&first, &second], &mut jar).await;
        refresh_everywhere([&first, &second], &mut jar).await;
        for tacit in [&first, &second] {
            let revoked = tacit.get_with("/protected", &ended.without_access()).await;
            assert_eq!(problem(revoked).await, (401, "session_revoked".to_owned()), "at {step}");
            assert_eq!(tacit.get_with("/protected", &ended).await.status(), 401, "at {step}");
        }
        assert_sign_out_spreads(&first, &second).await;
        assert_sign_out_spreads(&second, &first).await;
    }
}

#[tokio::test]
async fn replicas_whose_clocks_are_30_seconds_apart_understand_each_other() {
    let home = Home::new();
    let apart = Setup::default()
        .env("LD_PRELOAD", faketime().to_str().expect("UTF-8"))
        .env("FAKETIME", "+30s")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("DONT_FAKE_MONOTONIC", "1");
    let (first, second) = (Setup::default().start_in(Arc::clone(&home)).await, apart.start_in(Arc::clone(&home)).await);
    for (one, other, username) in [(&first, &second, "ada"), (&second, &first, "bob")] {
        let mut jar = one.new_session(username).await;
        assert_eq!(other.get_with("/verify", &jar).await.status(), 200, "an access token from 30 s ahead");
        for _ in 0..3 {
            refresh_everywhere([one, other], &mut jar).await;
            assert_eq!(other.get_with("/verify", &jar).await.status(), 200);
        }
    }
    assert_sign_out_spreads(&first, &second).await;
    assert_sign_out_spreads(&second, &first).await;
}
