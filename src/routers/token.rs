//! The token endpoint, in both its dialects: RFC 6749 for a form with `grant_type`, FastAPI's for one without.

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, web};

use super::body::Form;
use super::client::{self, Caller, Unproven};
use super::respond::{self, Failure};
use super::shared::Shared;
use super::sign_in::{SignIn, sign_in};
use super::{body, cross_site, request};
use crate::app::App;
use crate::error::Error;
use crate::logging;
use crate::models::client::Client;
use crate::schemas::{FormProblem, FormProblemDetail, TokenProblem, TokenResponse};
use crate::services::client_token::{self, Refused};
use crate::services::refresh::{self, Delivery, Echo, Occasion, Refreshed, Rotation};
use crate::services::scopes::Asking;
use crate::services::throttle;
use crate::services::tokens::{AccessToken, ClientAccessToken};
use crate::types::{Grant, Identifier, Password, Words};

/// Parameters that may come once only (RFC 6749, section 3.2).
const PARAMETERS: [&str; 8] =
    ["grant_type", "username", "password", "refresh_token", "scope", "audience", "client_id", "client_secret"];

/// The two dialects, told apart here and nowhere else.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    OAuth,
    FastApi,
}

impl Dialect {
    /// Says no in one sentence: OAuth has a code for it and 400 always, FastAPI a status.
    fn refuse(self, code: &'static str, mut status: HttpResponseBuilder, sentence: &'static str) -> HttpResponse {
        match self {
            Self::OAuth => respond::oauth_refusal(code, sentence),
            Self::FastApi => respond::json(&mut status, &FormProblem::Sentence { detail: sentence }),
        }
    }
}

