//! Signs requests in: by an access token if one is good, else by refreshing, silently, while the request goes on.
//!
//! Handlers behind this know nothing of it: they find an [`Identity`] among the request's extensions. On the way out the
//! cookies are added, whatever the handler answered.

use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, web};

use super::request::{self, Bearer};
use super::shared::Shared;
use super::{cookies, cross_site, respond};
use crate::app::App;
use crate::error::{Error, Refusal};
use crate::services::authenticate::{self, Identity, Unusable};
use crate::services::refresh::{self, Delivery, Occasion, Refreshed, Refused, Rotation};
use crate::services::scopes::Asking;
use crate::types::{Event, EventName, Instant};

/// Which requests a route signs in, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By an access token, or a refresh if there is none that is good.
    WhenNeeded,
    /// By the refresh cookie alone, at once.
    Now,
    /// For a gateway that asks about another request: that one's method counts for the cross-site check.
    Gateway(Rotation),
}

impl Mode {
    fn rotation(self) -> Rotation {
        match self {
            Self::Gateway(rotation) => rotation,
            Self::WhenNeeded | Self::Now => Rotation::Allowed,
        }
    }
}

/// How a request came to be signed in, or why it is not.
enum Verdict {
    SignedIn(Identity),
    Refreshed(Box<Refreshed>),
    Refused { refusal: Refusal, clear_cookies: bool, since: Instant },
}

/// The middleware of every route that needs somebody signed in.
pub async fn silent_refresh(
    mode: Mode,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    let Some(shared) = request.app_data::<web::Data<Shared>>().cloned() else {
        return Ok(request.into_response(respond::response(&Error::Internal("no application".to_owned()))));
    };
    match authenticate(&shared, request.request(), mode).await {
        Err(error) => {
            let mut response = request.into_response(respond::response(&error));
            mark_personal(&mut response);
            Ok(response)
        }
        Ok(Verdict::Refused { refusal, clear_cookies, since }) => {
            // Not what ran out or was never a token: that is everyday life.
            if refusal == Refusal::InvalidToken {
                shared.note(request.request(), &Event::refused(EventName::TokenRefused));
            }
            let mut response = respond::response(&refusal.into());
            let in_time = elapsed(&shared.app, since) <= shared.app.config.sessions.emit_deadline;
            if clear_cookies && in_time && mode.rotation() == Rotation::Allowed {
                cookies::clear(response.headers_mut(), &shared.app.config.cookies);
            }
            let mut response = request.into_response(response);
            mark_personal(&mut response);
            Ok(response)
        }
        Ok(Verdict::SignedIn(identity)) => {
            request.extensions_mut().insert(identity);
            let mut response = handle(request, next).await;
            mark_personal(&mut response);
            Ok(response)
        }
        Ok(Verdict::Refreshed(refreshed)) => {
            request.extensions_mut().insert(Identity::from(refreshed.as_ref()));
            let mut response = handle(request, next).await;
            mark_personal(&mut response);
            deliver(&shared, &mut response, &refreshed, mode.rotation()).await;
            Ok(response)
        }
    }
}

/// Runs the rest of the request. An error becomes a response here: passed on as an error it would lose the cookies.
async fn handle(request: ServiceRequest, next: Next<impl MessageBody + 'static>) -> ServiceResponse<BoxBody> {
    // This stands around one resource, behind all routing, which a clone of the request would be in the way of.
    let kept = request.request().clone();
    match next.call(request).await {
        Ok(response) => response.map_into_boxed_body(),
        Err(error) => ServiceResponse::from_err(error, kept),
    }
}

