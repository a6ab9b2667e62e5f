use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use tokio::time::timeout;

use super::body::Form;
use super::respond::{self, Failure};
use super::shared::Shared;
use super::{client, request};
use crate::app::Recent;
use crate::error::Error;
use crate::schemas::{OAuthProblem, Problem, RevocationsResponse};
use crate::services::revocations;

/// Longest wait for news, in seconds.
const MAX_WAIT: u64 = 60;

/// What a backend that verifies tokens by itself has to know: sessions that ended and users whose claims changed, as long as
/// an access token of theirs could be good.
///
/// With `If-None-Match` the answer is 304 while nothing is new; with `wait` too, it comes as soon as something is.
#[utoipa::path(
    get, path = "/revocations", tag = "clients", operation_id = "list_revocations",
    security(("client" = [])),
    params(
        ("wait" = Option<u64>, Query, description = "Wait up to so many seconds for news, at most 60", maximum = 60, nullable = false),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of the last answer"),
    ),
    responses(
        (status = 200, description = "All of them, with an ETag", body = RevocationsResponse),
        (status = 304, description = "Nothing is new"),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "No client, or not a good one", body = OAuthProblem),
        (status = 503, description = "It cannot be known right now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_revocations(shared: web::Data<Shared>, request: HttpRequest) -> Result<HttpResponse, Failure> {
    if let Err(unproven) = client::require(&shared, &request, &Form::default()).await? {
        return Ok(unproven.response());
    }
    let wait = wait(request.query_string())?;
    let app = &shared.app;
    // Before the first look, so that nothing falls between it and the wait.
    let mut changes = app.revocations.changes();
    let mut recent = revocations::recent(app)?;
    if is_known(&request, &recent) && !wait.is_zero() {
        let news = async {
            while is_known(&request, &recent) && changes.changed().await.is_ok() {
                recent = revocations::recent(app)?;
            }
            Ok::<_, Error>(())
        };
        match timeout(wait, news).await {
            Ok(outcome) => outcome?,
            // The database may have gone away meanwhile: then nobody knows that nothing is new.
            Err(_) => recent = revocations::recent(app)?,
        }
    }
    let etag = (header::ETAG, format!("W/\"{}\"", recent.tag));
    if is_known(&request, &recent) {
        return Ok(HttpResponse::NotModified().insert_header(etag).finish());
    }
    Ok(respond::json(
        HttpResponse::Ok().insert_header(etag),
        &RevocationsResponse::new(&recent.sessions, &recent.users),
    ))
}

fn wait(query: &str) -> Result<Duration, Error> {
    let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "wait");
    let Some((_, value)) = values.next() else { return Ok(Duration::ZERO) };
    let seconds = value.parse().ok().filter(|seconds| *seconds <= MAX_WAIT && values.next().is_none());
    let seconds = seconds.ok_or_else(|| Error::bad_request("wait is a number of seconds, at most 60"))?;
    Ok(Duration::from_secs(seconds))
}

/// Whether the client has seen this already.
fn is_known(request: &HttpRequest, recent: &Recent) -> bool {
    request::knows(request, &format!("\"{}\"", recent.tag))
}
