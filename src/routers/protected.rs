use actix_web::{HttpRequest, HttpResponse, web};

use super::extract::SignedIn;
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::schemas::{MessageResponse, Problem, ProtectedResponse};
use crate::services::account;

/// The smallest protected resource, to try an integration with.
#[utoipa::path(
    get, path = "/protected", tag = "try", operation_id = "show_protected",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "Signed in", body = ProtectedResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It cannot be known right now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show_protected(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: SignedIn,
) -> Result<HttpResponse, Failure> {
    // A user without a username is addressed by e-mail, which stands in no token.
    let name = match &who.username {
        Some(username) => username.clone(),
        None => {
            let id = who.user_id;
            let user = shared.blocking(&request, move |_, connection| account::load(connection, id)).await?;
            user.display_name().to_owned()
        }
    };
    Ok(respond::ok(&ProtectedResponse {
        status: "success",
        message: format!("You are viewing protected content, {name}!"),
        username: who.username.clone(),
        role: who.role.to_string(),
    }))
}

/// The same, for administrators; the role is read from the database.
#[utoipa::path(
    get, path = "/admin", tag = "try", operation_id = "show_admin",
    security(("cookie" = []), ("oauth2" = [])),
    responses(
        (status = 200, description = "An administrator", body = MessageResponse),
        (status = 400, description = "Two Authorization headers", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Not an administrator", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show_admin(
    shared: web::Data<Shared>,
    request: HttpRequest,
    who: SignedIn,
) -> Result<HttpResponse, Failure> {
    let id = who.user_id;
    let admin = shared.blocking(&request, move |app, connection| account::load_admin(app, connection, id)).await?;
    Ok(respond::ok(&MessageResponse::new(format!("Welcome to the admin panel, {}!", admin.display_name()))))
}
