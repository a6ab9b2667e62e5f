use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::IntCounter;
use tokio::sync::watch;
use tokio::time::timeout;

use super::directory::{Contents, Snapshot};
use super::{AccessKey, KeyDirectory, secrets_of};
use crate::config::TokensConfig;
use crate::error::Error;
use crate::types::{Clock, Instant, PublicKey, Secret, SigningAlgorithm};

/// How often every replica reads the index again.
const READ_EVERY: Duration = Duration::from_millis(250);

/// How long a replica has to hold a key before it signs with it: another reads it within [`READ_EVERY`], and one that was
/// held up has a second more. Both together stay below the two seconds that a rotation may take.
const SETTLING: Duration = Duration::from_millis(1250);

/// A key younger than this may be one that some replica did not read yet, whatever the hosts' clocks say.
const YOUNG: Duration = Duration::from_secs(60);

/// How often a token that names an unknown key may have the keys looked up again, at most.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long after a look was asked for requests wait for it: a volume may hang.
const PATIENCE: Duration = Duration::from_millis(500);

/// The keys of access tokens: one signs, all verify, each found by its exact `kid`.
pub struct AccessKeys {
    /// Of HS256, the signing one first.
    secrets: Vec<Secret>,
    /// `tokens.audience`.
    audience: String,
    directory: KeyDirectory,
    clock: Clock,
    /// Replaced as a whole, so that who reads it never waits for a file.
    current: RwLock<Arc<KeySet>>,
    /// The keys of other audiences, by kid: what this replica signed for, and what the database named.
    derived: RwLock<HashMap<String, Arc<AccessKey>>>,
    reading: Mutex<Reading>,
    looks: Mutex<Looks>,
    /// The number of the last look that ended.
    looked: watch::Sender<u64>,
    /// When the database was last asked for audiences, and answered.
    derived_looked: Mutex<Option<Instant>>,
    failures: IntCounter,
}

/// The keys of one moment.
struct KeySet {
    keys: HashMap<String, Arc<AccessKey>>,
    signing: Arc<AccessKey>,
    /// Those with a public half, in the index's order.
    published: Vec<Arc<AccessKey>>,
}

/// What is known of the directory.
#[derive(Default)]
struct Reading {
    /// What the current keys were made of.
    snapshot: Snapshot,
    /// Why the last attempt failed.
    problem: Option<String>,
    /// Since when this replica has each key pair; `None`: it started with it.
    seen: HashMap<String, Option<Instant>>,
    /// A key pair that is to sign has not settled yet.
    settling: bool,
}

/// The looks at the directory that requests ask for.
#[derive(Default)]
struct Looks {
    /// Wakes the thread that reads; the command line has none.
    wake: Option<Sender<()>>,
    /// Which one was asked for last.
    number: u64,
    /// When that was.
    asked: Option<Instant>,
}

impl AccessKeys {
    /// How often [`AccessKeys::poll`] is to be called.
    pub const POLL_EVERY: Duration = READ_EVERY;

    /// Loads the secrets, or the generated one, and the directory of key pairs; [`Error::Keys`] if that cannot be used.
    pub(in crate::app) fn load(config: &TokensConfig, clock: &Clock, failures: IntCounter) -> Result<Self, Error> {
        let secrets = secrets_of(&config.keys)?;
        let directory = KeyDirectory::new(&config.keys_dir);
        let snapshot = directory.snapshot()?;
        let contents = directory.parse(&snapshot)?;
        warn(&contents);
        let seen = contents.keys.iter().map(|key| (key.kid.clone(), None)).collect();
        let wanted = contents.index.signing.clone();
        let current = KeySet::new(&secrets, &config.audience, contents.keys, wanted.as_deref())?;
        Ok(Self {
            secrets,
            audience: config.audience.clone(),
            directory,
            clock: clock.clone(),
            current: RwLock::new(Arc::new(current)),
            derived: RwLock::default(),
            reading: Mutex::new(Reading { snapshot, seen, ..Reading::default() }),
            looks: Mutex::default(),
            looked: watch::Sender::default(),
            derived_looked: Mutex::default(),
            failures,
        })
    }

