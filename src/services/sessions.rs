//! Opening sessions, listing them and ending them.

use super::audit;
use super::refresh::IssuedRefresh;
use super::refresh_token::RefreshToken;
use super::tokens::{self, AccessToken};
use crate::app::App;
use crate::config::OnLimit;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::session::{self, Device, NewSession, RevokedReason, Session};
use crate::models::user::User;
use crate::types::{Event, EventName, SessionId, Timestamp, UserId, Words, random_bytes};

/// Most sessions that are listed; whoever has more ends them all at once.
const MAX_LISTED: i64 = 1000;

/// A session that was just opened, with its first tokens.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Whose it is.
    pub user: User,
    /// The first access token.
    pub access: AccessToken,
    /// The first refresh token.
    pub refresh: IssuedRefresh,
}

/// Opens a session, in the caller's transaction, which holds the user's row. `now` is the database's time.
///
/// A user who has as many sessions as are allowed loses the oldest, or is refused. The returned ids are those evicted;
/// the caller makes them known with [`note_revoked`] once the transaction has committed. `client_id` is whom its refresh
/// tokens are bound to, `scope` the most that its access tokens ever get.
pub fn open(
    app: &App,
    connection: &mut AnyConnection,
    user: &User,
    now: Timestamp,
    device: &Device,
    client_id: &str,
    scope: &Words,
) -> Result<(Opened, Vec<SessionId>), Error> {
    let evicted = make_room(app, connection, user.id)?;
    let limits = &app.config.sessions;
    let token = RefreshToken {
        session_id: SessionId::random(),
        generation: 0,
        expires_at: now.plus(limits.absolute_timeout),
        branch: random_bytes(),
        secret: random_bytes(),
    };
    let label = device.user_agent.as_deref().map(label_of);
    let row = session::insert(
        connection,
        &NewSession {
            id: token.session_id,
            user_id: user.id,
            secret_hash: &token.secret_hash(),
            now,
            expires_at: token.expires_at,
            idle_timeout: i64::try_from(limits.idle_timeout.as_secs()).unwrap_or(i64::MAX),
            user_agent: device.user_agent.as_deref(),
            ip: device.ip.as_deref(),
            label: label.as_deref(),
            client_id,
            scope,
        },
    )?;
    let access = tokens::mint(app, user, &row, 0, scope)?;
    let refresh = IssuedRefresh {
        text: token.encode(&app.refresh_keys),
        max_age: limits.absolute_timeout.min(limits.idle_timeout),
    };
    Ok((Opened { user: user.clone(), access, refresh }, evicted))
}

fn make_room(app: &App, connection: &mut AnyConnection, owner: UserId) -> Result<Vec<SessionId>, Error> {
    if session::count_of(connection, owner)? < i64::from(app.config.sessions.max_per_user) {
        return Ok(Vec::new());
    }
    // It gets tight: some of those counted may have idled out.
    let limit = usize::try_from(app.config.sessions.max_per_user).unwrap_or(usize::MAX);
    let live = list_live(connection, owner, i64::MAX)?;
    if live.len() < limit {
        return Ok(Vec::new());
    }
    if app.config.sessions.on_limit == OnLimit::Deny {
        return Err(Error::SessionLimit);
    }
    // Newest first: what stands beyond the limit, and the one that makes room.
    let oldest: Vec<SessionId> = live.iter().skip(limit.saturating_sub(1)).map(|session| session.id).collect();
    Ok(session::revoke_these(connection, &oldest, RevokedReason::Evicted)?)
}

/// A user's sessions as they are shown to their owner: the newest sign-ins, and in any case the one that asks.
pub fn list_own(connection: &mut AnyConnection, owner: UserId, current: SessionId) -> Result<Vec<Session>, Error> {
    let mut live = list_live(connection, owner, MAX_LISTED)?;
    if !live.iter().any(|session| session.id == current)
        && let Some((session, ..)) = session::find_now(connection, current)?
        && session.revoked_at.is_none()
    {
        live.push(session);
    }
    Ok(live)
}