/// The OAuth 2.0 token endpoint.
///
/// Forms, URL-encoded or multipart. With `grant_type` (password, refresh_token,
/// client_credentials) errors are those of RFC 6749, without it
/// those of FastAPI's OAuth2PasswordRequestForm. Never sets or reads a cookie.
#[utoipa::path(
    post, path = "/token", tag = "sign-in", operation_id = "create_token",
    security((), ("client" = [])),
    request_body(content((TokenForm = "application/x-www-form-urlencoded"), (TokenForm = "multipart/form-data"))),
    responses(
        (status = 200, description = "Tokens", body = TokenResponse),
        (status = 400, description = "Refused, with grant_type; or an unreadable body", content((TokenProblem = "application/json"), (crate::schemas::Problem = "application/problem+json"))),
        (status = 401, description = "Wrong name or password, without grant_type; or a wrong client", body = TokenProblem),
        (status = 403, description = "Closed, without grant_type", body = FormProblem),
        (status = 408, description = "The body did not arrive in time", body = crate::schemas::Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = crate::schemas::Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not a form", body = crate::schemas::Problem, content_type = "application/problem+json"),
        (status = 422, description = "Missing fields, without grant_type", body = FormProblem),
        (status = 429, description = "Too many failed attempts; Retry-After says when", body = crate::schemas::Problem, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded, or the database is away", body = crate::schemas::Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_token(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    let form = body::form(&request, payload).await?;
    let dialect = if form.get("grant_type").is_some() { Dialect::OAuth } else { Dialect::FastApi };
    if let Some(refused) = refuse_repeated(&form, dialect) {
        return Ok(refused);
    }
    let caller = match client::authenticate(&shared, &request, &form).await? {
        Ok(caller) => caller,
        Err(unproven) => return Ok(unproven.response()),
    };
    let Ok(grant) = form.get("grant_type").map_or(Ok(Grant::Password), str::parse) else {
        return Ok(respond::oauth_refusal("unsupported_grant_type", "This grant type is not supported"));
    };
    let asking = match &caller {
        Caller::Client(client) if !client.grants().contains(&grant) => {
            return Ok(respond::oauth_refusal("unauthorized_client", "This client may not use this grant type"));
        }
        Caller::Client(client) => Asking::client(client),
        Caller::Public => Asking::first_party(),
    };
    Ok(match grant {
        Grant::Password => password_grant(&shared, &request, &form, dialect, asking).await?,
        Grant::ClientCredentials => match caller {
            Caller::Client(client) => client_grant(&shared, &request, &client, &form)?,
            Caller::Public => Unproven::Wrong.response(),
        },
        Grant::RefreshToken => refresh_grant(&shared, &request, &form, asking).await?,
    })
}

/// The fields of the form.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, reason = "describes the form in OpenAPI; the form itself is read field by field")]
pub struct TokenForm {
    /// "password", "refresh_token" or "client_credentials"; without it the form is FastAPI's.
    #[schema(nullable = false, pattern = "^(password|refresh_token|client_credentials)$")]
    grant_type: Option<String>,
    /// A username or an e-mail address.
    #[schema(nullable = false)]
    username: Option<String>,
    /// As registered.
    #[schema(nullable = false, format = Password, max_length = 1024)]
    password: Option<String>,
    /// With grant_type refresh_token.
    #[schema(nullable = false)]
    refresh_token: Option<String>,
    /// Space-separated: no more than this. Without it, all that may be granted.
    #[schema(nullable = false)]
    scope: Option<String>,
    /// With grant_type client_credentials: whom the token is to be for.
    #[schema(nullable = false)]
    audience: Option<String>,
    /// Public use needs none.
    #[schema(nullable = false)]
    client_id: Option<String>,
    /// A confidential client's, unless it authenticates by HTTP Basic.
    #[schema(nullable = false)]
    client_secret: Option<String>,
}

/// A parameter that came more than once is refused before anything else is looked at.
fn refuse_repeated(form: &Form, dialect: Dialect) -> Option<HttpResponse> {
    if let Some(name) = form.repeated(&PARAMETERS) {
        return Some(match dialect {
            Dialect::OAuth => respond::repeated(name),
            Dialect::FastApi if name == "grant_type" => respond::repeated(name),
            Dialect::FastApi => {
                let loc = PARAMETERS.into_iter().find(|parameter| *parameter == name).unwrap_or_default();
                fields_refused(vec![FormProblemDetail {
                    kind: "multiple",
                    loc: ["body", loc],
                    msg: "Field came more than once",
                }])
            }
        });
    }
    None
}

async fn password_grant(
    shared: &Shared,
    request: &HttpRequest,
    form: &Form,
    dialect: Dialect,
    asking: Asking,
) -> Result<HttpResponse, Error> {
    if !shared.app.config.oauth.password_grant {
        let sentence = "The password grant is switched off";
        return Ok(dialect.refuse("unsupported_grant_type", HttpResponse::Forbidden(), sentence));
    }
    let (Some(username), Some(password)) = (form.get("username"), form.get("password")) else {
        return Ok(missing(form, dialect));
    };
    let password = match Password::new(password.to_owned()) {
        Ok(password) => password,
        Err(sentence) => return Ok(dialect.refuse("invalid_request", HttpResponse::BadRequest(), sentence)),
    };
    let identifier = Identifier::parse(username);
    let Ok(scope) = scope_of(form) else { return Ok(scope_refused(dialect)) };
    let asking = asking.for_scope(scope);
    let client = throttle::Client::new(request::address(request), Vec::new());
    let asked = SignIn { route: "/token", identifier, password, client, replaced: Vec::new(), asking };
    match sign_in(shared, request, asked).await {
        Ok(opened) => {
            let foreign = cross_site::is_foreign_page(request, &shared.app.config);
            let refresh_token = (!foreign).then_some(opened.refresh.text);
            Ok(respond::ok(&TokenResponse { refresh_token, ..session_token(opened.access) }))
        }
        Err(Error::InvalidCredentials) => Ok(wrong_password(dialect)),
        Err(Error::InvalidScope) => Ok(scope_refused(dialect)),
        Err(Error::SessionLimit) => Ok(dialect.refuse("invalid_grant", HttpResponse::Forbidden(), "Too many sessions")),
        Err(error) => Err(error),
    }
}

/// What is asked for; nothing is no wish.
fn scope_of(form: &Form) -> Result<Option<Words>, Error> {
    form.get("scope").map(str::parse).transpose().map_err(|_| Error::InvalidScope)
}

fn scope_refused(dialect: Dialect) -> HttpResponse {
    dialect.refuse("invalid_scope", HttpResponse::BadRequest(), "The scope is malformed or not granted")
}

fn wrong_password(dialect: Dialect) -> HttpResponse {
    let mut status = HttpResponse::Unauthorized();
    status.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
    dialect.refuse("invalid_grant", status, "Incorrect username or password")
}

fn missing(form: &Form, dialect: Dialect) -> HttpResponse {
    let absent = ["username", "password"].into_iter().filter(|name| form.get(name).is_none());
    match dialect {
        Dialect::OAuth => {
            let names: Vec<&str> = absent.collect();
            respond::oauth_refusal("invalid_request", &format!("Missing: {}", names.join(", ")))
        }
        Dialect::FastApi => fields_refused(
            absent
                .map(|name| FormProblemDetail { kind: "missing", loc: ["body", name], msg: "Field required" })
                .collect(),
        ),
    }
}

fn fields_refused(detail: Vec<FormProblemDetail>) -> HttpResponse {
    respond::json(&mut HttpResponse::UnprocessableEntity(), &FormProblem::Fields { detail })
}

/// A client's own token. There is nothing to refresh: the client asks again.
fn client_grant(shared: &Shared, request: &HttpRequest, client: &Client, form: &Form) -> Result<HttpResponse, Error> {
    let issued = logging::within(request::log_context(request), || {
        client_token::issue(&shared.app, client, form.get("scope"), form.get("audience"))
    });
    Ok(match issued? {
        Ok(ClientAccessToken { text, claims }) => {
            respond::ok(&TokenResponse::new(text, claims.scope, claims.iat..claims.exp))
        }
        Err(Refused::Scope) => respond::oauth_refusal("invalid_scope", "The scope is malformed or not the client's"),
        Err(Refused::Audience) => respond::oauth_refusal("invalid_target", "The audience is not the client's"),
    })
}

async fn refresh_grant(
    shared: &Shared,
    request: &HttpRequest,
    form: &Form,
    asking: Asking,
) -> Result<HttpResponse, Error> {
    let Some(text) = form.get("refresh_token") else {
        return Ok(respond::oauth_refusal("invalid_request", "Missing: refresh_token"));
    };
    let Ok(scope) = scope_of(form) else { return Ok(scope_refused(Dialect::OAuth)) };
    let app = &shared.app;
    let outcome = match refresh::candidates(app, std::iter::once(text)) {
        Err(refused) => Err(refused),
        Ok(candidates) => {
            let (device, asking) = (request::device(request), asking.for_scope(scope));
            let occasion = Occasion { device, asking, rotation: Rotation::Allowed, place: None };
            let refreshed = shared
                .blocking(request, move |app, connection| refresh::refresh(app, connection, &candidates, &occasion))
                .await;
            match refreshed {
                Err(Error::InvalidScope) => return Ok(scope_refused(Dialect::OAuth)),
                refreshed => refreshed?,
            }
        }
    };
    match outcome {
        Ok(refreshed) => {
            let foreign = cross_site::is_foreign_page(request, &app.config);
            Ok(respond::ok(&refreshed_response(app, refreshed, text, foreign)))
        }
        Err(refused) => Ok(respond::oauth(
            StatusCode::BAD_REQUEST,
            "invalid_grant",
            "The refresh token is invalid, expired or revoked",
            Some(respond::refusal_code(refused.refusal())),
        )),
    }
}

/// What a client that stores tokens itself is told. A token that may no longer go out is left away: the client keeps its own.
fn refreshed_response(app: &App, refreshed: Refreshed, presented: &str, foreign: bool) -> TokenResponse {
    let deliverable = matches!(refresh::delivery(app, &refreshed), Delivery::Good | Delivery::Recheck);
    let minted = match (refreshed.refresh, refreshed.echo) {
        (Some(issued), _) | (None, Echo::Branch(issued)) => Some(issued.text),
        (None, Echo::Presented) => Some(presented.to_owned()),
        (None, Echo::Nothing) => None,
    };
    let refresh_token = minted.filter(|_| deliverable && !foreign);
    let rotated = Some(refresh_token.as_deref().is_some_and(|token| token != presented));
    TokenResponse { refresh_token, rotated, ..session_token(refreshed.access) }
}

/// What a client is told of a session's access token, without the refresh token.
pub(super) fn session_token(access: AccessToken) -> TokenResponse {
    TokenResponse::new(access.text, access.claims.scope, access.claims.iat..access.claims.exp)
}
