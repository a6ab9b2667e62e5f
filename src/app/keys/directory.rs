use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{AccessKey, Index, KeyPair};
use crate::error::Error;
use crate::types::{Secret, random_bytes};

/// Names the keys.
const INDEX: &str = "index.json";

/// Held by whoever changes the index.
const LOCK: &str = "index.lock";

/// Ends the name of a file that is not whole yet; it begins with a dot.
const TEMPORARY: &str = ".new";

/// More files than this are not looked at.
const MAX_FILES: usize = 1000;

/// No file of ours is larger, in bytes.
const MAX_BYTES: u64 = 64 * 1024;

/// How often the lock is tried, and how long it is left alone in between: five seconds in all.
const LOCK_TRIES: u32 = 250;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// An index is replaced while its files are read; once more often than that, something else is wrong.
const READ_TRIES: u32 = 10;

/// `tokens.keys_dir`: a PEM file for each key pair, and one index.
pub struct KeyDirectory {
    path: PathBuf,
}

/// What lay in the directory at one moment, byte for byte; no index is none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    index: Option<Vec<u8>>,
    pems: Vec<Secret>,
}

impl Snapshot {
    /// Whether there was an index.
    pub(super) fn has_index(&self) -> bool {
        self.index.is_some()
    }
}

/// An index with all that it names.
pub struct Contents {
    /// The index; an empty one if there is none.
    pub index: Index,
    /// The key pairs, in the index's order.
    pub keys: Vec<AccessKey>,
    /// What an operator should know, though the keys can be used.
    pub warnings: Vec<String>,
}

impl KeyDirectory {
    /// Nothing is read yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where the index lies.
    pub fn index_path(&self) -> PathBuf {
        self.path.join(INDEX)
    }

    fn pem_path(&self, kid: &str) -> PathBuf {
        self.path.join(format!("{kid}.pem"))
    }

    /// Reads the index and all that it names; no index is an empty one. [`Error::Keys`] names the file and the remedy.
    pub fn read(&self) -> Result<Contents, Error> {
        let snapshot = self.snapshot()?;
        self.parse(&snapshot)
    }

    /// The bytes of the index and of the files that it names, of one moment.
    pub(super) fn snapshot(&self) -> Result<Snapshot, Error> {
        let mut tries = 1;
        loop {
            let before = self.read_index()?;
            let index = self.parse_index(before.as_deref())?;
            let pems: Result<Vec<Secret>, Error> = index.keys.iter().map(|entry| self.read_pem(&entry.kid)).collect();
            match pems {
                Ok(pems) => return Ok(Snapshot { index: before, pems }),
                // A file that is missing, because the index is a new one meanwhile.
                Err(_) if tries < READ_TRIES && self.read_index()? != before => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The keys of a snapshot.
    pub(super) fn parse(&self, snapshot: &Snapshot) -> Result<Contents, Error> {
        let index = self.parse_index(snapshot.index.as_deref())?;
        let mut keys = Vec::new();
        let mut warnings = Vec::new();
        for (entry, pem) in index.keys.iter().zip(&snapshot.pems) {
            let path = self.pem_path(&entry.kid);
            let unusable = |what: &str| {
                let remedy = "restore it from a backup, or drop the key with `tacit keys retire --force`";
                Error::Keys(format!("{} {what}; {remedy}", path.display()))
            };
            let key = AccessKey::from(KeyPair::from_pem(pem.expose()).map_err(unusable)?);
            if key.kid != entry.kid || key.algorithm != entry.alg {
                return Err(unusable("is another key than the index says"));
            }
            if fs::metadata(&path).is_ok_and(|file| file.permissions().mode() & 0o007 != 0) {
                let path = path.display();
                warnings.push(format!("{path} can be read by every user of this machine; `chmod 600` it"));
            }
            keys.push(key);
        }
        if !snapshot.has_index() && self.holds_pems() {
            let index = self.index_path();
            warnings
                .push(format!("{} is missing beside PEM files, so none of them is used; restore it", index.display()));
        }
        Ok(Contents { index, keys, warnings })
    }

    fn holds_pems(&self) -> bool {
        let files = fs::read_dir(&self.path).into_iter().flatten().filter_map(Result::ok).take(MAX_FILES);
        files.into_iter().any(|file| Path::new(&file.file_name()).extension().is_some_and(|end| end == "pem"))
    }

    fn read_index(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.index_path();
        match read_bounded(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::Keys(format!(
                "{} cannot be read: {error}; give it back to the user that runs tacit, or restore it from a backup",
                path.display()
            ))),
        }
    }

    fn parse_index(&self, text: Option<&[u8]>) -> Result<Index, Error> {
        let Some(text) = text else { return Ok(Index::default()) };
        Index::parse(text)
            .map_err(|what| Error::Keys(format!("{} {what}; restore it from a backup", self.index_path().display())))
    }

    fn read_pem(&self, kid: &str) -> Result<Secret, Error> {
        let path = self.pem_path(kid);
        read_bounded(&path).map(Secret::new).map_err(|error| {
            Error::Keys(format!(
                "{} cannot be read: {error}; restore it from a backup, give it back to the user that runs tacit, or drop the key with `tacit keys retire --force`",
                path.display()
            ))
        })
    }

    /// Changes the index as one step: nobody else changes it meanwhile, and readers see the old one or the new one.
    ///
    /// `change` may write PEM files that the new index names; those that it names no longer are removed.
    pub fn update<T>(&self, change: impl FnOnce(&mut Index) -> Result<T, Error>) -> Result<T, Error> {
        let failed = |error: io::Error| self.unwritable(&error);
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        let _lock = self.lock()?;
        self.sweep().map_err(failed)?;
        let text = self.read_index()?;
        let before = self.parse_index(text.as_deref())?;
        let mut index = before.clone();
        let outcome = change(&mut index)?;
        self.write(&self.index_path(), index.to_text().as_bytes()).map_err(failed)?;
        // The index names them no longer: were this the end, nobody would miss the files.
        for entry in before.keys.iter().filter(|entry| index.find(&entry.kid).is_none()) {
            self.remove_pem(&entry.kid)?;
        }
        Ok(outcome)
    }

    /// Writes a key pair's file, which only its owner can read.
    pub fn write_pem(&self, pair: &KeyPair) -> Result<(), Error> {
        let path = self.pem_path(&pair.public.thumbprint());
        self.write(&path, pair.to_pem().expose()).map_err(|error| self.unwritable(&error))
    }

    fn remove_pem(&self, kid: &str) -> Result<(), Error> {
        match fs::remove_file(self.pem_path(kid)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unwritable(&error)),
            _ => Ok(()),
        }
    }

    fn unwritable(&self, error: &io::Error) -> Error {
        Error::Keys(format!("{} cannot be written: {error}; run this as the user that owns it", self.path.display()))
    }

    /// The lock is the kernel's, so it ends with the process that holds it.
    fn lock(&self) -> Result<File, Error> {
        let failed = |error: io::Error| self.unwritable(&error);
        let path = self.path.join(LOCK);
        let file =
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path).map_err(failed)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::WouldBlock) => std::thread::park_timeout(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
        Err(Error::Keys(format!("{} is held by another `tacit keys`; try again when it has ended", path.display())))
    }

