//! The steps that every sign-in with a password shares: look up, hash on the hashing pool, open the session.

use actix_web::HttpRequest;

use super::shared::Shared;
use super::{cookies, request};
use crate::app::Ticket;
use crate::error::Error;
use crate::logging;
use crate::models::user::User;
use crate::services::log_in::{self, Attempt, Outcome};
use crate::services::passwords::Checked;
use crate::services::refresh_token::RefreshToken;
use crate::services::scopes::Asking;
use crate::services::sessions::Opened;
use crate::services::throttle::{self, Blocked, Client, Reservation, Subject};
use crate::types::{Event, EventName, Identifier, Password};

/// How often an account may change under a sign-in before it is given up.
const ATTEMPTS: usize = 3;

/// Who tries, for the throttle: with the devices that the cookies name. POST /token reads no cookie.
pub fn client(shared: &Shared, request: &HttpRequest) -> Client {
    let devices = cookies::devices(request, &shared.app.config.cookies);
    Client::new(request::address(request), devices)
}

/// What somebody signs in with.
pub struct SignIn {
    /// Names the caller in metrics.
    pub route: &'static str,
    /// `None`: a name that nobody can have.
    pub identifier: Option<Identifier>,
    /// As typed.
    pub password: Password,
    /// Who tries, for the throttle.
    pub client: Client,
    /// The refresh tokens that the browser still holds.
    pub replaced: Vec<RefreshToken>,
    /// For whom and for what scope.
    pub asking: Asking,
}

/// Signs somebody in.
pub async fn sign_in(shared: &Shared, request: &HttpRequest, sign_in: SignIn) -> Result<Opened, Error> {
    let route = sign_in.route;
    let mut subject = None;
    let outcome = try_sign_in(shared, request, sign_in, &mut subject).await;
    let metrics = &shared.app.metrics;
    match &outcome {
        Ok(_) => metrics.sign_ins.with_label_values(&[route]).inc(),
        Err(error) => {
            let reason = match error {
                Error::InvalidCredentials => "invalid_credentials",
                Error::SessionLimit => "session_limit",
                Error::InvalidScope => "invalid_scope",
                Error::Throttled { .. } => "throttled",
                Error::Overloaded => "overloaded",
                _ => "unavailable",
            };
            metrics.sign_in_failures.with_label_values(&[reason]).inc();
            note_failure(shared, request, EventName::SignIn, reason, subject.as_ref());
        }
    }
    outcome
}

/// Whose password was wrong stands there as an id or a keyed hash: people type passwords where names belong.
fn note_failure(
    shared: &Shared,
    request: &HttpRequest,
    name: EventName,
    reason: &'static str,
    subject: Option<&Subject>,
) {
    let event = Event::failure(name, reason).subject(subject.and_then(Subject::user));
    match subject {
        Some(subject) => shared.note(request, &event.account(throttle::account_tag(&shared.app, subject))),
        // Nothing was checked: the throttle has noted why, or the service itself was not up to it.
        None => logging::within(request::log_context(request), || logging::event(&event)),
    }
}

/// Tells in `subject` whose password was checked, once it comes to that.
async fn try_sign_in(
    shared: &Shared,
    request: &HttpRequest,
    sign_in: SignIn,
    subject: &mut Option<Subject>,
) -> Result<Opened, Error> {
    let SignIn { identifier, password, client, replaced, asking, .. } = sign_in;
    let (attempt, identifier) = shared
        .blocking(request, move |app, connection| {
            let attempt = log_in::begin(app, connection, identifier.as_ref())?;
            Ok((attempt, identifier))
        })
        .await?;
    let client = client.known_to(&shared.app, attempt.owner.as_ref());
    let (_ticket, reservation) = admit(shared, request, &attempt.subject, &client).await?;
    let checked = attempt.subject.clone();
    let outcome = check_and_finish(shared, request, identifier, attempt, password, replaced, asking).await;
    if let Err(Error::InvalidCredentials | Error::SessionLimit | Error::InvalidScope) = outcome {
        *subject = Some(checked);
    }
    settle(shared, request, reservation, outcome).await
}

