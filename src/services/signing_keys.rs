//! The key pairs of access tokens: making them, and which of them signs. Running replicas read what is written here.

use std::time::Duration;

use crate::app::{AccessKey, Entry, Index, KeyDirectory, KeyPair, secrets_of};
use crate::config::TokensConfig;
use crate::error::Error;
use crate::types::{Secret, SigningAlgorithm, Timestamp};

/// How long a replica may go on signing with a key after another one took over: it reads the index, and lets a new key
/// settle.
const REREAD: Duration = Duration::from_secs(2);

/// How far the clocks of the hosts may be apart: of the one that runs `tacit keys`, and of the replicas.
const CLOCKS: Duration = Duration::from_secs(30);

/// A key of access tokens, as operators see it.
#[derive(Debug)]
pub struct SigningKey {
    /// Names it in a token's header.
    pub kid: String,
    /// What it is for.
    pub algorithm: SigningAlgorithm,
    /// Whether it signs now; else it verifies only.
    pub signs: bool,
    /// When it was added; `None` for a secret of the configuration.
    pub created_at: Option<Timestamp>,
    /// When it last stopped signing.
    pub signed_until: Option<Timestamp>,
    /// From when on none of its tokens is good any more, and it may be retired; `None`: it signs, or is no key pair.
    pub retirable_at: Option<Timestamp>,
}

/// Adds a new key pair: it verifies and is published, and does not sign yet.
pub fn generate(directory: &KeyDirectory, algorithm: SigningAlgorithm, now: Timestamp) -> Result<Entry, Error> {
    if algorithm == SigningAlgorithm::Hs256 {
        return Err(Error::bad_request("HS256 has no key pair: its key is tokens.secret; generate EdDSA or ES256"));
    }
    let pair = KeyPair::generate(algorithm).ok_or_else(|| Error::Internal(format!("no {algorithm} key was made")))?;
    add(directory, &pair, now)
}

/// Adds a key pair that something else made, in a PEM file.
pub fn import(directory: &KeyDirectory, pem: &[u8], now: Timestamp) -> Result<Entry, Error> {
    let pair = KeyPair::from_pem(pem).map_err(|what| Error::bad_request(format!("the file {what}")))?;
    add(directory, &pair, now)
}

fn add(directory: &KeyDirectory, pair: &KeyPair, now: Timestamp) -> Result<Entry, Error> {
    let kid = pair.public.thumbprint();
    let entry = Entry { kid, alg: pair.public.algorithm(), created_at: now, signed_until: None, access_ttl: None };
    directory.update(|index| {
        if index.find(&entry.kid).is_some() {
            return Err(Error::bad_request(format!("{} is there already", entry.kid)));
        }
        if index.keys.len() >= Index::MAX_KEYS {
            return Err(Error::bad_request(format!("there are {} keys already; retire some", Index::MAX_KEYS)));
        }
        // The file first: an index never names what is not there.
        directory.write_pem(pair)?;
        index.keys.push(entry.clone());
        Ok(entry)
    })
}

/// Lets the newest key pair sign, or the newest of an algorithm; HS256: `tokens.secret` again, and `None` is told.
pub fn rotate(
    directory: &KeyDirectory,
    algorithm: Option<SigningAlgorithm>,
    access_ttl: Duration,
    now: Timestamp,
) -> Result<Option<Entry>, Error> {
    directory.update(|index| {
        // A key that cannot be read here cannot be read by a replica.
        directory.read()?;
        let newest = match algorithm {
            Some(SigningAlgorithm::Hs256) => None,
            Some(algorithm) => Some(newest(index, |entry| entry.alg == algorithm, &format!("--alg {algorithm}"))?),
            None => Some(newest(index, |_| true, "--alg EdDSA")?),
        };
        index.sign_with(newest.as_ref().map(|entry| entry.kid.clone()), access_ttl, now);
        Ok(newest)
    })
}

fn newest(index: &Index, wanted: impl Fn(&Entry) -> bool, option: &str) -> Result<Entry, Error> {
    let newest = index.keys.iter().rev().find(|entry| wanted(entry)).cloned();
    newest.ok_or_else(|| {
        Error::bad_request(format!("there is no such key; make one with `tacit keys generate {option}`"))
    })
}

/// Drops a key pair for good. Refused while it signs and, unless insisted on, while a token of it can be good.
pub fn retire(
    directory: &KeyDirectory,
    kid: &str,
    force: bool,
    access_ttl: Duration,
    now: Timestamp,
) -> Result<(), Error> {
    directory.update(|index| {
        let entry = index.find(kid).ok_or_else(|| Error::bad_request(format!("there is no key {kid}")))?;
        if index.signing.as_deref() == Some(kid) {
            return Err(Error::bad_request(format!("{kid} signs; let another one sign first: `tacit keys rotate`")));
        }
        let until = retirable_at(entry, access_ttl).filter(|until| *until > now);
        if let Some(until) = until.filter(|_| !force) {
            return Err(Error::bad_request(format!(
                "tokens that {kid} signed can be good until {}; retire it then, or now with --force",
                until.to_iso8601()
            )));
        }
        index.keys.retain(|entry| entry.kid != kid);
        Ok(())
    })
}

/// `access_ttl` as it is configured now; it may have been another when the key signed.
fn retirable_at(entry: &Entry, access_ttl: Duration) -> Option<Timestamp> {
    let longest = entry.access_ttl.map_or(access_ttl, |seconds| access_ttl.max(Duration::from_secs(seconds)));
    entry.signed_until.map(|at| at.plus(longest).plus(REREAD).plus(CLOCKS))
}

/// Every key: the secrets of the configuration, and then the key pairs as they were added.
pub fn list(directory: &KeyDirectory, config: &TokensConfig) -> Result<Vec<SigningKey>, Error> {
    let index = directory.read()?.index;
    let secrets = secrets_of(&config.keys)?;
    let secrets = secrets.iter().enumerate().map(|(position, secret)| SigningKey {
        kid: AccessKey::kid_of(secret),
        algorithm: SigningAlgorithm::Hs256,
        signs: position == 0 && index.signing.is_none(),
        created_at: None,
        signed_until: None,
        retirable_at: None,
    });
    let pairs = index.keys.iter().map(|entry| {
        let signs = index.signing.as_ref() == Some(&entry.kid);
        let stopped = retirable_at(entry, config.access_ttl);
        SigningKey {
            kid: entry.kid.clone(),
            algorithm: entry.alg,
            signs,
            created_at: Some(entry.created_at),
            signed_until: entry.signed_until,
            retirable_at: if signs { None } else { stopped.or(Some(entry.created_at)) },
        }
    });
    Ok(secrets.chain(pairs).collect())
}

/// The secret by which a backend of another audience than `tokens.audience` verifies HS256, and its id.
pub fn secret_for(config: &TokensConfig, audience: &str) -> Result<(String, Secret), Error> {
    if audience == config.audience {
        return Err(Error::bad_request(format!(
            "tokens for {audience}, which is tokens.audience, are signed with tokens.secret itself: give that, or better let a key pair sign (`tacit keys generate --alg EdDSA`)"
        )));
    }
    let secrets = secrets_of(&config.keys)?;
    let signing = secrets.first().ok_or_else(|| Error::Internal("no secret".to_owned()))?;
    let derived = AccessKey::secret_for(signing, audience);
    Ok((AccessKey::kid_of(&derived), derived))
}
