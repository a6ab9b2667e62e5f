//! The device cookie: says that somebody signed in to this account from here before. It signs nobody in.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::app::{App, RefreshKeys};
use crate::types::{UserId, random_bytes};

const PURPOSE: &[u8] = b"tacit device";

/// The account that knows a device: its id, and its password as it is now. Whoever gathered cookies while he knew an
/// older password has nothing left of them. A new hash of the same password has the same effect.
#[derive(Clone, Debug)]
pub struct Owner(String);

impl Owner {
    /// Of an account, with the hash of its password.
    pub fn new(id: UserId, password_hash: &str) -> Self {
        Self(format!("{id} {password_hash}"))
    }
}

/// What the cookie of a device that just signed in is to hold: the known one again, or a new one. `None`: the throttle
/// is off.
pub fn device_cookie(app: &App, owner: &Owner, presented: &[String]) -> Option<String> {
    if !app.config.throttle.enabled {
        return None;
    }
    let id = known_device(&app.refresh_keys, owner, presented);
    let id = id.unwrap_or_else(|| BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<16>()));
    let tag = BASE64_URL_SAFE_NO_PAD.encode(app.refresh_keys.tag(PURPOSE, bound(&id, owner).as_bytes()));
    Some(format!("{id}.{tag}"))
}

/// The device of a cookie that was given out for this account under this password, if one was presented.
pub fn known_device(keys: &RefreshKeys, owner: &Owner, presented: &[String]) -> Option<String> {
    presented.iter().find_map(|cookie| {
        let (id, tag) = cookie.split_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        keys.is_tag(PURPOSE, bound(id, owner).as_bytes(), &tag).then(|| id.to_owned())
    })
}

/// A cookie's value holds no space, so the first one ends the id.
fn bound(id: &str, owner: &Owner) -> String {
    format!("{id} {}", owner.0)
}
