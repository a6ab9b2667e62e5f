//! What a person sees when a page cannot be shown.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpRequest, HttpResponse, web};
use maud::html;

use super::accepts_html;
use super::html::{Page, alert};
use super::texts::Texts;
use crate::config::Config;
use crate::error::Error;
use crate::routers::request::{is_guess, named_header};
use crate::routers::respond::{self, Shown};
use crate::routers::shared::Shared;

/// An error as a page of its own, with the error's status.
pub fn page(request: &HttpRequest, config: &Config, error: &Error) -> HttpResponse {
    explain(request, config, respond::response(error), &Shown::from(error))
}

fn explain(request: &HttpRequest, config: &Config, response: HttpResponse, shown: &Shown) -> HttpResponse {
    let texts = Texts::of(request);
    let sentence = texts.sentence(shown.code, shown.field(), &shown.detail);
    let main = html! {
        main.card {
            h1 { (texts.problem) }
            (alert(Some(&sentence)))
            p { a href={ (config.server.base_path) "/login" } { (texts.to_sign_in) } }
        }
    };
    Page { texts, config, title: texts.problem, problem: Some(&sentence), script: false, main }.on(response)
}

/// Around a page for somebody signed in: anybody else is led to the sign-in page, and every other error is a page too.
///
/// What is fetched ahead gets 401 instead, so that the browser drops it and asks again once it is wanted.
pub async fn lead_to_sign_in(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(shared) = request.app_data::<web::Data<Shared>>().cloned() else {
        return Ok(request.into_response(respond::response(&Error::Internal("no application".to_owned()))));
    };
    let config = &shared.app.config;
    let mut response = next.call(request).await?;
    let Some(shown) = response.response().extensions().get::<Shown>().cloned() else { return Ok(response) };
    if shown.status == StatusCode::UNAUTHORIZED {
        if is_navigation(response.request()) {
            let base = &config.server.base_path;
            let path = response.request().match_pattern().unwrap_or_default();
            if let Ok(location) = HeaderValue::try_from(format!("{base}/login?return_to={path}")) {
                response.headers_mut().insert(header::LOCATION, location);
                respond::redirect(response.response_mut());
            }
        }
        return Ok(response);
    }
    if !accepts_html(response.request()) {
        return Ok(response);
    }
    let (request, answer) = response.into_parts();
    let page = explain(&request, config, answer, &shown);
    Ok(ServiceResponse::new(request, page))
}

/// Whether a person waits for this page: not a script's fetch, nor a guess of the browser's.
fn is_navigation(request: &HttpRequest) -> bool {
    !is_guess(request) && named_header(request, "sec-fetch-mode").is_none_or(|mode| mode == "navigate")
}
