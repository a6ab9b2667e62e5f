//! Where a mark could have gone.

use std::fs;
use std::path::Path;

use super::marks::{AGENT, Marks, NAME, is_marked};
use crate::app::{Home, Tacit};
use crate::database::{TestDatabase, is_postgres};

/// Columns that are there for a name, or for what a browser calls itself.
const NAMES: [(&str, &str); 5] = [
    ("users", "username"),
    ("users", "username_canonical"),
    ("users", "email"),
    ("users", "email_canonical"),
    ("clients", "name"),
];
const AGENTS: [(&str, &str); 2] = [("sessions", "user_agent"), ("sessions", "label")];

/// Nothing marked may stand here, not even a name.
fn check_clean(what: &str, bytes: &[u8], marks: &Marks) {
    assert_eq!(marks.find_secret(bytes), None, "{what}");
    for mark in [NAME, AGENT] {
        assert!(!is_marked(bytes, mark), "{mark} in {what}");
    }
}

/// Line by line, so that the one to blame is told.
pub fn check_logs(tacit: &Tacit, marks: &Marks) {
    for line in tacit.log().lines() {
        check_clean(line, line.as_bytes(), marks);
    }
}

pub async fn check_metrics(tacit: &Tacit, marks: &Marks) {
    let text = tacit.get("/metrics").send().await.unwrap().text().await.unwrap();
    assert!(text.lines().count() > 50);
    check_clean("the metrics", text.as_bytes(), marks);
}

/// Every column of every table, whatever its type.
pub fn check_database(home: &Home, marks: &Marks) {
    let columns = columns(&home.database);
    assert!(columns.len() > 50, "{columns:?}");
    assert!(columns.iter().any(|(table, column)| table == "audit_events" && column == "detail"));
    let mut values = 0;
    for (table, column) in &columns {
        let text = if is_postgres() {
            format!("CAST({column} AS TEXT)")
        } else {
            format!("CASE typeof({column}) WHEN 'blob' THEN hex({column}) ELSE CAST({column} AS TEXT) END")
        };
        let place = (table.as_str(), column.as_str());
        for value in home.database.texts(&format!("SELECT {text} AS value FROM {table}")).into_iter().flatten() {
            values += 1;
            let what = format!("{table}.{column}: {value}");
            assert_eq!(marks.find_secret(value.as_bytes()), None, "{what}");
            assert!(NAMES.contains(&place) || !is_marked(value.as_bytes(), NAME), "a name in {what}");
            assert!(AGENTS.contains(&place) || !is_marked(value.as_bytes(), AGENT), "a user agent in {what}");
        }
    }
    assert!(values > 500, "only {values} values");
}

/// Table and column, by what the schema itself says.
fn columns(database: &TestDatabase) -> Vec<(String, String)> {
    let query = if is_postgres() {
        "SELECT table_name || ' ' || column_name AS value FROM information_schema.columns WHERE table_schema = 'public'"
    } else {
        "SELECT m.name || ' ' || c.name AS value FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
         WHERE m.type = 'table'"
    };
    let rows = database.texts(query).into_iter().flatten();
    rows.map(|row| row.split_once(' ').map(|(table, column)| (table.to_owned(), column.to_owned())).expect(&row))
        .collect()
}

/// Every file below the service's directory: the embedded database with what was deleted from it, its write-ahead log,
/// what the service has logged. Names and user agents may stand in the database's.
pub fn check_files(home: &Home, marks: &Marks) {
    let mut directories = vec![home.directory.path().to_owned()];
    let mut files = 0;
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            files += 1;
            let bytes = fs::read(&path).unwrap();
            assert_eq!(marks.find_secret(&bytes), None, "{}", path.display());
            if !is_database(&path) {
                check_clean(&path.display().to_string(), &bytes, marks);
            }
        }
    }
    assert!(files >= 1);
}

fn is_database(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("tacit.db"))
}
