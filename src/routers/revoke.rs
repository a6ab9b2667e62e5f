use actix_web::{HttpRequest, HttpResponse, web};

use super::about_token::AboutToken;
use super::client::{Caller, Unproven};
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::schemas::{OAuthProblem, Problem};
use crate::services::revoke_token::{self, Outcome};

/// The fields of the form.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form in OpenAPI; the form itself is read field by field")]
pub struct RevocationForm {
    /// An access token or a refresh token.
    #[schema(min_length = 1)]
    token: String,
    /// "access_token" or "refresh_token"; tolerated and not needed.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// Unless the client authenticates by HTTP Basic; public use needs none.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Unless the client authenticates by HTTP Basic; public use needs none.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// Revokes a token (RFC 7009): its session ends, on every replica within about a second.
///
/// A client revokes its own tokens; one that was issued without a client is revoked by whoever holds it. A token that is
/// unknown, or was revoked before, is 200 too.
#[utoipa::path(
    post, path = "/revoke", tag = "clients", operation_id = "revoke_token",
    security((), ("client" = [])),
    request_body(content((RevocationForm = "application/x-www-form-urlencoded"), (RevocationForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "The token is good no more; no body"),
        (status = 400, description = "Malformed, or a token that is another client's or a client's own", content((OAuthProblem = "application/json"), (Problem = "application/problem+json"))),
        (status = 401, description = "Not a good client, or none where the token needs one", body = OAuthProblem),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not a form", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn revoke_token(
    shared: web::Data<Shared>,
    request: HttpRequest,
    AboutToken { asking, token }: AboutToken<Caller>,
) -> Result<HttpResponse, Failure> {
    let client_id = match asking {
        Caller::Client(client) => Some(client.id),
        Caller::Public => None,
    };
    shared.read_keys_for(std::iter::once(token.as_str())).await;
    let outcome = shared
        .blocking(&request, move |app, connection| revoke_token::revoke(app, connection, &token, client_id.as_deref()))
        .await?;
    Ok(match outcome {
        Outcome::Revoked => HttpResponse::Ok().finish(),
        Outcome::ClientRequired => Unproven::Wrong.response(),
        Outcome::OfAnotherClient => respond::oauth_refusal("invalid_grant", "The token was issued to another client"),
        Outcome::Unsupported => {
            let description = "A client's own token cannot be revoked: it runs out";
            respond::oauth_refusal("unsupported_token_type", description)
        }
    })
}
