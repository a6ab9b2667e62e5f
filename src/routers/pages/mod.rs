//! The pages that people sign in with: plain HTML from the binary, whose forms work without JavaScript.
//!
//! A page's form is a POST like any other: the handlers of /login, /register and /logout do the work, and what this
//! module adds is the shape of the answer. Texts are in `texts`, one file a language; markup is escaped by maud.

mod account;
mod assets;
mod failure;
mod html;
mod login;
mod register;
mod return_to;
mod texts;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};

pub use account::*;
pub use assets::*;
pub use failure::lead_to_sign_in;
pub use login::*;
pub use register::*;
pub use return_to::way_back;

use super::shared::Shared;
use super::{body, cookies, request, silent_refresh};
use crate::services::refresh::{self, Occasion, Rotation};
use crate::services::scopes::Asking;

/// Whether a page's form was sent: URL-encoded, by something that shows HTML.
pub fn is_form(request: &HttpRequest) -> bool {
    body::is_urlencoded(request) && accepts_html(request)
}

/// Whether `Accept` names text/html.
pub fn accepts_html(request: &HttpRequest) -> bool {
    let lines = request.headers().get_all(header::ACCEPT).filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        let refused = parts.any(|part| part.strip_prefix("q=").and_then(|q| q.parse().ok()) == Some(0.0));
        is_html && !refused
    })
}

/// Leads a browser on with GET, whatever it sent.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .append_header((header::VARY, "Cookie"))
        .finish()
}

/// Whether a page that asks for a sign-in would be asking in vain. Nothing is refreshed: the page that follows does that.
async fn is_signed_in(shared: &Shared, request: &HttpRequest) -> bool {
    let presented = cookies::presented(request, &shared.app.config.cookies);
    if matches!(silent_refresh::check_access_tokens(shared, &presented.access).await, Ok(Ok(_))) {
        return true;
    }
    if presented.refresh.is_empty() || !shared.app.revocations.is_loaded() {
        return false;
    }
    let Ok(candidates) = refresh::candidates(&shared.app, presented.refresh.iter().copied()) else { return false };
    let (device, asking) = (request::device(request), Asking::first_party());
    let occasion = Occasion { device, asking, rotation: Rotation::Never, place: None };
    let asked =
        shared.blocking(request, move |app, connection| refresh::refresh(app, connection, &candidates, &occasion));
    matches!(asked.await, Ok(Ok(_)))
}

/// Where a sign-in leads.
fn arrival(shared: &Shared, request: &HttpRequest) -> String {
    let config = &shared.app.config;
    return_to::way_back(request, config).unwrap_or_else(|| format!("{}/account", config.server.base_path))
}
