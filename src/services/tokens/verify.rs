use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use serde::Deserialize;

use super::{Claims, ClientClaims, TYPE};
use crate::app::{AccessKey, App};
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::client;
use crate::types::Words;

/// Longer texts are no tokens of ours and are not looked at, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// Whose token it is that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verified {
    /// A user's.
    User(Box<Claims>),
    /// A client's own. Whom it is for is for the asker to judge: clients have audiences of their own.
    Client(Box<ClientClaims>),
}

/// Why a token is not good. The world is told less; `tacit token explain` tells all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Not three non-empty base64url parts joined by dots.
    Shape,
    /// The header is no JSON object of exactly alg, typ and kid: anything more (jwk, jku, x5c, crit) is refused.
    Header,
    /// typ is not at+jwt.
    Type,
    /// No key has this kid.
    UnknownKey,
    /// The key is for another algorithm.
    Algorithm,
    /// The signature is not the key's.
    Signature,
    /// A claim is missing or of the wrong type.
    Claims,
    /// iss is another's.
    Issuer,
    /// aud is another's.
    Audience,
    /// aud is not the one that the key is for.
    KeyOfAnotherAudience,
    /// nbf lies in the future.
    NotYetValid,
    /// exp has passed; all else is good.
    Expired(Box<Claims>),
    /// The same of a client's own token.
    ClientExpired(Box<ClientClaims>),
}

/// Our tokens' header and nothing else: unknown members and duplicate ones fail to parse.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: Algorithm,
    typ: String,
    kid: String,
}

/// Checks a user's token by every rule: shape, header, key, signature, and only then the claims. No leeway. A client's own
/// token lacks a user's claims, and is refused.
pub fn verify(app: &App, text: &str) -> Result<Claims, Flaw> {
    let (payload, key) = signed_payload(text, |kid| app.access_keys.find(kid))?;
    check_user(app, &key, parse_part(payload).ok_or(Flaw::Claims)?)
}

/// The same for a token of a user or of a client itself, for whatever audience the client is allowed.
pub fn verify_any(app: &App, connection: &mut AnyConnection, text: &str) -> Result<Result<Verified, Flaw>, Error> {
    learn_audiences(app, connection, text)?;
    let known = |kid: &str| app.access_keys.find_derived(kid).or_else(|| app.access_keys.find(kid));
    Ok(signed_payload(text, known).and_then(|(payload, key)| {
        if let Some(claims) = parse_part(payload) {
            return check_user(app, &key, claims).map(|claims| Verified::User(Box::new(claims)));
        }
        check_client(app, &key, parse_part(payload).ok_or(Flaw::Claims)?)
    }))
}

/// Whether a token names a key pair that this replica has not read yet, or that nobody has.
pub fn names_unread_key(app: &App, text: &str) -> bool {
    let header = split(text).and_then(|(header, ..)| parse_part::<StrictHeader>(header));
    header.is_some_and(|header| app.access_keys.is_unread(&header.kid))
}

/// The key that a token names, if it is known: nothing is said of its signature.
pub fn named_key(app: &App, text: &str) -> Option<Arc<AccessKey>> {
    let header: StrictHeader = parse_part(split(text)?.0)?;
    app.access_keys.find_derived(&header.kid).or_else(|| app.access_keys.find(&header.kid))
}

/// Other audiences than our own have keys of their own while HS256 signs. They are derived, and found by their id all the
/// same: a key that this replica has not met is that of an audience which the database names, or of none.
fn learn_audiences(app: &App, connection: &mut AnyConnection, text: &str) -> Result<(), Error> {
    let Some(header) = split(text).and_then(|(header, ..)| parse_part::<StrictHeader>(header)) else { return Ok(()) };
    let keys = &app.access_keys;
    let known = keys.find_derived(&header.kid).is_some() || keys.find(&header.kid).is_some();
    if !known && let Some(asked) = keys.asks_for_audiences(&header.kid) {
        let audiences: Vec<Words> = client::list(connection)?.iter().map(client::Client::audiences).collect();
        keys.learn(audiences.iter().flat_map(Words::iter), asked);
    }
    Ok(())
}

