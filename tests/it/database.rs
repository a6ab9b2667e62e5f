//! A database of a test's own, on whichever server the run is for, and a hand into it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};

/// The variable that makes a run use PostgreSQL: the URL of a server's maintenance database.
const POSTGRES: &str = "TACIT_TEST_POSTGRES";

/// A database that exists as long as this value.
pub enum TestDatabase {
    Sqlite(PathBuf),
    Postgres { server: String, name: String },
}

fn server() -> Option<String> {
    std::env::var(POSTGRES).ok().filter(|url| !url.is_empty())
}

/// Whether this run is on PostgreSQL.
pub fn is_postgres() -> bool {
    server().is_some()
}

fn with_database(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').expect("a URL that ends in a database's name");
    format!("{base}/{name}")
}

fn run_on(url: &str, sql: &str) {
    PgConnection::establish(url).expect("the PostgreSQL server").batch_execute(sql).expect(sql);
}

/// A migrated database that the tests' own are copied from, made once a run.
fn template(server: &str) -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = format!("tacit_template_{}", std::process::id());
        run_on(server, &format!("CREATE DATABASE {name}"));
        let url = with_database(server, &name);
        let migrated = Command::new(env!("CARGO_BIN_EXE_tacit"))
            .env_clear()
            .current_dir(std::env::temp_dir())
            .args(["migrate", "--set", &format!("database.url={url}")])
            .status()
            .expect("tacit migrate");
        assert!(migrated.success());
        name
    })
}

impl TestDatabase {
    /// A fresh database; the embedded one lies in `directory`.
    pub fn create(directory: &std::path::Path) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        match server() {
            None => Self::Sqlite(directory.join("tacit.db")),
            Some(server) => {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let name = format!("tacit_test_{}_{number}", std::process::id());
                run_on(&server, &format!("CREATE DATABASE {name} TEMPLATE {}", template(&server)));
                Self::Postgres { server, name }
            }
        }
    }

    /// What `database.url` is set to.
    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres { server, name } => with_database(server, name),
        }
    }

    /// Runs a statement that both databases understand; the number of rows it touched.
    pub fn execute(&self, sql: &str) -> usize {
        match self {
            Self::Sqlite(_) => diesel::sql_query(sql).execute(&mut self.sqlite()).expect(sql),
            Self::Postgres { .. } => diesel::sql_query(sql).execute(&mut self.postgres()).expect(sql),
        }
    }

    /// The one number that a query gives as `value`.
    pub fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            value: i64,
        }
        let row: Row = match self {
            Self::Sqlite(_) => diesel::sql_query(sql).get_result(&mut self.sqlite()).expect(sql),
            Self::Postgres { .. } => diesel::sql_query(sql).get_result(&mut self.postgres()).expect(sql),
        };
        row.value
    }

    /// The texts that a query gives as `value`.
    pub fn texts(&self, sql: &str) -> Vec<Option<String>> {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = Nullable<Text>)]
            value: Option<String>,
        }
        let rows: Vec<Row> = match self {
            Self::Sqlite(_) => diesel::sql_query(sql).load(&mut self.sqlite()).expect(sql),
            Self::Postgres { .. } => diesel::sql_query(sql).load(&mut self.postgres()).expect(sql),
        };
        rows.into_iter().map(|row| row.value).collect()
    }

    /// Moves a timestamp column of all rows of a table into the past: as if so many seconds had passed.
    pub fn age(&self, table: &str, column: &str, seconds: i64) {
        let shifted = match self {
            Self::Sqlite(_) => format!("strftime('%Y-%m-%d %H:%M:%f', {column}, '-{seconds} seconds')"),
            Self::Postgres { .. } => format!("{column} - interval '{seconds} seconds'"),
        };
        self.execute(&format!("UPDATE {table} SET {column} = {shifted} WHERE {column} IS NOT NULL"));
    }

    fn sqlite(&self) -> SqliteConnection {
        let Self::Sqlite(path) = self else { unreachable!("asked only of SQLite") };
        let mut connection = SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("the database file");
        connection.batch_execute("PRAGMA busy_timeout = 5000").expect("a busy timeout");
        connection
    }

    fn postgres(&self) -> PgConnection {
        PgConnection::establish(&self.url()).expect("the test's database")
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Self::Postgres { server, name } = self {
            run_on(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        }
    }
}
