use actix_web::{HttpRequest, HttpResponse, web};

use super::body;
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::schemas::{Problem, RegisterRequest, RegisterResponse, UserResponse};
use crate::services::register::{self, Input, Registering};
use crate::types::Role;

/// Registers a user.
#[utoipa::path(
    post, path = "/register", tag = "accounts", operation_id = "register_user",
    request_body = RegisterRequest,
    responses(
        (status = 201, description = "Registered", body = RegisterResponse),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Registration is closed", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "A name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The password is weak", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded, or the database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn register_user(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    register::check_open(&shared.app)?;
    let sent: RegisterRequest = body::json(&request, payload).await?;
    let input = Input { username: sent.username, email: sent.email, password: sent.password };
    let registering = Registering::parse(input)?;

    let wanted = registering.clone();
    shared.blocking(&request, move |_, connection| wanted.check_free(connection)).await?;
    let wanted = registering.clone();
    let hash = shared
        .hashing(move |app| {
            wanted.check_password(app)?;
            wanted.hash(app)
        })
        .await?;
    let user = shared
        .blocking(&request, move |app, connection| {
            register::finish(app, connection, &registering, &hash, &Role::user())
        })
        .await?;

    let body = RegisterResponse {
        status: "success",
        message: format!("User {} registered successfully", user.display_name()),
        user: UserResponse::from(&user),
    };
    Ok(respond::json(&mut HttpResponse::Created(), &body))
}
