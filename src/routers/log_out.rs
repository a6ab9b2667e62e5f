use actix_web::{HttpRequest, HttpResponse, web};

use super::extract::AccountOwner;
use super::request::Bearer;
use super::respond::{self, Failure};
use super::shared::Shared;
use super::{body, cookies, cross_site, pages, request};
use crate::error::Error;
use crate::schemas::{EndedResponse, LogoutRequest, MessageResponse, Problem};
use crate::services::log_out::{self, Proofs, Shown};
use crate::services::sessions;

/// Signs out: ends every session whose token is shown, in cookies, as Bearer or in the body.
///
/// A page's form is led to the sign-in page.
#[utoipa::path(
    post, path = "/logout", tag = "sign-in", operation_id = "log_out",
    request_body(content(
        (LogoutRequest = "application/json"),
        (LogoutRequest = "application/x-www-form-urlencoded"),
        (LogoutRequest = "multipart/form-data"),
    )),
    security((), ("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "Signed out, also when nobody was signed in", body = MessageResponse),
        (status = 303, description = "A page's form: signed out, to the sign-in page"),
        (status = 400, description = "Malformed", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 403, description = "From another site", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 408, description = "The body did not arrive in time", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 413, description = "The body is too large", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 415, description = "Neither JSON nor a form", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", content((Problem = "application/problem+json"), (String = "text/html"))),
    )
)]
pub async fn log_out(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    let ended = end_shown(&shared, &request, payload).await;
    if pages::is_form(&request) {
        return Ok(pages::after_logout(&shared, &request, ended));
    }
    ended?;
    let mut response = respond::ok(&MessageResponse::new("Logged out successfully"));
    cookies::clear(response.headers_mut(), &shared.app.config.cookies);
    Ok(response)
}

/// Ends the sessions whose tokens a request shows.
async fn end_shown(shared: &Shared, request: &HttpRequest, payload: web::Payload) -> Result<(), Error> {
    let config = &shared.app.config;
    cross_site::check(request, request.method(), config)?;
    let bearer = match request::bearer(request) {
        Bearer::Repeated => return Err(Error::RepeatedAuthorization),
        Bearer::Token(token) => Some(token.to_owned()),
        Bearer::Absent => None,
    };
    let sent = body::optional(request, payload, |form| {
        if form.repeated(&["refresh_token"]).is_some() {
            return Err(Error::bad_request("refresh_token came more than once"));
        }
        Ok(LogoutRequest { refresh_token: form.get("refresh_token").map(str::to_owned) })
    })
    .await?;
    let presented = cookies::presented(request, &config.cookies);
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut shown = Shown { access_tokens: owned(&presented.access), refresh_tokens: owned(&presented.refresh) };
    shown.access_tokens.extend(bearer);
    shown.refresh_tokens.extend(sent.refresh_token);

    shared.read_keys_for(shown.access_tokens.iter().map(String::as_str)).await;
    let proofs = Proofs::of(&shared.app, &shown);
    if !proofs.is_empty() {
        shared.blocking(request, move |app, connection| log_out::log_out(app, connection, &proofs)).await?;
    }
    Ok(())
}

/// Ends all of one's sessions, this one too.
#[utoipa::path(
    post, path = "/logout/all", tag = "sessions", operation_id = "log_out_everywhere",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "Signed out everywhere", body = EndedResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or another scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn log_out_everywhere(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: AccountOwner,
) -> Result<HttpResponse, Failure> {
    let user_id = who.user_id;
    let sessions_ended =
        shared.blocking(&request, move |app, connection| sessions::end_all(app, connection, user_id, None)).await?;
    let body = EndedResponse { status: "success", message: "Logged out everywhere", sessions_ended };
    let mut response = respond::ok(&body);
    cookies::clear(response.headers_mut(), &shared.app.config.cookies);
    Ok(response)
}

/// Ends all of one's sessions but this one.
#[utoipa::path(
    post, path = "/logout/others", tag = "sessions", operation_id = "log_out_others",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "The others are signed out", body = EndedResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or another scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn log_out_others(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: AccountOwner,
) -> Result<HttpResponse, Failure> {
    let (user_id, session_id) = (who.user_id, who.session_id);
    let sessions_ended = shared
        .blocking(&request, move |app, connection| sessions::end_all(app, connection, user_id, Some(session_id)))
        .await?;
    Ok(respond::ok(&EndedResponse { status: "success", message: "Logged out everywhere else", sessions_ended }))
}
