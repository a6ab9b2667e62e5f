//! OpenAPI, generated from the code, and its page, from the binary.

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpResponse, web};
use futures_util::{Stream, stream};
use utoipa::OpenApi;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, Flow, HttpAuthScheme, HttpBuilder, OAuth2, Password, Scopes, SecurityScheme,
};
use utoipa::openapi::{OpenApi as Document, RefOr, Required, ServerBuilder};

use super::respond::{self, Failure};
use super::shared::Shared;
use super::{
    cookies, introspect, jwks, log_in, log_out, me, metadata, operations, pages, protected, refresh, register,
    revocations, revoke, sessions, token, verify,
};
use crate::config::Config;
use crate::error::Error;
use crate::schemas::Problem;

/// What is handed out of a file at a time, in bytes.
const PIECE: usize = 16 * 1024;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tacit",
        description = "Signs people in, mints short-lived JWTs and renews them silently. Errors are problem documents (RFC 9457); at OAuth's own endpoints those of RFC 6749.",
    ),
    paths(
        register::register_user, log_in::create_login, token::create_token, refresh::refresh_session,
        log_out::log_out, log_out::log_out_everywhere, log_out::log_out_others,
        me::show_me, me::update_me, me::change_password,
        sessions::list_sessions, sessions::delete_session,
        protected::show_protected, protected::show_admin, verify::verify_request,
        introspect::introspect_token, revoke::revoke_token, revocations::list_revocations, metadata::show_server_metadata,
        jwks::show_jwks,
        operations::show_health, operations::show_readiness, operations::show_metrics, operations::show_index,
        pages::show_login, pages::show_register, pages::show_account, pages::show_asset,
        show_openapi, show_docs, show_docs_file,
    ),
    tags(
        (name = "sign-in", description = "Signing in and out"),
        (name = "accounts", description = "Registering, and one's own account"),
        (name = "pages", description = "For people, in English, Japanese and Korean"),
        (name = "sessions", description = "One session for each device that is signed in"),
        (name = "try", description = "Something protected, to try an integration with"),
        (name = "clients", description = "For programs with a secret of their own"),
        (name = "gateways", description = "For gateways and backends"),
        (name = "operations", description = "For operators"),
    )
)]
struct ApiDoc;

/// The OpenAPI document of a configured service.
pub fn openapi(config: &Config) -> Document {
    let mut document = ApiDoc::openapi();
    env!("CARGO_PKG_VERSION").clone_into(&mut document.info.version);
    let server = if config.server.base_path.is_empty() { "/" } else { config.server.base_path.as_str() };
    document.servers = Some(vec![ServerBuilder::new().url(server).build()]);
    let token_url = format!("{}/token", config.server.base_path);
    let scopes = config.oauth.role_scopes.all().into_iter().map(|scope| (scope, "If one's role grants it"));
    let flow = Flow::Password(Password::new(token_url, scopes.collect::<Scopes>()));
    let cookie = cookies::access_name(&config.cookies);
    let components = document.components.get_or_insert_with(Default::default);
    components.add_security_scheme("oauth2", SecurityScheme::OAuth2(OAuth2::new([flow])));
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic).build();
    components.add_security_scheme("client", SecurityScheme::Http(basic));
    let refresh_cookie = cookies::refresh_name(&config.cookies);
    components.add_security_scheme(
        "refresh_cookie",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(refresh_cookie))),
    );
    components.add_security_scheme("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie))));
    let sign_out = document.paths.paths.get_mut("/logout").and_then(|path| path.post.as_mut());
    if let Some(RefOr::T(body)) = sign_out.and_then(|operation| operation.request_body.as_mut()) {
        // It may be absent, and never null: the attribute's `Option` would say both.
        body.required = Some(Required::False);
    }
    document
}

/// This document.
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations", operation_id = "show_openapi",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json"))
)]
pub async fn show_openapi(shared: web::Data<Shared>) -> HttpResponse {
    respond::ok(&openapi(&shared.app.config))
}

/// The page that shows this document and tries it out.
#[utoipa::path(
    get, path = "/docs", tag = "operations", operation_id = "show_docs",
    responses((status = 200, description = "HTML", body = String, content_type = "text/html"))
)]
pub async fn show_docs(shared: web::Data<Shared>) -> Result<HttpResponse, Failure> {
    let base = format!("{}/docs/", shared.app.config.server.base_path);
    let page = file(&shared.app.config, "index.html")?;
    let html = String::from_utf8_lossy(&page.0).into_owned();
    // The page names its files relative to itself, and answers without a trailing slash too.
    let html = html.replacen("<head>", &format!("<head><base href=\"{base}\">"), 1);
    Ok(with_policy("text/html; charset=utf-8", html.into()))
}

/// The page's scripts and styles.
#[utoipa::path(
    get, path = "/docs/{file}", tag = "operations", operation_id = "show_docs_file",
    params(("file" = String, Path, description = "The file's name")),
    responses(
        (status = 200, description = "The file"),
        (status = 404, description = "No such file", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show_docs_file(shared: web::Data<Shared>, name: web::Path<String>) -> Result<HttpResponse, Failure> {
    let (bytes, content_type) = file(&shared.app.config, &name)?;
    Ok(with_policy(&content_type, bytes))
}

fn file(config: &Config, name: &str) -> Result<(Bytes, String), Error> {
    let url = format!("{}/openapi.json", config.server.base_path);
    let page = utoipa_swagger_ui::Config::from(url).persist_authorization(false).validator_url("none");
    let found = utoipa_swagger_ui::serve(name, Arc::new(page))
        .map_err(|error| Error::Internal(format!("the documentation's page: {error}")))?
        .ok_or(Error::NotFound)?;
    let bytes = match found.bytes {
        Cow::Borrowed(embedded) => Bytes::from_static(embedded),
        Cow::Owned(made) => made.into(),
    };
    let is_text = found.content_type.starts_with("text/") && !found.content_type.contains("charset");
    let charset = if is_text { "; charset=utf-8" } else { "" };
    Ok((bytes, format!("{}{charset}", found.content_type)))
}

/// The page's own policy: its scripts, its styles (the library sets some inline), and calls to this service.
fn with_policy(content_type: &str, bytes: Bytes) -> HttpResponse {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                  font-src 'self'; connect-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'";
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .insert_header((header::REFERRER_POLICY, "same-origin"))
        .insert_header((header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"))
        .insert_header((header::CONTENT_TYPE, content_type))
        .body(in_pieces(bytes))
}

/// A body as it is read, for what is large: a whole one is copied to where it waits for the client, who may never read it.
fn in_pieces(bytes: Bytes) -> SizedStream<impl Stream<Item = Result<Bytes, Infallible>>> {
    let size = bytes.len();
    let piece = move |start: usize| Ok(bytes.slice(start..size.min(start + PIECE)));
    SizedStream::new(u64::try_from(size).unwrap_or(u64::MAX), stream::iter((0..size).step_by(PIECE).map(piece)))
}
