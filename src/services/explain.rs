//! Why a token is good or not, in plain words, for an operator who holds it.

use super::refresh;
use super::refresh_token::{RefreshToken, Unusable};
use super::tokens::{self, Claims, ClientClaims, Flaw, Verified};
use crate::app::App;
use crate::error::Error;
use crate::models::AnyConnection;
use crate::models::client;
use crate::models::session;
use crate::models::user;
use crate::types::{SessionId, Timestamp};

/// What there is to say of a token.
#[derive(Debug)]
pub struct Explanation {
    /// Whether it would be accepted now.
    pub good: bool,
    /// Sentences, in the order in which things were checked.
    pub lines: Vec<String>,
}

/// Explains an access or a refresh token.
pub fn explain(app: &App, connection: &mut AnyConnection, text: &str) -> Result<Explanation, Error> {
    if text.starts_with("rt1_") {
        explain_refresh_token(app, connection, text)
    } else {
        explain_access_token(app, connection, text)
    }
}

fn explain_access_token(app: &App, connection: &mut AnyConnection, text: &str) -> Result<Explanation, Error> {
    let (mut good, claims, first) = match tokens::verify_any(app, connection, text)? {
        Ok(Verified::User(claims)) => {
            (true, Some(*claims), "Its signature, issuer, audience and lifetime are good.".to_owned())
        }
        Ok(Verified::Client(claims)) => return explain_client(connection, &claims, explain_key(app, text)),
        Err(flaw) => {
            let sentence = sentence(app, &flaw);
            let claims = if let Flaw::Expired(claims) = flaw { Some(*claims) } else { None };
            (false, claims, sentence)
        }
    };
    let mut lines = vec!["This is an access token.".to_owned()];
    lines.extend(explain_key(app, text));
    lines.push(first);
    if let Some(claims) = claims {
        good &= explain_session(connection, claims.sid, &mut lines)?;
        good &= explain_version(connection, &claims, &mut lines)?;
    }
    Ok(Explanation { good, lines })
}

/// Which of our keys it names; nothing where that is unknown.
fn explain_key(app: &App, text: &str) -> Option<String> {
    let key = tokens::named_key(app, text)?;
    let does = if app.access_keys.is_signing(&key) { "signs" } else { "still verifies" };
    let whose = key.audience.as_deref().map(|audience| format!(" for the audience {audience}")).unwrap_or_default();
    Some(format!("It names the key {} of {}{whose}, which {does}.", key.kid, key.algorithm))
}

fn explain_client(
    connection: &mut AnyConnection,
    claims: &ClientClaims,
    key: Option<String>,
) -> Result<Explanation, Error> {
    let client = client::find(connection, &claims.client_id)?;
    let good = client.as_ref().is_some_and(|client| !client.disabled);
    let owner = match client {
        Some(client) if good => format!("It belongs to the client {} itself, and is for {}.", client.name, claims.aud),
        Some(client) => format!("Its client, {}, is disabled.", client.name),
        None => "The database does not know its client.".to_owned(),
    };
    let first =
        "This is an access token of a client itself: no user, and so refused at every route for users.".to_owned();
    let good_so_far = "Its signature, issuer and lifetime are good.".to_owned();
    let lines = [first].into_iter().chain(key).chain([good_so_far, owner]).collect();
    Ok(Explanation { good, lines })
}

fn ran_out(exp: i64) -> String {
    format!("It ran out at {}.", Timestamp::from_unix_seconds(exp).to_iso8601())
}

fn sentence(app: &App, flaw: &Flaw) -> String {
    let tokens = &app.config.tokens;
    match flaw {
        Flaw::Shape => "It is not three base64url parts joined by dots: not a JWT at all, or cut in copying.".to_owned(),
        Flaw::Header => "Its header is not exactly alg, typ and kid: another service made it, or somebody altered it.".to_owned(),
        Flaw::Type => "Its typ is not at+jwt: it is no access token of ours.".to_owned(),
        Flaw::UnknownKey => "Its kid names none of our keys: it was signed with another secret, or with one that was dropped from tokens.previous_secrets, or with a key pair that is not, or no more, in tokens.keys_dir (`tacit keys list`).".to_owned(),
        Flaw::Algorithm => "Its alg is not the algorithm of the key that its kid names.".to_owned(),
        Flaw::Signature => "Its signature is wrong: it was altered, or signed with another secret.".to_owned(),
        Flaw::Claims => "A claim is missing or of the wrong type.".to_owned(),
        Flaw::Issuer => format!("Its iss is not {}: check tokens.issuer and server.public_url on every replica.", tokens.issuer),
        Flaw::Audience => format!("Its aud is not {}: check tokens.audience.", tokens.audience),
        Flaw::KeyOfAnotherAudience => "Its aud is not the one that its key is for: whoever made it holds the key of another audience.".to_owned(),
        Flaw::NotYetValid => "Its nbf lies in the future: check the clocks.".to_owned(),
        Flaw::Expired(claims) => ran_out(claims.exp),
        Flaw::ClientExpired(claims) => ran_out(claims.exp),
    }
}

