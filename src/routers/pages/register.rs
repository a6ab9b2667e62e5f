//! The page to register on, and what its form gets.

use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;

use super::html::{Field, Page, alert};
use super::login::arrive;
use super::return_to::{way_back, with_way_back};
use super::texts::Texts;
use super::{arrival, failure, is_signed_in, see_other};
use crate::error::Error;
use crate::routers::respond::{self, Failure, Shown};
use crate::routers::shared::Shared;
use crate::routers::{body, cross_site, log_in, register};
use crate::schemas::LoginRequest;
use crate::services::register::{self as registering, Input};

const FIELDS: [&str; 3] = ["username", "email", "password"];

/// The page to register on; somebody signed in is led on.
#[utoipa::path(
    get, path = "/register", tag = "pages", operation_id = "show_register",
    params(("return_to" = Option<String>, Query, description = "The way back: a path, or a URL on a host of gateway.return_hosts")),
    responses(
        (status = 200, description = "HTML", body = String, content_type = "text/html"),
        (status = 303, description = "Signed in already: to the way back, or to /account"),
        (status = 403, description = "Registration is closed", body = String, content_type = "text/html"),
    )
)]
pub async fn show_register(shared: web::Data<Shared>, request: HttpRequest) -> Result<HttpResponse, Failure> {
    if is_signed_in(&shared, &request).await {
        return Ok(see_other(&arrival(&shared, &request)));
    }
    if let Err(error) = registering::check_open(&shared.app) {
        return Ok(failure::page(&request, &shared.app.config, &error));
    }
    Ok(page(&shared, &request, HttpResponse::Ok().finish(), &Input::default(), None))
}

/// What the page's form gets: an account, a session and the way back, or the page again with the error's status.
pub async fn submit_register(shared: &Shared, request: &HttpRequest, payload: web::Payload) -> HttpResponse {
    let config = &shared.app.config;
    // Checked here and not for programs: the form's answer has cookies.
    let allowed =
        cross_site::check(request, request.method(), config).and_then(|()| registering::check_open(&shared.app));
    if let Err(error) = allowed {
        return failure::page(request, config, &error);
    }
    let again = |error: &Error, input: &Input| {
        page(shared, request, respond::response(error), input, Some(&Shown::from(error)))
    };
    let form = match body::form(request, payload).await {
        Ok(form) => form,
        Err(error) => return again(&error, &Input::default()),
    };
    let given = |name: &str| form.get(name).map(str::to_owned);
    let input = || Input { username: given("username"), email: given("email"), password: given("password") };
    if form.repeated(&FIELDS).is_some() || !form.has_only(&FIELDS) {
        return again(&Error::bad_request("A field came twice, or is not known here"), &input());
    }
    if let Err(error) = register::add_user(shared, request, input()).await {
        return again(&error, &input());
    }
    let sent = LoginRequest { username: given("username"), email: given("email"), password: given("password") };
    match log_in::open_session(shared, request, sent).await {
        Ok(opened) => arrive(shared, request, &opened),
        // There is an account now; the sign-in alone is to be done again.
        Err(_) => {
            let path = format!("{}/login", config.server.base_path);
            see_other(&with_way_back(&path, way_back(request, config).as_deref()))
        }
    }
}

fn page(
    shared: &Shared,
    request: &HttpRequest,
    response: HttpResponse,
    input: &Input,
    shown: Option<&Shown>,
) -> HttpResponse {
    let (config, texts) = (&shared.app.config, Texts::of(request));
    let base = &config.server.base_path;
    let back = way_back(request, config);
    let action = with_way_back(&format!("{base}/register"), back.as_deref());
    let problem = shown.map(|shown| texts.sentence(shown.code, shown.field(), &shown.detail));
    let wrong_field = shown.map(|shown| shown.field().unwrap_or("username"));
    let field = |name: &'static str, label: &'static str, kind: &'static str, autocomplete: &'static str| Field {
        name,
        label,
        kind,
        autocomplete,
        value: "",
        required: name == "password",
        focus: wrong_field.unwrap_or("username") == name,
        wrong: wrong_field == Some(name),
        hint: Some(if name == "password" { "password-hint" } else { "names-hint" }),
    };
    let username = field("username", texts.username, "text", "username");
    let email = field("email", texts.email, "email", "email");
    let password = field("password", texts.password, "password", "new-password");
    let main = html! {
        main.card {
            h1 { (texts.register) }
            (alert(problem.as_deref()))
            form method="post" action=(action) {
                p.hint id="names-hint" { (texts.names_hint) }
                (Field { value: input.username.as_deref().unwrap_or_default(), ..username }.markup())
                (Field { value: input.email.as_deref().unwrap_or_default(), ..email }.markup())
                (password.markup())
                p.hint id="password-hint" { (texts.password_rule(config.passwords.min_length)) }
                button type="submit" { (texts.register) }
            }
            p.else {
                (texts.have_account) " "
                a href=(with_way_back(&format!("{base}/login"), back.as_deref())) { (texts.sign_in) }
            }
        }
    };
    Page { texts, config, title: texts.register, problem: problem.as_deref(), script: false, main }.on(response)
}
