//! Verifies Tacit's access tokens in this process: no request to Tacit for a request of yours.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::jwk::{Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde::Deserialize;
use tokio::sync::Mutex;

/// Why a request is not let in.
#[derive(Debug, Clone, Copy)]
pub enum Error {
    /// This token is not good: 401.
    Refused,
    /// Whether it is good cannot be known right now: 503, never yes.
    Unavailable,
}

/// What a token of a user says. Those that a client gets for itself have no `sid` and no `ver`, and are refused here.
#[derive(Debug, Clone, Deserialize)]
pub struct Claims {
    /// The user's id, which never changes.
    pub sub: String,
    /// The name, if there is one.
    pub username: Option<String>,
    /// What the user is.
    pub role: String,
    /// The session.
    sid: String,
    /// The user's version.
    ver: i64,
}

/// A key, and the one algorithm that it is for: a token cannot choose another.
type Key = (DecodingKey, Algorithm);

/// The keys that verify tokens, by the name that a token's header gives.
pub enum Keys {
    /// HS256: the secrets that Tacit signs and verifies with. Whoever has one can also make tokens.
    Secrets(HashMap<String, Key>),
    /// EdDSA and ES256: the public keys at /.well-known/jwks.json. They verify, and cannot make a token.
    Published(Published),
}

impl Keys {
    /// From files that hold a secret each.
    pub fn secrets<'a>(paths: impl Iterator<Item = &'a str>) -> std::io::Result<Self> {
        let mut keys = HashMap::new();
        for path in paths {
            let text = std::fs::read_to_string(path)?;
            let secret = text.trim().as_bytes();
            keys.insert(kid(secret), (DecodingKey::from_secret(secret), Algorithm::HS256));
        }
        Ok(Self::Secrets(keys))
    }

    async fn find(&self, kid: &str) -> Result<Key, Error> {
        match self {
            Self::Secrets(keys) => keys.get(kid).cloned().ok_or(Error::Refused),
            Self::Published(published) => published.find(kid).await,
        }
    }
}

/// How Tacit names a secret in a token's header: 16 hex digits of its HMAC.
fn kid(secret: &[u8]) -> String {
    let mac = Hmac::<sha2::Sha256>::new_from_slice(secret).map(|mac| mac.chain_update("tacit kid").finalize());
    let digest = mac.map(|mac| mac.into_bytes().to_vec()).unwrap_or_default();
    let first = digest.first_chunk().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}

/// Keys that are fetched: every five minutes, so that a retired one is forgotten, and for an unknown one at once, but only
/// once a second, since anybody can name unknown keys.
pub struct Published {
    url: String,
    http: reqwest::Client,
    known: RwLock<Known>,
    last: Mutex<Attempt>,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Key>,
    fetched: Option<Instant>,
}

#[derive(Default)]
struct Attempt {
    at: Option<Instant>,
    failed: bool,
}

fn is_older(at: Option<Instant>, age: Duration) -> bool {
    at.is_none_or(|at| at.elapsed() > age)
}

impl Published {
    const MAX_AGE: Duration = Duration::from_secs(300);
    const COOLDOWN: Duration = Duration::from_secs(1);

    /// Nothing is fetched before the first token.
    pub fn new(url: String, http: reqwest::Client) -> Self {
        Self { url, http, known: RwLock::default(), last: Mutex::default() }
    }

    /// The key, and whether it is time to fetch.
    fn known(&self, kid: &str) -> (Option<Key>, bool) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let key = known.keys.get(kid).cloned();
        let wanted = key.is_none() || is_older(known.fetched, Self::MAX_AGE);
        (key, wanted)
    }

    async fn find(&self, kid: &str) -> Result<Key, Error> {
        if let (Some(key), false) = self.known(kid) {
            return Ok(key);
        }
        let mut last = self.last.lock().await;
        if is_older(last.at, Self::COOLDOWN) {
            last.at = Some(Instant::now());
            last.failed = self.fetch().await.is_err();
        }
        let (key, _) = self.known(kid);
        key.ok_or(if last.failed { Error::Unavailable } else { Error::Refused })
    }

    async fn fetch(&self) -> reqwest::Result<()> {
        let set: JwkSet = self.http.get(&self.url).send().await?.error_for_status()?.json().await?;
        let keys = set.keys.iter().filter_map(usable).collect();
        let fetched = Some(Instant::now());
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { keys, fetched };
        Ok(())
    }
}

fn usable(jwk: &Jwk) -> Option<(String, Key)> {
    let algorithm: Algorithm = jwk.common.key_algorithm?.to_string().parse().ok()?;
    Some((jwk.common.key_id.clone()?, (DecodingKey::from_jwk(jwk).ok()?, algorithm)))
}

