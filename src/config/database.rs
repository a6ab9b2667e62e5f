use std::path::PathBuf;
use std::time::Duration;

use super::secrets::read_secret_file;
use super::settings::Reader;
use super::{settings, value};

/// Section `data`.
#[derive(Clone, Debug)]
pub struct DataConfig {
    /// `data.dir`: the embedded database and generated secrets live here.
    pub dir: PathBuf,
}

impl DataConfig {
    pub(super) fn read(r: &mut Reader<'_>) -> Self {
        Self { dir: r.optional("data.dir", "data").unwrap_or_else(|| PathBuf::from("data")) }
    }
}

/// Which database a URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file of the embedded database.
    Sqlite(PathBuf),
    /// A PostgreSQL connection string, as libpq reads it.
    Postgres(String),
}

impl value::FromSetting for DatabaseUrl {
    fn from_setting(raw: &settings::Raw) -> Result<Self, String> {
        const EXPECTED: &str = "expected \"sqlite://path/to/file.db\" or \"postgres://user@host/name\"";
        let text = String::from_setting(raw)?;
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(":memory:") || path.contains('\0') {
                return Err("sqlite: names a file, like \"sqlite://data/tacit.db\"".to_owned());
            }
            return Ok(Self::Sqlite(PathBuf::from(path)));
        }
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"));
        match rest {
            Some(rest) if url::Url::parse(&text).is_ok() => Ok(Self::Postgres(format!("postgres://{rest}"))),
            _ => Err(EXPECTED.to_owned()),
        }
    }
}

/// Section `database`.
#[derive(Clone, Debug)]
pub struct DatabaseConfig {
    /// `database.url`, with the password of `database.password_file`.
    pub url: DatabaseUrl,
    /// `database.pool_size`: connections at most.
    pub pool_size: u32,
    /// `database.acquire_timeout`: the longest wait for a connection; on PostgreSQL also for connecting and for one statement.
    pub acquire_timeout: Duration,
}

impl DatabaseConfig {
    pub(super) fn read(r: &mut Reader<'_>, data: &DataConfig) -> Self {
        let fallback = data.dir.join("tacit.db");
        let given = r.optional("database.url", "");
        r.computed("database.url", &format!("sqlite://{}", fallback.display()));
        let url = with_password(r, given.unwrap_or(DatabaseUrl::Sqlite(fallback)));
        let pool_size = r.get("database.pool_size", "10");
        if !(1..=1000).contains(&pool_size) {
            r.problem("database.pool_size", "expected 1 to 1000");
        }
        let acquire_timeout: Duration = r.get("database.acquire_timeout", "2s");
        if !(Duration::from_millis(100)..=Duration::from_secs(60)).contains(&acquire_timeout) {
            r.problem("database.acquire_timeout", "expected 100ms to 60s");
        }
        Self { url, pool_size, acquire_timeout }
    }
}

/// Adds the password of `database.password_file` to the URL.
///
/// libpq's own `passfile` would do, but it ignores a file that others may read, and containers mount secrets so.
fn with_password(r: &mut Reader<'_>, url: DatabaseUrl) -> DatabaseUrl {
    const KEY: &str = "database.password_file";
    let Some(path) = r.optional::<PathBuf>(KEY, "") else { return url };
    let DatabaseUrl::Postgres(text) = &url else {
        r.problem(KEY, "it is for PostgreSQL; set database.url to \"postgres://user@host/name\"");
        return url;
    };
    let has_password = url::Url::parse(text)
        .is_ok_and(|parsed| parsed.password().is_some() || parsed.query_pairs().any(|(name, _)| name == "password"));
    if has_password {
        r.problem(KEY, "database.url holds a password as well; keep one of the two");
        return url;
    }
    match read_secret_file(r, KEY, &path) {
        Some(secret) if secret.expose().is_empty() => {
            r.problem(KEY, format!("{} is empty", path.display()));
            url
        }
        Some(secret) => {
            let password = percent_encoding::percent_encode(secret.expose(), percent_encoding::NON_ALPHANUMERIC);
            let separator = if text.contains('?') { '&' } else { '?' };
            DatabaseUrl::Postgres(format!("{text}{separator}password={password}"))
        }
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{Problem, Settings};
    use super::*;

    fn read(url: &str, password_file: &Path) -> (DatabaseUrl, Vec<Problem>) {
        let mut settings = Settings::default();
        settings.set("database.url", settings::Raw::Text(url.to_owned()), "a test");
        let file = password_file.display().to_string();
        settings.set("database.password_file", settings::Raw::Text(file), "a test");
        let mut reader = settings.reader();
        let data = DataConfig::read(&mut reader);
        let database = DatabaseConfig::read(&mut reader, &data);
        (database.url, reader.finish().0)
    }

    #[test]
    fn a_password_file_completes_the_url_and_stands_nowhere_else() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        std::fs::write(&file, "p@ss/word?&=%\n").unwrap();
        for (url, expected) in [
            ("postgres://tacit@db/tacit", "postgres://tacit@db/tacit?password=p%40ss%2Fword%3F%26%3D%25"),
            ("postgres:///t?host=/run/x", "postgres:///t?host=/run/x&password=p%40ss%2Fword%3F%26%3D%25"),
        ] {
            assert_eq!(read(url, &file), (DatabaseUrl::Postgres(expected.to_owned()), vec![]));
        }
    }

    #[test]
    fn a_password_file_that_cannot_be_meant_is_a_problem() {
        let directory = tempfile::tempdir().unwrap();
        let (good, empty) = (directory.path().join("good"), directory.path().join("empty"));
        std::fs::write(&good, "secret").unwrap();
        std::fs::write(&empty, "\n").unwrap();
        for (url, file) in [
            ("sqlite://x.db", &good),
            ("postgres://tacit:other@db/tacit", &good),
            ("postgres://tacit@db/tacit?password=other", &good),
            ("postgres://tacit@db/tacit", &empty),
            ("postgres://tacit@db/tacit", &directory.path().join("absent")),
        ] {
            let (_, problems) = read(url, file);
            assert!(problems.iter().any(|problem| problem.key == "database.password_file"), "{url}");
        }
    }
}