/// Takes the throttle's units when it is this attempt's turn. The ticket is to be kept until they are settled.
///
/// Attempts under way hold units too. So whoever finds none left asks once more when no other attempt on the account or
/// from the address is under way in this process; only then it is throttled. While it waits it holds neither units nor a
/// connection.
async fn admit(
    shared: &Shared,
    request: &HttpRequest,
    subject: &Subject,
    client: &Client,
) -> Result<(Ticket, Reservation), Error> {
    let mut ticket = shared.app.gate.join(throttle::lines(&shared.app, subject, client))?;
    ticket.turn().await?;
    let reservation = match reserve(shared, request, subject, client).await? {
        Err(blocked) if !ticket.is_alone(blocked.line()) => {
            ticket.alone(blocked.line()).await?;
            reserve(shared, request, subject, client).await?
        }
        reserved => reserved,
    };
    let refuse = |blocked: Blocked| blocked.refuse(&shared.app, subject);
    let reservation =
        reservation.map_err(|blocked| logging::within(request::log_context(request), || refuse(blocked)))?;
    ticket.share();
    Ok((ticket, reservation))
}

async fn reserve(
    shared: &Shared,
    request: &HttpRequest,
    subject: &Subject,
    client: &Client,
) -> Result<Result<Reservation, Blocked>, Error> {
    let (subject, client) = (subject.clone(), client.clone());
    shared.blocking(request, move |app, connection| throttle::reserve(app, connection, &subject, &client)).await
}

async fn check_and_finish(
    shared: &Shared,
    request: &HttpRequest,
    identifier: Option<Identifier>,
    mut attempt: Attempt,
    password: Password,
    replaced: Vec<RefreshToken>,
    asking: Asking,
) -> Result<Opened, Error> {
    for _ in 0..ATTEMPTS {
        let checked = check(shared, attempt.clone(), password.clone()).await?;
        if !checked.correct {
            return Err(Error::InvalidCredentials);
        }
        let device = request::device(request);
        let (old, wanted, asking) = (replaced.clone(), identifier.clone(), asking.clone());
        let finished = shared
            .blocking(request, move |app, connection| {
                Ok(match log_in::finish(app, connection, &attempt, &checked, &device, &old, &asking)? {
                    Outcome::Opened(opened) => Ok(opened),
                    Outcome::Changed => Err(log_in::begin(app, connection, wanted.as_ref())?),
                })
            })
            .await?;
        match finished {
            Ok(opened) => return Ok(*opened),
            Err(anew) => attempt = anew,
        }
    }
    Err(Error::Database("an account changed under every one of several attempts to sign in".to_owned()))
}

/// Gives the throttle's units back unless the password was wrong. A client that resets its connection first gets none back:
/// then nobody is left to do it.
async fn settle<T>(
    shared: &Shared,
    request: &HttpRequest,
    reservation: Reservation,
    outcome: Result<T, Error>,
) -> Result<T, Error> {
    if !matches!(outcome, Err(Error::InvalidCredentials)) && !reservation.is_empty() {
        let refund = shared.blocking(request, move |_, connection| throttle::refund(connection, &reservation)).await;
        if let Err(error) = refund {
            // Whoever signed in is signed in: the units run out by themselves.
            log::warn!(event = "throttle_refund_failed"; "units of the throttle stay taken: {error}");
        }
    }
    outcome
}

async fn check(shared: &Shared, attempt: Attempt, password: Password) -> Result<Checked, Error> {
    shared.hashing(move |app| attempt.check(app, &password)).await
}

/// Checks the password of somebody who is signed in and wants to change something.
pub async fn confirm(shared: &Shared, request: &HttpRequest, user: &User, password: Password) -> Result<(), Error> {
    let attempt = log_in::begin_confirmation(&shared.app, user.clone());
    let subject = attempt.subject.clone();
    let client = client(shared, request).known_to(&shared.app, attempt.owner.as_ref());
    let (_ticket, reservation) = admit(shared, request, &subject, &client).await?;
    let confirmed = attempt.subject.clone();
    let outcome = match check(shared, attempt, password).await {
        Ok(checked) if checked.correct => Ok(()),
        Ok(_) => {
            let name = EventName::PasswordConfirmation;
            note_failure(shared, request, name, "invalid_credentials", Some(&confirmed));
            Err(Error::InvalidCredentials)
        }
        Err(error) => Err(error),
    };
    settle(shared, request, reservation, outcome).await
}
