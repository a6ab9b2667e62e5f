//! The device cookie: says that somebody signed in to this account from here before. It signs nobody in.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::keys::Subject;
use crate::app::App;
use crate::types::{UserId, random_bytes};

const PURPOSE: &[u8] = b"tacit device";

/// What the cookie of a device that just signed in is to hold: the known one again, or a new one. `None`: the throttle
/// is off.
pub fn device_cookie(app: &App, user: UserId, presented: &[String]) -> Option<String> {
    if !app.config.throttle.enabled {
        return None;
    }
    let id =
        known_device(app, &Subject::User(user), presented).and_then(|known| known.split(' ').next().map(str::to_owned));
    let id = id.unwrap_or_else(|| BASE64_URL_SAFE_NO_PAD.encode(random_bytes::<16>()));
    let tag = BASE64_URL_SAFE_NO_PAD.encode(app.refresh_keys.tag(PURPOSE, bound(&id, user).as_bytes()));
    Some(format!("{id}.{tag}"))
}

/// The device of a cookie that was given out for this account, if one was presented.
pub(super) fn known_device(app: &App, subject: &Subject, presented: &[String]) -> Option<String> {
    let Subject::User(user) = subject else { return None };
    presented.iter().find_map(|cookie| {
        let (id, tag) = cookie.split_once('.')?;
        let tag = BASE64_URL_SAFE_NO_PAD.decode(tag).ok()?;
        let bound = bound(id, *user);
        app.refresh_keys.is_tag(PURPOSE, bound.as_bytes(), &tag).then_some(bound)
    })
}

/// The id is of base64's letters, so the space ends it.
fn bound(id: &str, user: UserId) -> String {
    format!("{id} {user}")
}
