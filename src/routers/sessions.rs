use actix_web::{HttpRequest, HttpResponse, web};

use super::cookies;
use super::extract::AccountOwner;
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::error::Error;
use crate::schemas::{MessageResponse, Problem, SessionResponse, SessionsResponse};
use crate::services::sessions;
use crate::types::SessionId;

/// One's sessions, one for each device that is signed in.
#[utoipa::path(
    get, path = "/sessions", tag = "sessions", operation_id = "list_sessions",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "The sessions, newest sign-in first; at most the newest 1,000 and the one that asks", body = SessionsResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Another scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn list_sessions(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: AccountOwner,
) -> Result<HttpResponse, Failure> {
    let (owner, current) = (who.user_id, who.session_id);
    let live = shared.blocking(&request, move |_, connection| sessions::list_own(connection, owner, current)).await?;
    let sessions = live.iter().map(|session| SessionResponse::new(session, current)).collect();
    Ok(respond::ok(&SessionsResponse { sessions }))
}

/// Ends one of one's own sessions; another's is as absent as one that never was.
#[utoipa::path(
    delete, path = "/sessions/{id}", tag = "sessions", operation_id = "delete_session",
    params(("id" = String, Path, description = "The session's id", format = Uuid)),
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "Ended; if it was the current one, the cookies are cleared", body = MessageResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or another scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such session of one's own", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn delete_session(
    shared: web::Data<Shared>,
    request: HttpRequest,
    path: web::Path<String>,
    who: AccountOwner,
) -> Result<HttpResponse, Failure> {
    let id: SessionId = path.parse().map_err(|_| Error::NotFound)?;
    let owner = who.user_id;
    shared.blocking(&request, move |app, connection| sessions::end_own(app, connection, owner, id)).await?;
    let mut response = respond::ok(&MessageResponse::new("Session ended"));
    if id == who.session_id {
        cookies::clear(response.headers_mut(), &shared.app.config.cookies);
    }
    Ok(response)
}