/// Of a user's newest `limit` sessions those that could still refresh, newest sign-in first.
fn list_live(connection: &mut AnyConnection, owner: UserId, limit: i64) -> Result<Vec<Session>, Error> {
    let rows = session::list_of(connection, owner, limit)?;
    Ok(rows.into_iter().filter(|(session, now)| !session.is_expired(*now)).map(|(session, _)| session).collect())
}

/// Ends one of a user's own sessions; another's and an absent one are both [`Error::NotFound`].
pub fn end_own(app: &App, connection: &mut AnyConnection, owner: UserId, id: SessionId) -> Result<(), Error> {
    let outcome = audit::recorded(connection, |connection, events| {
        if session::revoke_own(connection, id, owner, RevokedReason::Logout)? == 0 {
            return Err(Error::NotFound);
        }
        events.extend(ended(Some(owner), &[id], RevokedReason::Logout));
        Ok(())
    });
    match &outcome {
        Ok(()) => note_revoked(app, &[id], RevokedReason::Logout),
        Err(Error::NotFound) => {
            audit::note(app, &Event::refused(EventName::AccessRefused).reason("session_not_found").subject(owner));
        }
        Err(_) => {}
    }
    outcome
}

/// Ends all of a user's sessions but `except`, at the user's own wish, and tells how many.
pub fn end_all(
    app: &App,
    connection: &mut AnyConnection,
    owner: UserId,
    except: Option<SessionId>,
) -> Result<usize, Error> {
    const REASON: RevokedReason = RevokedReason::Logout;
    let gone = audit::recorded(connection, |connection, events| {
        let gone = session::revoke_all_of(connection, owner, except, REASON)?;
        events.extend(ended(Some(owner), &gone, REASON));
        Ok(gone)
    })?;
    note_revoked(app, &gone, REASON);
    Ok(gone.len())
}

/// The event of sessions that ended together: one, however many they are; none for none.
pub fn ended(owner: Option<UserId>, ids: &[SessionId], reason: RevokedReason) -> Option<Event> {
    let event = Event::success(EventName::SessionEnded).reason(reason.as_str()).subject(owner);
    match ids {
        [] => None,
        [id] => Some(event.session(*id)),
        many => Some(event.detail("sessions", many.len())),
    }
}

/// Makes known on this replica at once what the others learn from the database within about a second.
pub fn note_revoked(app: &App, ids: &[SessionId], reason: RevokedReason) {
    app.revocations.add_sessions(ids, reason, app.clock.now());
}

/// What a person calls this device: "Firefox on Linux", or the program's own name.
fn label_of(user_agent: &str) -> String {
    const UNKNOWN: &str = "UNKNOWN";
    let known = woothee::parser::Parser::new()
        .parse(user_agent)
        .filter(|result| matches!(result.category, "pc" | "smartphone" | "mobilephone" | "appliance"))
        .filter(|result| result.name != UNKNOWN && result.os != UNKNOWN);
    match known {
        Some(result) => {
            let os = match result.os {
                "Mac OSX" => "macOS",
                os if os.starts_with("Windows") => "Windows",
                os => os,
            };
            format!("{} on {os}", result.name)
        }
        None => {
            let product = user_agent.split(['/', ' ']).next().unwrap_or_default();
            product.chars().filter(|c| !c.is_control()).take(64).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::label_of;

    #[test]
    fn a_device_is_labelled_as_people_call_it() {
        let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
        assert_eq!(label_of(firefox), "Firefox on Linux");
        let safari = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Mobile/15E148 Safari/604.1";
        assert_eq!(label_of(safari), "Safari on iPhone");
        assert_eq!(label_of("python-requests/2.31.0"), "python-requests");
        assert_eq!(label_of(""), "");
    }
}