fn explain_session(connection: &mut AnyConnection, id: SessionId, lines: &mut Vec<String>) -> Result<bool, Error> {
    let Some((session, user, now)) = session::find_now(connection, id)? else {
        lines.push(format!("The database holds no session {id}: it is another database, or the session was purged."));
        return Ok(false);
    };
    if let (Some(reason), Some(at)) = (session.revocation(), session.revoked_at) {
        lines.push(format!("Its session was ended at {} (reason: {}).", at.to_iso8601(), reason.as_str()));
        return Ok(false);
    }
    if session.is_expired(now) {
        let limit = session.expires_at.min(session.idle_at());
        lines.push(format!("Its session ended by itself at {}.", limit.to_iso8601()));
        return Ok(false);
    }
    match user {
        None => lines.push("Its user was deleted.".to_owned()),
        Some(user) if user.disabled => lines.push(format!("Its user, {}, is disabled.", user.display_name())),
        Some(user) => {
            lines.push(format!(
                "Its session lives, in generation {}, and belongs to {}.",
                session.generation,
                user.display_name()
            ));
            return Ok(true);
        }
    }
    Ok(false)
}

fn explain_version(connection: &mut AnyConnection, claims: &Claims, lines: &mut Vec<String>) -> Result<bool, Error> {
    match user::find(connection, claims.sub)? {
        Some(user) if user.version > claims.ver => {
            lines.push("Its user's role, name, password or state changed after it was minted: it is stale, and a refresh replaces it.".to_owned());
            Ok(false)
        }
        _ => Ok(true),
    }
}

fn explain_refresh_token(app: &App, connection: &mut AnyConnection, text: &str) -> Result<Explanation, Error> {
    let mut lines = vec!["This is a refresh token.".to_owned()];
    let token = match RefreshToken::decode(&app.refresh_keys, text, app.clock.now()) {
        Ok(token) => token,
        Err(Unusable::Invalid) => {
            lines.push(
                "Its MAC is wrong: it was cut or altered, or signed with another secret than those of [sessions]."
                    .to_owned(),
            );
            return Ok(Explanation { good: false, lines });
        }
        Err(Unusable::Expired) => {
            lines.push("Its session's absolute limit has passed.".to_owned());
            return Ok(Explanation { good: false, lines });
        }
    };
    lines.push(format!("Its MAC is good; it is of generation {} of session {}.", token.generation, token.session_id));
    let lives = explain_session(connection, token.session_id, &mut lines)?;
    let Some((session, _, now)) = session::find_now(connection, token.session_id)? else {
        return Ok(Explanation { good: false, lines });
    };
    if !token.is_of(&session) {
        lines.push(
            "Its secret part is not the session's: somebody else made it with our key, or the database is another one."
                .to_owned(),
        );
        return Ok(Explanation { good: false, lines });
    }
    if !lives {
        return Ok(Explanation { good: false, lines });
    }
    let theft = refresh::would_be_theft(app, &token, &session, now);
    match session.generation.saturating_sub(token.generation) {
        1 if theft => lines.push("It is of the generation before, and of a branch that died when another one was rotated, or its successor was seen and the window has passed.".to_owned()),
        1 => lines.push("It is the predecessor of the current generation: within its rules it is still answered.".to_owned()),
        behind if behind > 1 => lines.push(format!("It is {behind} generations old.")),
        _ => {}
    }
    if theft {
        lines.push("Presenting it would count as theft and end the session.".to_owned());
    }
    Ok(Explanation { good: !theft, lines })
}
