//! The steps that every sign-in with a password shares: look up, hash on the hashing pool, open the session.

use actix_web::HttpRequest;

use super::request;
use super::shared::Shared;
use crate::error::Error;
use crate::logging;
use crate::models::user::User;
use crate::services::log_in::{self, Attempt, Outcome};
use crate::services::passwords::Checked;
use crate::services::refresh_token::RefreshToken;
use crate::services::sessions::Opened;
use crate::types::{Identifier, Password};

/// How often an account may change under a sign-in before it is given up.
const ATTEMPTS: usize = 3;

/// Signs somebody in. `route` names the caller in metrics and log lines; `replaced` are the browser's old tokens;
/// `client_id` is the confidential client that asks, or [`FIRST_PARTY`](crate::models::session::FIRST_PARTY).
pub async fn sign_in(
    shared: &Shared,
    request: &HttpRequest,
    route: &'static str,
    identifier: Option<Identifier>,
    password: Password,
    replaced: Vec<RefreshToken>,
    client_id: &str,
) -> Result<Opened, Error> {
    let outcome = try_sign_in(shared, request, identifier, password, replaced, client_id).await;
    let metrics = &shared.app.metrics;
    logging::within(request::log_context(request), || match &outcome {
        Ok(opened) => {
            metrics.sign_ins.with_label_values(&[route]).inc();
            log::info!(
                event = "sign_in", outcome = "success", subject:% = opened.user.id,
                session:% = opened.access.claims.sid; "somebody signed in"
            );
        }
        Err(error) => {
            let reason = match error {
                Error::InvalidCredentials => "invalid_credentials",
                Error::SessionLimit => "session_limit",
                Error::Overloaded => "overloaded",
                _ => "unavailable",
            };
            metrics.sign_in_failures.with_label_values(&[reason]).inc();
            log::info!(event = "sign_in", outcome = "failure", reason = reason; "a sign-in was refused");
        }
    });
    outcome
}

async fn try_sign_in(
    shared: &Shared,
    request: &HttpRequest,
    identifier: Option<Identifier>,
    password: Password,
    replaced: Vec<RefreshToken>,
    client_id: &str,
) -> Result<Opened, Error> {
    for _ in 0..ATTEMPTS {
        let wanted = identifier.clone();
        let attempt =
            shared.blocking(request, move |app, connection| log_in::begin(app, connection, wanted.as_ref())).await?;
        let checked = check(shared, attempt.clone(), password.clone()).await?;
        if !checked.correct {
            return Err(Error::InvalidCredentials);
        }
        let device = request::device(request);
        let (old, client_id) = (replaced.clone(), client_id.to_owned());
        let outcome = shared
            .blocking(request, move |app, connection| {
                log_in::finish(app, connection, &attempt, &checked, &device, &old, &client_id)
            })
            .await?;
        if let Outcome::Opened(opened) = outcome {
            return Ok(*opened);
        }
    }
    Err(Error::Database("an account changed under every one of several attempts to sign in".to_owned()))
}

async fn check(shared: &Shared, attempt: Attempt, password: Password) -> Result<Checked, Error> {
    shared.hashing(move |_| attempt.check(&password)).await
}

/// Checks the password of somebody who is signed in and wants to change something.
pub async fn confirm(shared: &Shared, user: &User, password: Password) -> Result<(), Error> {
    let attempt = log_in::begin_confirmation(&shared.app, user.clone());
    if check(shared, attempt, password).await?.correct { Ok(()) } else { Err(Error::InvalidCredentials) }
}
