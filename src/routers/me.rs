use actix_web::{HttpRequest, HttpResponse, web};

use super::extract::{AccountOwner, SignedIn};
use super::request::Bearer;
use super::respond::{self, Failure};
use super::shared::Shared;
use super::{body, log_in, request, sign_in, token};
use crate::error::Error;
use crate::models::user::User;
use crate::schemas::{
    ChangePasswordRequest, MessageResponse, PasswordChangedResponse, Problem, TokenResponse, UpdateMeRequest,
    UserResponse,
};
use crate::services::account::{self, NewNames};
use crate::services::passwords::Hashing;
use crate::services::sessions::Opened;
use crate::types::{Password, Words};

/// Who is signed in.
#[utoipa::path(
    get, path = "/me", tag = "accounts", operation_id = "show_me",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "The user", body = UserResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show_me(shared: web::Data<Shared>, request: HttpRequest, who: SignedIn) -> Result<HttpResponse, Failure> {
    let user = load(&shared, &request, &who).await?;
    Ok(respond::ok(&UserResponse::from(&user)))
}

async fn load(shared: &Shared, request: &HttpRequest, who: &SignedIn) -> Result<User, Error> {
    let id = who.user_id;
    shared.blocking(request, move |_, connection| account::load(connection, id)).await
}

/// Changes one's username or e-mail address; asks for the current password.
#[utoipa::path(
    patch, path = "/me", tag = "accounts", operation_id = "update_me",
    request_body = UpdateMeRequest,
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "The user as changed", body = UserResponse),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in, or a wrong password", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or another scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts; Retry-After says when", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded, or the database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn update_me(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
    who: AccountOwner,
) -> Result<HttpResponse, Failure> {
    let sent: UpdateMeRequest = body::json(&request, payload).await?;
    let names = NewNames::parse(sent.username, sent.email)?;
    let password = required("current_password", sent.current_password)?;
    let user = load(&shared, &request, &who).await?;
    sign_in::confirm(&shared, &request, &user, password).await?;
    let renamed =
        shared.blocking(&request, move |app, connection| account::rename(app, connection, &user, &names)).await?;
    Ok(respond::ok(&UserResponse::from(&renamed)))
}

/// Changes one's password. Every other session ends, and this one gives way to a new one.
///
/// A caller with cookies gets new ones and a message; a Bearer caller gets what /token answers.
#[utoipa::path(
    post, path = "/me/password", tag = "accounts", operation_id = "change_password",
    request_body = ChangePasswordRequest,
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "Changed", body = PasswordChangedResponse),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in, or a wrong password", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or another scope is needed", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The account was changed meanwhile", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The new password is weak", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts; Retry-After says when", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded, or the database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn change_password(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
    who: AccountOwner,
) -> Result<HttpResponse, Failure> {
    let sent: ChangePasswordRequest = body::json(&request, payload).await?;
    let current = required("current_password", sent.current_password)?;
    let new = required("new_password", sent.new_password)?;
    let user = load(&shared, &request, &who).await?;
    sign_in::confirm(&shared, &request, &user, current).await?;

    let (owner, candidate) = (user.clone(), new.clone());
    let hash = shared
        .hashing(move |app| {
            account::check_new_password(app, &owner, &candidate)?;
            Hashing::of(app).hash(&candidate)
        })
        .await?;
    // A claim that cannot be read grants nothing.
    let scope = who.scope.parse::<Words>().unwrap_or_default();
    let (acting, device) = (who.session_id, request::device(&request));
    let opened = shared
        .blocking(&request, move |app, connection| {
            account::change_password(app, connection, &user, (acting, &scope), &hash, &device)
        })
        .await?;
    Ok(password_changed(&shared, &request, opened))
}

fn password_changed(shared: &Shared, request: &HttpRequest, opened: Opened) -> HttpResponse {
    if matches!(request::bearer(request), Bearer::Token(_)) {
        let refresh_token = Some(opened.refresh.text);
        let token = TokenResponse { refresh_token, ..token::session_token(opened.access) };
        return respond::ok(&PasswordChangedResponse::Bearer(token));
    }
    let mut response =
        respond::ok(&PasswordChangedResponse::Cookies(MessageResponse::new("Password changed successfully")));
    log_in::hand_over(shared, request, &mut response, &opened);
    response
}

fn required(field: &'static str, text: Option<String>) -> Result<Password, Error> {
    let text = text.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Error::bad_field(field, format!("{field} is required")))?;
    Password::new(text).map_err(|message| Error::bad_field(field, message))
}
