use actix_web::{HttpRequest, HttpResponse, web};

use super::respond::{self, Failure};
use super::shared::Shared;
use super::{body, pages};
use crate::error::Error;
use crate::models::user::User;
use crate::schemas::{Problem, RegisterRequest, RegisterResponse, UserResponse};
use crate::services::register::{self, Input, Registering};
use crate::types::{Event, EventName, Role};

/// Registers a user.
///
/// The page's form signs in as well: 303 to the way back with both cookies, or the page again with the error's status.
#[utoipa::path(
    post, path = "/register", tag = "accounts", operation_id = "register_user",
    request_body(content((RegisterRequest = "application/json"), (RegisterRequest = "application/x-www-form-urlencoded"))),
    params(("return_to" = Option<String>, Query, description = "Of a page's form: the way back")),
    responses(
        (status = 201, description = "Registered", body = RegisterResponse),
        (status = 303, description = "The page's form: registered and signed in; both cookies are set"),
        (status = 400, description = "Malformed", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 403, description = "Registration is closed", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 408, description = "The body did not arrive in time", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 409, description = "A name is taken", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 413, description = "The body is too large", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 415, description = "Neither JSON nor a page's form", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The password is weak", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 503, description = "Overloaded, or the database is away", content((Problem = "application/problem+json"), (String = "text/html"))),
    )
)]
pub async fn register_user(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    if pages::is_form(&request) {
        return Ok(pages::submit_register(&shared, &request, payload).await);
    }
    register::check_open(&shared.app)?;
    let sent: RegisterRequest = body::json(&request, payload).await?;
    let input = Input { username: sent.username, email: sent.email, password: sent.password };
    let user = add_user(&shared, &request, input).await?;

    let body = RegisterResponse {
        status: "success",
        message: format!("User {} registered successfully", user.display_name()),
        user: UserResponse::from(&user),
    };
    Ok(respond::json(&mut HttpResponse::Created(), &body))
}

/// Adds a user, with the hash made on the hashing pool.
pub async fn add_user(shared: &Shared, request: &HttpRequest, input: Input) -> Result<User, Error> {
    let added = try_add_user(shared, request, input).await;
    let reason = match &added {
        Err(Error::UsernameTaken) => "username_taken",
        Err(Error::EmailTaken) => "email_taken",
        _ => return added,
    };
    // Many of them are somebody who looks for accounts.
    shared.note(request, &Event::failure(EventName::UserRegistered, reason));
    added
}

async fn try_add_user(shared: &Shared, request: &HttpRequest, input: Input) -> Result<User, Error> {
    let registering = Registering::parse(input)?;
    let wanted = registering.clone();
    shared.blocking(request, move |_, connection| wanted.check_free(connection)).await?;
    let wanted = registering.clone();
    let hash = shared
        .hashing(move |app| {
            wanted.check_password(app)?;
            wanted.hash(app)
        })
        .await?;
    shared
        .blocking(request, move |app, connection| register::finish(app, connection, &registering, &hash, &Role::user()))
        .await
}