    /// The set is held no longer than a look takes.
    fn look<T>(&self, look: impl FnOnce(&KeySet) -> T) -> T {
        look(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How long a replica that starts has to wait before it may sign: other replicas may not have read a new key yet.
    pub fn settling(&self) -> Result<Duration, Error> {
        let Contents { index, .. } = self.directory.read()?;
        let signing = index.signing.as_deref().and_then(|kid| index.find(kid));
        let is_young = signing.is_some_and(|entry| entry.created_at.plus(YOUNG) > self.clock.now());
        Ok(if is_young { SETTLING } else { Duration::ZERO })
    }

    /// The key that signs tokens for an audience: of HS256 each audience has its own, since who verifies can sign.
    pub fn signing(&self, audience: &str) -> Result<Arc<AccessKey>, Error> {
        let signing = self.look(|set| Arc::clone(&set.signing));
        if signing.audience.as_deref().is_none_or(|own| own == audience) {
            return Ok(signing);
        }
        self.derive(audience).ok_or_else(|| Error::Internal("no secret to derive a key from".to_owned()))
    }

    /// What signs now.
    pub fn signing_algorithm(&self) -> SigningAlgorithm {
        self.look(|set| set.signing.algorithm)
    }

    /// Whether the key of this id is the one that signs for its audience.
    pub fn is_signing(&self, key: &AccessKey) -> bool {
        let audience = key.audience.as_deref().unwrap_or(&self.audience);
        self.signing(audience).is_ok_and(|signing| signing.kid == key.kid)
    }

    /// Every key that verifies, without those of other audiences.
    pub fn all(&self) -> Vec<Arc<AccessKey>> {
        self.look(|set| set.keys.values().cloned().collect())
    }

    /// The keys that everybody may know the public half of.
    pub fn published(&self) -> Vec<Arc<AccessKey>> {
        self.look(|set| set.published.clone())
    }

    /// The key of this exact id, if it may sign for `tokens.audience`.
    pub fn find(&self, kid: &str) -> Option<Arc<AccessKey>> {
        self.look(|set| set.keys.get(kid).cloned())
    }

    /// Whether this may be the id of a key pair that lies in the directory, and was not read yet.
    pub fn is_unread(&self, kid: &str) -> bool {
        PublicKey::is_thumbprint(kid) && self.find(kid).is_none()
    }

    /// What wakes the thread that calls [`AccessKeys::poll`].
    pub fn wake_by(&self, wake: Sender<()>) {
        self.looks.lock().wake = Some(wake);
    }

    /// Has the directory read again now, at most once a second, and waits for that, or for a reading that was asked for
    /// before.
    pub async fn look_again(&self) {
        let Some((number, patience)) = self.ask() else { return };
        let mut looked = self.looked.subscribe();
        drop(timeout(patience, looked.wait_for(|last| *last >= number)).await);
    }

    /// The look to wait for, and for how long; `None`: the last one is over, and the next one not due yet.
    fn ask(&self) -> Option<(u64, Duration)> {
        let mut looks = self.looks.lock();
        let now = self.clock.instant();
        if *self.looked.borrow() < looks.number {
            // It is on its way. Whoever comes while the volume hangs does not wait at all.
            let asked = looks.asked?;
            return Some((looks.number, PATIENCE.saturating_sub(now.saturating_duration_since(asked))));
        }
        if looks.asked.is_some_and(|asked| !is_long_ago(asked, now)) {
            return None;
        }
        looks.wake.as_ref()?.send(()).ok()?;
        looks.asked = Some(now);
        looks.number += 1;
        Some((looks.number, PATIENCE))
    }

    /// The key of another audience, if this replica knows that audience.
    pub fn find_derived(&self, kid: &str) -> Option<Arc<AccessKey>> {
        self.derived.read().unwrap_or_else(PoisonError::into_inner).get(kid).cloned()
    }

    /// Whether the database is to be asked for audiences, since no key is known by this id: once a second, as soon as
    /// it answered. Until then every request asks, since none may say of a good token that it is not.
    pub fn asks_for_audiences(&self, kid: &str) -> Option<Instant> {
        let now = self.clock.instant();
        let is_due =
            AccessKey::is_hs256_kid(kid) && self.derived_looked.lock().is_none_or(|last| is_long_ago(last, now));
        is_due.then_some(now)
    }

    /// Learns the keys of audiences, of which the database was asked at that time.
    pub fn learn<'a>(&self, audiences: impl Iterator<Item = &'a str>, asked: Instant) {
        for audience in audiences.filter(|audience| *audience != self.audience) {
            self.derive(audience);
        }
        let mut looked = self.derived_looked.lock();
        *looked = (*looked).max(Some(asked));
    }

    /// Derives an audience's key from every secret; the one of the secret that signs.
    fn derive(&self, audience: &str) -> Option<Arc<AccessKey>> {
        let derived = self.secrets.iter().map(|secret| {
            let key = AccessKey::hs256(&AccessKey::secret_for(secret, audience), audience);
            self.find_derived(&key.kid).unwrap_or_else(|| {
                let mut known = self.derived.write().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(known.entry(key.kid.clone()).or_insert_with(|| Arc::new(key)))
            })
        });
        derived.collect::<Vec<_>>().into_iter().next()
    }

    /// Reads the directory again, and takes in what changed. What cannot be used is logged, and the keys stay as they are.
    pub fn poll(&self) {
        // A look that is asked for from here on may come too late for the bytes that are read now.
        let number = self.looks.lock().number;
        self.read(&mut self.reading.lock());
        self.looked.send_replace(number);
    }

    fn read(&self, reading: &mut Reading) {
        let failed = match self.take_in(reading) {
            Ok(()) => {
                if reading.problem.take().is_some() {
                    log::info!(event = "signing_keys", outcome = "success"; "the signing keys can be read again");
                }
                return;
            }
            Err(error) => error.to_string(),
        };
        self.failures.inc();
        if reading.problem.as_ref() != Some(&failed) {
            log::error!(event = "signing_keys", outcome = "failure"; "the keys stay as they are: {failed}");
            reading.problem = Some(failed);
        }
    }

    fn take_in(&self, reading: &mut Reading) -> Result<(), Error> {
        let snapshot = self.directory.snapshot()?;
        let changed = snapshot != reading.snapshot;
        if !changed && !reading.settling {
            return Ok(());
        }
        if reading.snapshot.has_index() && !snapshot.has_index() {
            let index = self.directory.index_path();
            return Err(Error::Keys(format!("{} is gone; restore it from a backup", index.display())));
        }
        let contents = self.directory.parse(&snapshot)?;
        if changed {
            warn(&contents);
        }
        let now = self.clock.instant();
        let seen: HashMap<_, _> = contents
            .keys
            .iter()
            .map(|key| (key.kid.clone(), reading.seen.get(&key.kid).copied().unwrap_or(Some(now))))
            .collect();
        let before = Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner));
        let wanted = contents.index.signing.clone();
        let settled = wanted.as_ref().is_none_or(|kid| {
            let since = seen.get(kid).copied().flatten();
            since.is_none_or(|since| now.saturating_duration_since(since) >= SETTLING)
        });
        // Until then the one that signed goes on, unless it was dropped.
        let stays = !settled && (before.signing.public.is_none() || seen.contains_key(&before.signing.kid));
        let signing = if stays { before.signing.public.as_ref().map(|_| before.signing.kid.clone()) } else { wanted };
        let after = KeySet::new(&self.secrets, &self.audience, contents.keys, signing.as_deref())?;
        log_changes(&before, &after);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(after);
        *reading = Reading { snapshot, seen, settling: stays, problem: reading.problem.take() };
        Ok(())
    }
}

