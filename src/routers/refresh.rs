use actix_web::HttpResponse;

use super::extract::SignedIn;
use crate::schemas::Problem;

/// Refreshes now: the middleware in front of this has done so, and adds the cookies to this answer.
#[utoipa::path(
    post, path = "/refresh", tag = "sign-in", operation_id = "refresh_session",
    security(("refresh_cookie" = [])),
    responses(
        (status = 204, description = "Refreshed; the header X-Auth-Refresh says how"),
        (status = 401, description = "Not signed in", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn refresh_session(_: SignedIn) -> HttpResponse {
    HttpResponse::NoContent().finish()
}
