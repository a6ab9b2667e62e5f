//! The sign-in page, and what its form gets.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;

use super::html::{Field, Page, alert};
use super::return_to::{way_back, with_way_back};
use super::texts::Texts;
use super::{arrival, failure, is_signed_in, see_other};
use crate::config::Registration;
use crate::error::Error;
use crate::routers::respond::{self, Shown};
use crate::routers::shared::Shared;
use crate::routers::{body, cookies, cross_site, log_in};
use crate::schemas::LoginRequest;
use crate::services::sessions::Opened;

/// The sign-in page; somebody signed in is led on.
#[utoipa::path(
    get, path = "/login", tag = "pages", operation_id = "show_login",
    params(("return_to" = Option<String>, Query, description = "The way back: a path, or a URL on a host of gateway.return_hosts")),
    responses(
        (status = 200, description = "HTML", body = String, content_type = "text/html"),
        (status = 303, description = "Signed in already: to the way back, or to /account"),
    )
)]
pub async fn show_login(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    if is_signed_in(&shared, &request).await {
        return see_other(&arrival(&shared, &request));
    }
    page(&shared, &request, HttpResponse::Ok().finish(), "", None)
}

/// What the page's form gets: the way back with cookies, or the page again with the error's status.
pub async fn submit_login(shared: &Shared, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
    let config = &shared.app.config;
    if let Err(error) = cross_site::check(request, request.method(), config) {
        return failure::page(request, config, &error);
    }
    let (username, opened) = match body::form(request, payload).await {
        Ok(form) => {
            let username = form.get("username").unwrap_or_default().to_owned();
            (username, sign_in(shared, request, &form).await)
        }
        Err(error) => (String::new(), Err(error)),
    };
    match opened {
        Ok(opened) => arrive(shared, request, &opened),
        Err(error) => page(shared, request, respond::response(&error), &username, Some(&Shown::from(&error))),
    }
}

async fn sign_in(shared: &Shared, request: &HttpRequest, form: &body::Form) -> Result<Opened, Error> {
    if form.repeated(&["username", "password"]).is_some() {
        return Err(Error::bad_request("A field came twice"));
    }
    let given = |name: &str| form.get(name).map(str::to_owned);
    let sent = LoginRequest { username: given("username"), email: None, password: given("password") };
    log_in::open_session(shared, request, sent).await
}

/// The way back, with the cookies of a session.
pub fn arrive(shared: &Shared, request: &HttpRequest, opened: &Opened) -> HttpResponse {
    let mut response = see_other(&arrival(shared, request));
    log_in::hand_over(shared, request, &mut response, opened);
    response
}

/// What the sign-out form gets: the sign-in page.
pub fn after_logout(shared: &Shared, request: &HttpRequest, ended: Result<(), Error>) -> HttpResponse {
    let config = &shared.app.config;
    match ended {
        Err(error) => failure::page(request, config, &error),
        Ok(()) => {
            let path = format!("{}/login", config.server.base_path);
            let mut response = see_other(&with_way_back(&path, way_back(request, config).as_deref()));
            cookies::clear(response.headers_mut(), &config.cookies);
            response
        }
    }
}

fn page(
    shared: &Shared,
    request: &HttpRequest,
    response: HttpResponse,
    username: &str,
    shown: Option<&Shown>,
) -> HttpResponse {
    let (config, texts) = (&shared.app.config, Texts::of(request));
    let base = &config.server.base_path;
    let back = way_back(request, config);
    let action = with_way_back(&format!("{base}/login"), back.as_deref());
    let problem = shown.map(|shown| texts.sentence(shown.code, shown.field(), &shown.detail));
    let wrong = shown.is_some_and(|shown| shown.status.is_client_error());
    let name_field = Field {
        name: "username",
        label: texts.username_or_email,
        kind: "text",
        autocomplete: "username",
        value: username,
        required: true,
        focus: username.is_empty(),
        wrong,
        hint: None,
    };
    let password_field = Field {
        name: "password",
        label: texts.password,
        kind: "password",
        autocomplete: "current-password",
        value: "",
        required: true,
        focus: !username.is_empty(),
        wrong,
        hint: None,
    };
    let main = html! {
        main.card {
            h1 { (texts.sign_in) }
            (alert(problem.as_deref()))
            form method="post" action=(action) {
                (name_field.markup())
                (password_field.markup())
                button type="submit" { (texts.sign_in) }
            }
            @if config.accounts.registration == Registration::Open {
                p.else {
                    (texts.no_account) " "
                    a href=(with_way_back(&format!("{base}/register"), back.as_deref())) { (texts.register) }
                }
            }
        }
    };
    Page { texts, config, title: texts.sign_in, problem: problem.as_deref(), script: false, main }.on(response)
}