    /// Removes what a killed `tacit keys` left half done, which may be a private key; under the lock nobody else writes.
    fn sweep(&self) -> io::Result<()> {
        for file in fs::read_dir(&self.path)?.take(MAX_FILES) {
            let file = file?;
            let name = file.file_name();
            if name.to_str().is_some_and(|name| name.starts_with('.') && name.ends_with(TEMPORARY)) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }

    /// Puts a whole file in another's place: after a crash it is the old one or the new one.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.path.join(format!(".{:016x}{TEMPORARY}", u64::from_ne_bytes(random_bytes())));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&temporary, path)?;
            File::open(&self.path)?.sync_all()
        })();
        if written.is_err() {
            // What went wrong is told; the rest of it may be gone already.
            drop(fs::remove_file(&temporary));
        }
        written
    }
}

/// A regular file's bytes, if it is of a size that ours can have; a pipe would wait for its writer.
fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(io::Error::other("it is larger than any file of ours"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::app::keys::Entry;
    use crate::types::{SigningAlgorithm, Timestamp};

    fn add(directory: &KeyDirectory) -> String {
        let pair = KeyPair::generate(SigningAlgorithm::EdDsa).unwrap();
        let (kid, created_at) = (pair.public.thumbprint(), Timestamp::from_unix_seconds(0));
        let entry =
            Entry { kid: kid.clone(), alg: SigningAlgorithm::EdDsa, created_at, signed_until: None, access_ttl: None };
        let added = directory.update(|index| {
            directory.write_pem(&pair)?;
            index.keys.push(entry);
            Ok(())
        });
        added.unwrap();
        kid
    }

    fn remove(directory: &KeyDirectory, kid: &str) {
        let removed = directory.update(|index| {
            index.keys.retain(|entry| entry.kid != kid);
            Ok(())
        });
        removed.unwrap();
    }

    #[test]
    fn who_reads_while_keys_come_and_go_reads_a_whole_directory_each_time() {
        let home = tempfile::tempdir().unwrap();
        let directory = KeyDirectory::new(&home.path().join("below/keys"));
        let stays = add(&directory);
        let done = AtomicBool::new(false);
        let reads = std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                let mut reads = 0;
                while !done.load(Ordering::Relaxed) && reads < 1_000_000 {
                    let contents = directory.read().unwrap();
                    assert_eq!(contents.keys.len(), contents.index.keys.len());
                    assert!(contents.index.find(&stays).is_some());
                    reads += 1;
                }
                reads
            });
            let writers = [(); 3].map(|()| {
                scope.spawn(|| {
                    for _ in 0..10 {
                        remove(&directory, &add(&directory));
                    }
                })
            });
            let ended = writers.map(std::thread::ScopedJoinHandle::join);
            done.store(true, Ordering::Relaxed);
            assert!(ended.iter().all(Result::is_ok));
            reader.join().unwrap()
        });
        assert!(reads > 10, "{reads}");
        let names: Vec<_> =
            fs::read_dir(home.path().join("below/keys")).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names.len(), 3, "the key, the index and its lock: {names:?}");
    }

    #[test]
    fn a_change_that_fails_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let directory = KeyDirectory::new(home.path());
        add(&directory);
        let before = fs::read(directory.index_path()).unwrap();
        let failed = directory.update(|index| {
            index.keys.clear();
            Err::<(), _>(Error::bad_request("no"))
        });
        assert!(failed.is_err());
        assert_eq!(fs::read(directory.index_path()).unwrap(), before);
    }
}
