use actix_web::{HttpResponse, web};

use super::shared::Shared;
use super::{jwks, respond};
use crate::schemas::ServerMetadataResponse;
use crate::types::Grant;

/// Where the metadata stands (RFC 8414, section 3).
pub const PATH: &str = "/.well-known/oauth-authorization-server";

/// How a client proves itself.
const BY_SECRET: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// The same where it need not.
const BY_SECRET_OR_NOT: [&str; 3] = ["none", "client_secret_basic", "client_secret_post"];

/// What an OAuth 2.0 client has to know of this service (RFC 8414).
///
/// Below a base path it also stands where the standard looks for it, with the base path behind the well-known one.
#[utoipa::path(
    get, path = "/.well-known/oauth-authorization-server", tag = "clients", operation_id = "show_server_metadata",
    responses((status = 200, description = "The metadata", body = ServerMetadataResponse))
)]
pub async fn show_server_metadata(shared: web::Data<Shared>) -> HttpResponse {
    let config = &shared.app.config;
    let at = |path: &str| format!("{}{path}", config.server.base_url());
    let offered = |grant: &Grant| *grant != Grant::Password || config.oauth.password_grant;
    respond::ok(&ServerMetadataResponse {
        issuer: config.tokens.issuer.clone(),
        jwks_uri: at(jwks::PATH),
        token_endpoint: at("/token"),
        token_endpoint_auth_methods_supported: BY_SECRET_OR_NOT.to_vec(),
        grant_types_supported: Grant::ALL.into_iter().filter(offered).map(Grant::as_str).collect(),
        response_types_supported: vec!["none"],
        scopes_supported: config.oauth.role_scopes.all().into_iter().map(str::to_owned).collect(),
        introspection_endpoint: at("/introspect"),
        introspection_endpoint_auth_methods_supported: BY_SECRET.to_vec(),
        revocation_endpoint: at("/revoke"),
        revocation_endpoint_auth_methods_supported: BY_SECRET_OR_NOT.to_vec(),
        service_documentation: at("/docs"),
    })
}