impl KeySet {
    /// `signing` names one of the pairs; `None`: the first secret signs.
    fn new(secrets: &[Secret], audience: &str, pairs: Vec<AccessKey>, signing: Option<&str>) -> Result<Self, Error> {
        let mut keys = HashMap::new();
        let mut first = None;
        for secret in secrets {
            let key = Arc::new(AccessKey::hs256(secret, audience));
            first.get_or_insert_with(|| Arc::clone(&key));
            keys.entry(key.kid.clone()).or_insert(key);
        }
        let published: Vec<Arc<AccessKey>> = pairs.into_iter().map(Arc::new).collect();
        keys.extend(published.iter().map(|key| (key.kid.clone(), Arc::clone(key))));
        let signing = match signing {
            Some(kid) => keys.get(kid).cloned(),
            None => first,
        };
        let signing = signing.ok_or_else(|| Error::Internal("no signing key".to_owned()))?;
        Ok(Self { keys, signing, published })
    }
}

/// Whether something that may happen once in [`LOOK_EVERY`] may happen again.
fn is_long_ago(last: Instant, now: Instant) -> bool {
    now.saturating_duration_since(last) >= LOOK_EVERY
}

fn warn(contents: &Contents) {
    for warning in &contents.warnings {
        log::warn!(event = "configuration_warning", key = "tokens.keys_dir"; "{warning}");
    }
}

fn log_changes(before: &KeySet, after: &KeySet) {
    for key in after.published.iter().filter(|key| !before.keys.contains_key(&key.kid)) {
        log::info!(event = "signing_key_added", kid = key.kid.as_str(), algorithm = key.algorithm.as_str(); "a key verifies from now on");
    }
    for key in before.published.iter().filter(|key| !after.keys.contains_key(&key.kid)) {
        log::info!(event = "signing_key_dropped", kid = key.kid.as_str(), algorithm = key.algorithm.as_str(); "a key is good no more");
    }
    if before.signing.kid != after.signing.kid {
        let signing = &after.signing;
        log::info!(event = "signing_key_changed", kid = signing.kid.as_str(), algorithm = signing.algorithm.as_str(); "another key signs from now on");
    }
}
