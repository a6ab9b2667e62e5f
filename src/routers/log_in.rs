use actix_web::{HttpRequest, HttpResponse, web};

use super::respond::{self, Failure};
use super::shared::Shared;
use super::sign_in::{self, SignIn, sign_in};
use super::{body, cookies, cross_site, pages, request};
use crate::error::Error;
use crate::schemas::{LoginRequest, LoginResponse, Problem, UserResponse};
use crate::services::refresh_token::RefreshToken;
use crate::services::scopes::Asking;
use crate::services::sessions::Opened;
use crate::services::throttle::{self, Owner};
use crate::types::{Identifier, Password};

/// Signs in, with cookies.
///
/// The sign-in page's form is answered with 303 to the way back, or with the page again and the error's status.
#[utoipa::path(
    post, path = "/login", tag = "sign-in", operation_id = "create_login",
    request_body(content((LoginRequest = "application/json"), (LoginRequest = "application/x-www-form-urlencoded"))),
    params(("return_to" = Option<String>, Query, description = "Of a page's form: the way back")),
    responses(
        (status = 200, description = "Signed in; both cookies are set", body = LoginResponse),
        (status = 303, description = "The page's form: signed in; both cookies are set"),
        (status = 400, description = "Malformed", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 401, description = "Wrong name or password", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 403, description = "From another site, or too many sessions", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 408, description = "The body did not arrive in time", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 413, description = "The body is too large", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 415, description = "Neither JSON nor a page's form", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many failed attempts; Retry-After says when", content((Problem = "application/problem+json"), (String = "text/html"))),
        (status = 503, description = "Overloaded, or the database is away", content((Problem = "application/problem+json"), (String = "text/html"))),
    )
)]
pub async fn create_login(
    shared: web::Data<Shared>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Failure> {
    if pages::is_form(&request) {
        return Ok(pages::submit_login(&shared, &request, payload).await);
    }
    let config = &shared.app.config;
    cross_site::check(&request, request.method(), config)?;
    let sent: LoginRequest = body::json(&request, payload).await?;
    let opened = open_session(&shared, &request, sent).await?;

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
    hand_over(&shared, &request, &mut response, &opened);
    Ok(response)
}

/// Opens a session in the place of those whose cookies the browser still has.
pub async fn open_session(shared: &Shared, request: &HttpRequest, sent: LoginRequest) -> Result<Opened, Error> {
    let (identifier, password) = credentials(sent)?;
    let replaced = cookies::presented(request, &shared.app.config.cookies)
        .refresh
        .iter()
        .filter_map(|text| RefreshToken::decode_expired(&shared.app.refresh_keys, text).ok())
        .collect();
    let client = sign_in::client(shared, request);
    let asked = SignIn { route: "/login", identifier, password, client, replaced, asking: Asking::first_party() };
    sign_in(shared, request, asked).await
}

/// Puts the cookies of a session into an answer, and the one by which the throttle knows the device again.
pub fn hand_over(shared: &Shared, request: &HttpRequest, response: &mut HttpResponse, opened: &Opened) {
    let config = &shared.app.config.cookies;
    cookies::set_on(response, config, &opened.access, &opened.refresh);
    let devices = cookies::devices(request, config);
    let owner = Owner::new(opened.user.id, &opened.user.password_hash);
    if let Some(device) = throttle::device_cookie(&shared.app, &owner, &devices) {
        cookies::set_device_on(response, config, &device);
    }
}

fn credentials(sent: LoginRequest) -> Result<(Option<Identifier>, Password), Error> {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let username = given(sent.username).map(|text| Identifier::parse(&text));
    let email = given(sent.email).map(|text| text.parse().ok().map(Identifier::Email));
    let (Some(identifier), Some(password)) = (username.or(email), given(sent.password)) else {
        return Err(Error::bad_request("Username and password are required"));
    };
    let password = Password::new(password).map_err(|message| Error::bad_field("password", message))?;
    Ok((identifier, password))
}