/// The payload, still encoded, of a token whose header and signature are good, and the key that signed it.
#[expect(clippy::disallowed_methods, reason = "the one home of signatures")]
fn signed_payload(
    text: &str,
    find: impl FnOnce(&str) -> Option<Arc<AccessKey>>,
) -> Result<(&str, Arc<AccessKey>), Flaw> {
    let (header, payload, signature) = split(text).ok_or(Flaw::Shape)?;
    let Some(header) = parse_part::<StrictHeader>(header) else {
        return Err(if is_shaped(text) { Flaw::Header } else { Flaw::Shape });
    };
    if header.typ != TYPE {
        return Err(Flaw::Type);
    }
    let key = find(&header.kid).ok_or(Flaw::UnknownKey)?;
    let algorithm = key.algorithm.into();
    if header.alg != algorithm {
        return Err(Flaw::Algorithm);
    }
    let signed = text.len() - signature.len() - 1;
    let signed = text.as_bytes().get(..signed).ok_or(Flaw::Shape)?;
    if !jsonwebtoken::crypto::verify(signature, signed, &key.decoding, algorithm).unwrap_or(false) {
        return Err(if is_shaped(text) { Flaw::Signature } else { Flaw::Shape });
    }
    Ok((payload, key))
}

/// Whether a key may have signed for this audience: whoever verifies by HS256 can sign, so such a key is good for one.
fn is_for(key: &AccessKey, audience: &str) -> bool {
    key.audience.as_deref().is_none_or(|own| own == audience)
}

fn check_client(app: &App, key: &AccessKey, claims: ClientClaims) -> Result<Verified, Flaw> {
    if claims.sub != claims.client_id {
        return Err(Flaw::Claims);
    }
    if claims.iss != app.config.tokens.issuer {
        return Err(Flaw::Issuer);
    }
    if !is_for(key, &claims.aud) {
        return Err(Flaw::KeyOfAnotherAudience);
    }
    if app.clock.now().unix_seconds() >= claims.exp {
        return Err(Flaw::ClientExpired(Box::new(claims)));
    }
    Ok(Verified::Client(Box::new(claims)))
}

fn check_user(app: &App, key: &AccessKey, claims: Claims) -> Result<Claims, Flaw> {
    if claims.iss != app.config.tokens.issuer {
        return Err(Flaw::Issuer);
    }
    if claims.aud != app.config.tokens.audience {
        return Err(Flaw::Audience);
    }
    if !is_for(key, &claims.aud) {
        return Err(Flaw::KeyOfAnotherAudience);
    }
    let now = app.clock.now().unix_seconds();
    if claims.nbf.is_some_and(|nbf| nbf > now) {
        return Err(Flaw::NotYetValid);
    }
    if now >= claims.exp {
        return Err(Flaw::Expired(Box::new(claims)));
    }
    Ok(claims)
}

/// Three non-empty parts. What stands in them is looked at only when something is wrong with it: see [`is_shaped`].
fn split(text: &str) -> Option<(&str, &str, &str)> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let (message, signature) = text.rsplit_once('.')?;
    let (header, payload) = message.split_once('.')?;
    let complete = !header.is_empty() && !payload.is_empty() && !signature.is_empty() && !payload.contains('.');
    complete.then_some((header, payload, signature))
}

/// Whether every character is one of base64url's, or a dot.
fn is_shaped(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn parse_part<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    // RFC 7519, section 7.2: UTF-8 all through, also in members that nobody here knows.
    let json = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()?;
    // serde would also read a struct from an array.
    if !json.starts_with('{') {
        return None;
    }
    serde_json::from_str(&json).ok()
}