async fn authenticate(shared: &Shared, request: &HttpRequest, mode: Mode) -> Result<Verdict, Error> {
    let app = &shared.app;
    let since = app.clock.instant();
    let refused = |refusal| Ok(Verdict::Refused { refusal, clear_cookies: false, since });
    if mode != Mode::Now {
        match request::bearer(request) {
            Bearer::Repeated => return Err(Error::RepeatedAuthorization),
            Bearer::Token(token) => {
                return match check_access_tokens(shared, &[token]).await? {
                    Ok(identity) => Ok(Verdict::SignedIn(identity)),
                    Err(unusable) => refused(unusable.refusal),
                };
            }
            Bearer::Absent => {}
        }
    }
    let presented = cookies::presented(request, &app.config.cookies);
    if presented.is_empty() {
        return refused(Refusal::NotAuthenticated);
    }
    // Before anything is looked up or rotated.
    let method = match mode {
        Mode::Gateway(_) => request::forwarded_method(request),
        Mode::WhenNeeded | Mode::Now => request.method().clone(),
    };
    cross_site::check(request, &method, &app.config)?;
    let unusable = match mode {
        Mode::Now => Unusable { refusal: Refusal::NotAuthenticated, revoked: None },
        Mode::WhenNeeded | Mode::Gateway(_) => match check_access_tokens(shared, &presented.access).await? {
            Ok(identity) => return Ok(Verdict::SignedIn(identity)),
            Err(unusable) => unusable,
        },
    };
    let may_refresh = method != Method::OPTIONS && !cross_site::is_cross_site_subresource(request, &app.config);
    if presented.refresh.is_empty() || !may_refresh {
        let clear_cookies = unusable.revoked.is_some_and(refresh::clears_cookies);
        return Ok(Verdict::Refused { refusal: unusable.refusal, clear_cookies, since });
    }
    let candidates = match refresh::candidates(app, presented.refresh.iter().copied()) {
        Ok(candidates) => candidates,
        Err(refusal) => return refused(refusal.refusal()),
    };
    if !app.revocations.is_loaded() {
        return Err(Error::NotReady("the revoked sessions were not loaded yet"));
    }
    let place = Some(request::place(request));
    let occasion =
        Occasion { device: request::device(request), asking: Asking::first_party(), rotation: mode.rotation(), place };
    let outcome = shared
        .blocking(request, move |app, connection| refresh::refresh(app, connection, &candidates, &occasion))
        .await?;
    Ok(match outcome {
        Ok(refreshed) => Verdict::Refreshed(Box::new(refreshed)),
        Err(refused) => refused_by_engine(refused, since),
    })
}

/// A key that another replica signs with already is read before its token is refused.
pub(super) async fn check_access_tokens(shared: &Shared, texts: &[&str]) -> Result<Result<Identity, Unusable>, Error> {
    let checked = authenticate::check_access_tokens(&shared.app, texts.iter().copied())?;
    if checked.is_ok() || !shared.read_keys_for(texts.iter().copied()).await {
        return Ok(checked);
    }
    authenticate::check_access_tokens(&shared.app, texts.iter().copied())
}

fn refused_by_engine(refused: Refused, since: Instant) -> Verdict {
    Verdict::Refused { refusal: refused.refusal(), clear_cookies: refused.clears_cookies(), since }
}

fn elapsed(app: &App, since: Instant) -> Duration {
    app.clock.instant().saturating_duration_since(since)
}

/// Adds what a refresh minted to the answer, unless it is too late or the session ended meanwhile.
async fn deliver(shared: &Shared, response: &mut ServiceResponse<BoxBody>, refreshed: &Refreshed, rotation: Rotation) {
    let app = &shared.app;
    let verdict = HeaderValue::from_static(refreshed.verdict.as_str());
    response.headers_mut().insert(HeaderName::from_static("x-auth-refresh"), verdict);
    if rotation == Rotation::Never || cookies::are_set(response.headers(), &app.config.cookies) {
        return;
    }
    let mut delivery = refresh::delivery(app, refreshed);
    if delivery == Delivery::Recheck {
        let id = refreshed.session.id;
        let live = shared.blocking(response.request(), move |_, connection| refresh::is_live(connection, id)).await;
        // Dropping both cookies is always safe: the client still holds the predecessor.
        delivery = if live.unwrap_or(false) { refresh::delivery(app, refreshed) } else { Delivery::Revoked };
    }
    match delivery {
        Delivery::Good | Delivery::Recheck => {
            let left = refreshed.access.expires_at().left_at(app.clock.now());
            let headers = response.headers_mut();
            cookies::set(headers, &app.config.cookies, &refreshed.access, left, refreshed.refresh.as_ref());
        }
        Delivery::TooLate => app.metrics.cookies_withheld.with_label_values(&["late"]).inc(),
        Delivery::Revoked => app.metrics.cookies_withheld.with_label_values(&["revoked"]).inc(),
    }
}

/// What depends on who asks is for nobody's cache, a refusal too.
fn mark_personal(response: &mut ServiceResponse<BoxBody>) {
    respond::insert_if_absent(response.headers_mut(), header::CACHE_CONTROL, "no-store");
}
