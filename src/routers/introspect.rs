use actix_web::{HttpRequest, HttpResponse, web};

use super::about_token::AboutToken;
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::models::client::Client;
use crate::schemas::{IntrospectionResponse, OAuthProblem, Problem};
use crate::services::introspection::{self, Active};

/// The fields of the form.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form in OpenAPI; the form itself is read field by field")]
pub struct IntrospectionForm {
    /// An access token or a refresh token.
    #[schema(min_length = 1)]
    token: String,
    /// "access_token" or "refresh_token"; tolerated and not needed.
    #[schema(nullable = false)]
    token_type_hint: Option<String>,
    /// Unless the client authenticates by HTTP Basic.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// Unless the client authenticates by HTTP Basic.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// Tells a client whether a token is good now (RFC 7662).
///
/// For every token that is not, for whatever reason, the answer is `{"active": false}` and no more.
#[utoipa::path(
    post, path = "/introspect", tag = "clients", operation_id = "introspect_token",
    security(("client" = [])),
    request_body(content((IntrospectionForm = "application/x-www-form-urlencoded"), (IntrospectionForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "Good, or not", body = IntrospectionResponse),
        (status = 400, description = "Malformed", content((OAuthProblem = "application/json"), (Problem = "application/problem+json"))),
        (status = 401, description = "No client, or not a good one", body = OAuthProblem),
        (status = 408, description = "The body did not arrive in time", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not a form", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "It cannot be known right now", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn introspect_token(
    shared: web::Data<Shared>,
    request: HttpRequest,
    about: AboutToken<Client>,
) -> Result<HttpResponse, Failure> {
    shared.read_keys_for(std::iter::once(about.token.as_str())).await;
    let found = shared
        .blocking(&request, move |app, connection| introspection::introspect(app, connection, &about.token))
        .await?;
    let issuer = &shared.app.config.tokens.issuer;
    Ok(respond::ok(&match found {
        None => IntrospectionResponse::inactive(),
        Some(Active::Access(claims)) => IntrospectionResponse {
            active: true,
            iss: Some(claims.iss),
            sub: Some(claims.sub.to_string()),
            aud: Some(claims.aud),
            client_id: Some(claims.client_id),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            jti: Some(claims.jti.to_string()),
            sid: Some(claims.sid.to_string()),
            scope: Some(claims.scope),
            username: claims.username,
            token_type: Some("bearer"),
        },
        Some(Active::Client(claims)) => IntrospectionResponse {
            active: true,
            iss: Some(claims.iss),
            sub: Some(claims.sub),
            aud: Some(claims.aud),
            client_id: Some(claims.client_id),
            exp: Some(claims.exp),
            iat: Some(claims.iat),
            jti: Some(claims.jti.to_string()),
            scope: Some(claims.scope),
            token_type: Some("bearer"),
            ..IntrospectionResponse::inactive()
        },
        Some(Active::Refresh { session, user, scope }) => IntrospectionResponse {
            active: true,
            iss: Some(issuer.clone()),
            sub: Some(user.id.to_string()),
            exp: Some(session.expires_at.min(session.idle_at()).unix_seconds()),
            sid: Some(session.id.to_string()),
            client_id: Some(session.client_id.clone()),
            scope: Some(scope.to_string()),
            username: user.username,
            ..IntrospectionResponse::inactive()
        },
    }))
}
