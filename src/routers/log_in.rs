use actix_web::{HttpRequest, HttpResponse, web};

use super::respond::{self, Failure};
use super::shared::Shared;
use super::sign_in::sign_in;
use super::{body, cookies, cross_site, request};
use crate::error::Error;
use crate::models::session::FIRST_PARTY;
use crate::schemas::{LoginRequest, LoginResponse, Problem, UserResponse};
use crate::services::refresh_token::RefreshToken;
use crate::types::{Identifier, Password};

/// Signs in, with cookies.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "create_login",
    request_body = LoginRequest,
    responses(
        (status = 200, description = "Signed in; both cookies are set", body = LoginResponse),
        (status = 400, description = "Malformed", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Wrong name or password", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "From another site, or too many sessions", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not JSON", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded, or the database is away", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn create_login(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    let config = &shared.app.config;
    cross_site::check(&request, request.method(), config)?;
    let sent: LoginRequest = body::json(&request, payload).await?;
    let (identifier, password) = credentials(sent)?;
    let replaced = cookies::presented(&request, &config.cookies)
        .refresh
        .iter()
        .filter_map(|text| RefreshToken::decode_expired(&shared.app.refresh_keys, text).ok())
        .collect();
    let opened = sign_in(&shared, &request, "/login", identifier, password, replaced, FIRST_PARTY).await?;

    let token = (!request::comes_from_a_page(&request)).then(|| opened.access.text.clone());
    let body = LoginResponse {
        status: "success",
        message: format!("Welcome {}!", opened.user.display_name()),
        user: UserResponse::from(&opened.user),
        token_type: "bearer",
        expires_in: opened.access.expires_in(),
        expires_at: opened.access.expires_at().to_iso8601(),
        access_token: token.clone(),
        token,
    };
    let mut response = respond::ok(&body);
    cookies::set_on(&mut response, &config.cookies, &opened.access, &opened.refresh);
    Ok(response)
}

fn credentials(sent: LoginRequest) -> Result<(Option<Identifier>, Password), Error> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let username = given(sent.username).map(|text| Identifier::parse(&text));
    let email = given(sent.email).map(|text| text.parse().ok().map(Identifier::Email));
    let (Some(identifier), Some(password)) = (username.or(email), given(sent.password)) else {
        return Err(Error::bad_request("Username and password are required"));
    };
    let password =
        Password::new(password).ok_or_else(|| Error::bad_field("password", "A password has at most 1024 bytes"))?;
    Ok((identifier, password))
}
