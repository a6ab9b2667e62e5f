//! Whether both cookies arrive in a browser as Tacit made them, and no cache keeps them.

use super::client::NoAnswer;
use super::gateway::{Cookie, Gateway, Place, Session, SignIn, leaks, token_cookies};
use super::report::Report;
use crate::cli::Failure;

const PASS_THEM_ON: &str = "hand the browser every Set-Cookie header of Tacit's answer, each by itself and whatever status the \
                            API answers; examples/gateways shows how, the usual snippets keep one or none";

/// Signs in for the whole examination; without credentials, or if it cannot be done, there is no session.
pub(super) fn sign_in(gateway: &Gateway, report: &mut Report) -> Result<Option<Session>, Failure> {
    let path = gateway.own("/login");
    match gateway.sign_in() {
        Ok(None) => Ok(None),
        Ok(Some(SignIn::Done(session))) => {
            check_attributes(gateway, &path, &[&session.access, &session.refresh], report);
            Ok(Some(*session))
        }
        Ok(Some(SignIn::CookiesLost(arrived))) => {
            report.serious("cookie-dropped", format!("{path}: {arrived} of 2 cookies arrive."), PASS_THEM_ON);
            Ok(None)
        }
        Ok(Some(SignIn::Refused(answer))) if answer.body.contains("invalid_credentials") => {
            Err(Failure::Usage("the name or the password is wrong".to_owned()))
        }
        Ok(Some(SignIn::Refused(answer))) => {
            report.serious(
                "sign-in-failed",
                format!("{path} answers {} to a POST: nobody can sign in.", answer.status),
                "route /login to Tacit's public listener, with every method and the body; 403 means that the gateway adds or \
                 changes Origin or Sec-Fetch-Site, 429 that too many failed to sign in from its address",
            );
            Ok(None)
        }
        Err(no_answer) => {
            report.skip("what only a session shows", format!("signing in got no answer: {no_answer}"));
            Ok(None)
        }
    }
}

/// What was seen on all paths.
#[derive(Default)]
struct Seen {
    dropped: Vec<String>,
    unseen: Vec<String>,
    cacheable: Vec<String>,
    leaked: Vec<String>,
}

/// Lets each guarded path refresh a session of its own, and looks at what arrives.
pub(super) fn refresh(gateway: &Gateway, places: &[Place], report: &mut Report) {
    let mut seen = Seen::default();
    for place in places.iter().filter(|place| place.is_guarded) {
        let path = place.path.as_str();
        let outcome = match gateway.another_session() {
            Ok(None) => {
                report.skip("silent refresh", format!("{path}: signing in again did not work"));
                continue;
            }
            Ok(Some(session)) => refresh_at(gateway, path, &session, &mut seen, report)
                .and_then(|()| gateway.sign_out(&session).map(drop)),
            Err(no_answer) => Err(no_answer),
        };
        if let Err(no_answer) = outcome {
            report.skip("silent refresh", format!("{path}: no answer: {no_answer}"));
        }
    }
    seen.report(report);
}

fn refresh_at(
    gateway: &Gateway,
    path: &str,
    session: &Session,
    seen: &mut Seen,
    report: &mut Report,
) -> Result<(), NoAnswer> {
    let answer = gateway.client.get(path).header("Cookie", session.refresh.pair()).send()?;
    let arrived = token_cookies(&answer);
    if !arrived.is_empty() && !answer.header("cache-control").contains("no-store") {
        seen.cacheable.push(path.to_owned());
    }
    seen.leaked.extend(leaks(&answer).into_iter().map(|name| format!("{name} on {path}")));
    if arrived.len() == 2 {
        let both: Vec<&Cookie> = arrived.iter().collect();
        check_attributes(gateway, path, &both, report);
        return Ok(());
    }
    if answer.asks_to_sign_in() {
        seen.unseen.push(path.to_owned());
        return Ok(());
    }
    match was_rotated(gateway, session)? {
        Some(true) => {
            seen.dropped.push(format!("{path} answers {} with {} of 2 cookies", answer.status, arrived.len()));
        }
        Some(false) => {
            report
                .skip("silent refresh", format!("{path} never rotates: a mount like /verify/access, for slow routes"));
        }
        None => report.skip("silent refresh", format!("{path} set no cookie, and /refresh cannot tell why")),
    }
    Ok(())
}

impl Seen {
    fn report(self, report: &mut Report) {
        if !self.dropped.is_empty() {
            let what = format!("{}: people will be signed out.", self.dropped.join(", "));
            report.serious("cookie-dropped", what, PASS_THEM_ON);
        }
        if !self.unseen.is_empty() {
            report.serious(
                "session-not-seen",
                format!("{}: asks to sign in, although a good refresh cookie came.", self.unseen.join(", ")),
                "send /verify the browser's whole Cookie header, and let it refresh: Tacit's log says why it refused",
            );
        }
        if !self.cacheable.is_empty() {
            report.serious(
                "cacheable",
                format!(
                    "{}: an answer with new cookies may be kept by a cache, and given to others.",
                    self.cacheable.join(", ")
                ),
                "set Cache-Control: private, no-store on every answer to which cookies are added",
            );
        }
        if !self.leaked.is_empty() {
            report.grave(
                "tokens-in-answer",
                format!("{}: a script on the page can read it, and send it elsewhere.", self.leaked.join(", ")),
                "of what /verify answers, pass the identity headers and Authorization to the API only; the browser gets \
                 Set-Cookie",
            );
        }
    }
}

/// Whether a session's refresh token was rotated already: then refreshing with it anew does not rotate. `None`: /refresh
/// does not say.
fn was_rotated(gateway: &Gateway, session: &Session) -> Result<Option<bool>, NoAnswer> {
    let answer = gateway.client.post(&gateway.own("/refresh")).header("Cookie", session.refresh.pair()).send()?;
    Ok(match answer.header("x-auth-refresh") {
        "" => None,
        verdict => Some(verdict != "rotated"),
    })
}

/// Finds cookies that came otherwise than Tacit makes them, once.
fn check_attributes(gateway: &Gateway, path: &str, cookies: &[&Cookie], report: &mut Report) {
    let lacks = |cookie: &&&Cookie, attribute: &str| !cookie.line.split(';').any(|part| part.trim() == attribute);
    let insecure: Vec<&str> = cookies
        .iter()
        .filter(|cookie| gateway.is_https && (lacks(cookie, "Secure") || !cookie.name.starts_with("__Host-")))
        .map(|cookie| cookie.name.as_str())
        .collect();
    let altered: Vec<&str> = cookies
        .iter()
        .filter(|cookie| {
            let lower = cookie.line.to_ascii_lowercase();
            lacks(cookie, "HttpOnly")
                || lacks(cookie, "Path=/")
                || !lower.contains("; samesite=")
                || lower.contains("; domain=")
        })
        .map(|cookie| cookie.name.as_str())
        .collect();
    if !insecure.is_empty() && !report.has("insecure-cookies") {
        report.serious(
            "insecure-cookies",
            format!("{path} sets {} over https without Secure, or without the prefix __Host-.", insecure.join(" and ")),
            "set server.public_url to the https address that people type",
        );
    }
    if !altered.is_empty() && !report.has("cookie-altered") {
        report.serious(
            "cookie-altered",
            format!("{path} sets {} without HttpOnly, Path=/ or SameSite, or with a Domain.", altered.join(" and ")),
            "do not rewrite Tacit's cookies (nginx: proxy_cookie_domain, proxy_cookie_flags, proxy_cookie_path)",
        );
    }
}
