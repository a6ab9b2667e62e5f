//! Secrets: where they come from, and which are refused.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::settings::Reader;
use super::{Config, ServerConfig};
use crate::types::{Secret, random_bytes};

/// The secret that signs, those that still verify, and where the first is kept when nobody gave one.
#[derive(Clone, Debug)]
pub struct KeyRing {
    /// What signs; `None`: the generated file, which only a loopback listener may use.
    pub secret: Option<Secret>,
    /// What still verifies.
    pub previous: Vec<Secret>,
    /// The file that a first run writes.
    pub generated_file: PathBuf,
}

impl KeyRing {
    pub(super) fn read(r: &mut Reader<'_>, section: &str, server: &ServerConfig, generated_file: PathBuf) -> Self {
        let key = format!("{section}.secret");
        let mut secret: Option<Secret> = r.optional(&key, "");
        let file_key = format!("{section}.secret_file");
        if let Some(path) = r.optional::<PathBuf>(&file_key, "") {
            if secret.is_some() {
                r.problem(&file_key, format!("{key} is set as well; keep one of the two"));
            }
            secret = read_secret_file(r, &file_key, &path);
        } else if secret.is_none() && !server.is_loopback() {
            r.problem(
                &key,
                format!("needed when server.listen is not a loopback address; give 32 random bytes, e.g. {file_key} with the output of `openssl rand -base64 48`"),
            );
        }
        if let Some(secret) = &secret {
            check_strength(r, &key, secret);
        }

        let previous_key = format!("{section}.previous_secrets");
        let mut previous: Vec<Secret> = r.get(&previous_key, "");
        let previous_files_key = format!("{section}.previous_secret_files");
        for path in r.get::<Vec<PathBuf>>(&previous_files_key, "") {
            previous.extend(read_secret_file(r, &previous_files_key, &path));
        }
        for secret in &previous {
            check_strength(r, &previous_key, secret);
        }
        Self { secret, previous, generated_file }
    }

    /// The secrets that are configured, the signing one first.
    fn configured(&self) -> impl Iterator<Item = &Secret> {
        self.secret.iter().chain(&self.previous)
    }
}

/// The bytes of a file less one trailing newline; `None`, with a problem noted, when it cannot be read.
pub(super) fn read_secret_file(r: &mut Reader<'_>, key: &str, path: &Path) -> Option<Secret> {
    match fs::read(path) {
        Ok(mut bytes) => {
            if bytes.ends_with(b"\n") {
                bytes.pop();
            }
            let readable_by_others = fs::metadata(path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0);
            if readable_by_others {
                r.warning(key, format!("{} can be read by every user of this machine; `chmod 600` it", path.display()));
            }
            Some(Secret::new(bytes))
        }
        Err(error) => {
            r.problem(key, format!("{} cannot be read: {error}", path.display()));
            None
        }
    }
}

fn check_strength(r: &mut Reader<'_>, key: &str, secret: &Secret) {
    if secret.expose().len() < Secret::MIN_BYTES {
        r.problem(key, "a secret has at least 32 bytes; take the output of `openssl rand -base64 48`");
    } else if is_well_known(secret.expose()) {
        r.problem(
            key,
            "this secret stands in public examples or is no random text; take the output of `openssl rand -base64 48`",
        );
    }
}

/// Placeholders that people forget to replace, and texts too regular to be random.
fn is_well_known(secret: &[u8]) -> bool {
    const PARTS: [&str; 20] = [
        "changeme",
        "change-me",
        "change_me",
        "change me",
        "changethis",
        "change-this",
        "change_this",
        "replace-me",
        "replace_me",
        "placeholder",
        "your-secret",
        "your_secret",
        "yoursecret",
        "your-256-bit",
        "secret-key",
        "secret_key",
        "supersecret",
        "super-secret",
        "django-insecure",
        "a-string-secret",
    ];
    // The key of FastAPI's security tutorial.
    const FASTAPI: &str = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7";
    let text = String::from_utf8_lossy(secret).to_lowercase();
    let mut seen = [false; 256];
    for byte in secret {
        if let Some(flag) = seen.get_mut(usize::from(*byte)) {
            *flag = true;
        }
    }
    let distinct = seen.iter().filter(|flag| **flag).count();
    distinct < 8 || text == FASTAPI || PARTS.iter().any(|part| text.contains(part))
}

/// The refresh key is independent of the key that verifiers know, and no two refresh keys share an id byte.
pub(super) fn check_independence(r: &mut Reader<'_>, config: &Config) {
    let refresh: Vec<&Secret> = config.sessions.keys.configured().collect();
    if config.tokens.keys.configured().any(|secret| refresh.contains(&secret)) {
        r.problem(
            "sessions.secret",
            "it is also a tokens secret, which backends that verify know; give it one of its own",
        );
    }
}

/// Reads the secret that an earlier run left in `path`, or makes one: 32 random bytes as base64url text, mode 0600.
///
/// The file is written whole under another name and then linked into place, so that two first runs end with one secret.
pub fn generate_secret_file(path: &Path) -> std::io::Result<Secret> {
    if let Some(secret) = existing(path)? {
        return Ok(secret);
    }
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let text = BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<32>());
    let temporary = path.with_extension(format!("{}.new", u64::from_ne_bytes(random_bytes())));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&temporary, path);
    fs::remove_file(&temporary)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => existing(path)?.ok_or_else(|| std::io::Error::other("the secret file vanished")),
    }
}

fn existing(path: &Path) -> std::io::Result<Option<Secret>> {
    match fs::read(path) {
        Ok(bytes) => {
            let text = bytes.trim_ascii();
            if text.len() < Secret::MIN_BYTES {
                return Err(std::io::Error::other(format!(
                    "{} holds no secret of 32 bytes; restore it, or remove it and lose all sessions",
                    path.display()
                )));
            }
            Ok(Some(Secret::new(text)))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known() {
        assert!(is_well_known(b"please-changeme-please-changeme-please"));
        assert!(is_well_known(&[b'a'; 40]));
        assert!(!is_well_known(b"Zk3vQ8sL1xT0pWm9eRy7Uc2Hb6Nf4Jd5"));
    }

    #[test]
    fn a_generated_secret_is_private_and_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("below/jwt.key");
        let first = generate_secret_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(first, generate_secret_file(&path).unwrap());
        assert_eq!(fs::read_dir(directory.path().join("below")).unwrap().count(), 1);
    }
}