/// What Tacit ended before its time.
pub struct Revocations {
    heard: RwLock<Heard>,
    max_age: Duration,
    keep: Duration,
}

/// Sessions, and users with their version, each with the moment at which it was last listed.
#[derive(Default)]
struct Heard {
    at: Option<Instant>,
    sessions: HashMap<String, Instant>,
    users: HashMap<String, (i64, Instant)>,
}

#[derive(Deserialize)]
struct Feed {
    sessions: Vec<Session>,
    users: Vec<User>,
}

#[derive(Deserialize)]
struct Session {
    sid: String,
}

#[derive(Deserialize)]
struct User {
    sub: String,
    ver: i64,
}

impl Revocations {
    /// After news. Of several replicas one has it up to a second before the others, and each would answer at once.
    const PAUSE: Duration = Duration::from_millis(250);

    /// `max_age`: how long what was heard last counts while Tacit is away. After that nobody is let in. `keep`: how long what
    /// was listed is remembered, for as long as a token of it could be good.
    pub fn new(max_age: Duration, keep: Duration) -> Self {
        Self { heard: RwLock::default(), max_age, keep }
    }

    /// Asks for ever. Tacit waits with its answer until there is news, at most `wait`.
    pub async fn follow(&self, http: &reqwest::Client, url: &str, client: &(String, String), wait: Duration) {
        let mut etag = String::new();
        loop {
            match self.ask(http, url, client, wait, &mut etag).await {
                Ok(true) => tokio::time::sleep(Self::PAUSE).await,
                Ok(false) => {}
                Err(_) => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    /// Whether there was news.
    async fn ask(
        &self,
        http: &reqwest::Client,
        url: &str,
        (id, secret): &(String, String),
        wait: Duration,
        etag: &mut String,
    ) -> reqwest::Result<bool> {
        let request = http.get(format!("{url}?wait={}", wait.as_secs())).basic_auth(id, Some(secret));
        let timeout = wait + Duration::from_secs(10);
        let answer =
            request.header("If-None-Match", etag.as_str()).timeout(timeout).send().await?.error_for_status()?;
        let at = Instant::now();
        if answer.status() == 304 {
            self.heard.write().unwrap_or_else(PoisonError::into_inner).at = Some(at);
            return Ok(false);
        }
        let tag = answer.headers().get("ETag").and_then(|tag| tag.to_str().ok()).unwrap_or_default().to_owned();
        self.add(answer.json().await?, at);
        *etag = tag;
        Ok(true)
    }

    /// What is not listed any more stays for a while: this may be the answer of a replica that knows less.
    fn add(&self, Feed { sessions, users }: Feed, at: Instant) {
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        heard.at = Some(at);
        heard.sessions.retain(|_, listed| at.duration_since(*listed) < self.keep);
        heard.users.retain(|_, (_, listed)| at.duration_since(*listed) < self.keep);
        heard.sessions.extend(sessions.into_iter().map(|session| (session.sid, at)));
        for User { sub, ver } in users {
            let known = heard.users.entry(sub).or_insert((ver, at));
            *known = (known.0.max(ver), at);
        }
    }

    fn check(&self, claims: &Claims) -> Result<(), Error> {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner);
        if is_older(heard.at, self.max_age) {
            return Err(Error::Unavailable);
        }
        // A version is raised when a user is disabled, gets another role or another name.
        let is_stale = heard.users.get(&claims.sub).is_some_and(|(ver, _)| claims.ver < *ver);
        if is_stale || heard.sessions.contains_key(&claims.sid) { Err(Error::Refused) } else { Ok(()) }
    }
}

/// The rules by which a token is good.
pub struct Verifier {
    /// Who mints the tokens.
    pub issuer: String,
    /// Whom they are for.
    pub audience: String,
    /// What verifies them.
    pub keys: Keys,
    /// What ended early.
    pub revocations: Revocations,
}

impl Verifier {
    /// The claims of a good token of a user.
    pub async fn verify(&self, token: &str) -> Result<Claims, Error> {
        let header = decode_header(token).map_err(|_| Error::Refused)?;
        if header.typ.as_deref() != Some("at+jwt") || header.crit.is_some() {
            return Err(Error::Refused);
        }
        let (key, algorithm) = self.keys.find(header.kid.as_deref().ok_or(Error::Refused)?).await?;
        let mut rules = Validation::new(algorithm);
        rules.leeway = 0;
        rules.validate_nbf = true;
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[&self.audience]);
        // Without this line a token without an issuer or an audience would do.
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims = decode::<Claims>(token, &key, &rules).map_err(|_| Error::Refused)?.claims;
        self.revocations.check(&claims)?;
        Ok(claims)
    }
}
