//! HTTP, and nothing but HTTP. [`routes`] is the whole surface as one table.

mod about_token;
mod body;
mod client;
mod cookies;
mod cross_site;
mod docs;
mod extract;
mod gateway;
mod introspect;
mod jwks;
mod log_in;
mod log_out;
mod me;
mod metadata;
mod observe;
mod operations;
mod pages;
#[doc(hidden)]
pub mod parsers;
mod protected;
mod refresh;
mod register;
mod request;
mod respond;
mod revocations;
mod revoke;
mod route;
mod sessions;
mod shared;
mod sign_in;
mod silent_refresh;
mod token;
mod verify;

use actix_web::middleware::Condition;
use actix_web::web;

pub use cookies::{ACCESS_COOKIES, DEVICE_COOKIES, REFRESH_COOKIES};
pub use docs::openapi;
pub use gateway::Mount;
pub use observe::observe;
pub use route::{Listener, Policy, Route};
pub use shared::Shared;
pub use silent_refresh::{Mode, silent_refresh};
pub use verify::IDENTITY_HEADERS;

pub use crate::services::refresh::Rotation;

use crate::config::Config;
use route::route;

/// Where errors carry OAuth's own `error` member too, and every answer is `no-store`.
const OAUTH_PATHS: [&str; 4] = ["/token", "/introspect", "/revoke", "/revocations"];

/// Every route: path, who may call it, and its methods. GET brings HEAD along; every path answers with and without a
/// trailing slash; any other method is 405 with Allow.
///
/// Middleware, outermost first: `observe` (id, metrics, headers, panics), then by policy: CORS, except for gateways, whose
/// yes no preflight may get, and `silent_refresh`, which checks for cross-site requests before it looks at a cookie.
pub fn routes() -> Vec<Route> {
    use Listener::{Both, Internal, Public};
    use Policy::{Anyone, Client, Gateway, Page, RefreshCookie, SignedIn};
    use gateway::{NGINX, NGINX_ACCESS, PLAIN, PLAIN_ACCESS};
    vec![
        // First what is asked most: the router tries one after the other.
        route("/verify", Gateway(PLAIN), Internal).any(verify::verify_request),
        route("/verify/access", Gateway(PLAIN_ACCESS), Internal).any(verify::verify_request),
        route("/verify/nginx", Gateway(NGINX), Internal).any(verify::verify_request),
        route("/verify/nginx/access", Gateway(NGINX_ACCESS), Internal).any(verify::verify_request),
        route("/register", Anyone, Public).get(pages::show_register).post(register::register_user),
        route("/login", Anyone, Public).get(pages::show_login).post(log_in::create_login),
        route("/token", Anyone, Public).post(token::create_token),
        route("/refresh", RefreshCookie, Public).post(refresh::refresh_session),
        route("/logout", Anyone, Public).post(log_out::log_out),
        route("/logout/all", SignedIn, Public).post(log_out::log_out_everywhere),
        route("/logout/others", SignedIn, Public).post(log_out::log_out_others),
        route("/me", SignedIn, Public).get(me::show_me).patch(me::update_me),
        route("/me/password", SignedIn, Public).post(me::change_password),
        route("/sessions", SignedIn, Public).get(sessions::list_sessions),
        route("/sessions/{id}", SignedIn, Public).delete(sessions::delete_session),
        route("/protected", SignedIn, Public).get(protected::show_protected),
        route("/admin", SignedIn, Public).get(protected::show_admin),
        route("/account", Page, Public).get(pages::show_account),
        route("/verify/role/{role}", Gateway(PLAIN), Internal).any(verify::verify_request),
        route("/verify/access/role/{role}", Gateway(PLAIN_ACCESS), Internal).any(verify::verify_request),
        route("/verify/nginx/role/{role}", Gateway(NGINX), Internal).any(verify::verify_request),
        route("/verify/nginx/access/role/{role}", Gateway(NGINX_ACCESS), Internal).any(verify::verify_request),
        route("/verify/scope/{scope}", Gateway(PLAIN), Internal).any(verify::verify_request),
        route("/verify/access/scope/{scope}", Gateway(PLAIN_ACCESS), Internal).any(verify::verify_request),
        route("/verify/nginx/scope/{scope}", Gateway(NGINX), Internal).any(verify::verify_request),
        route("/verify/nginx/access/scope/{scope}", Gateway(NGINX_ACCESS), Internal).any(verify::verify_request),
        route("/verify/envoy{rest:.*}", Gateway(PLAIN), Internal).any(verify::verify_request),
        route("/introspect", Client, Public).post(introspect::introspect_token),
        route("/revoke", Anyone, Public).post(revoke::revoke_token),
        route("/revocations", Client, Public).get(revocations::list_revocations),
        route(metadata::PATH, Anyone, Public).get(metadata::show_server_metadata),
        route(jwks::PATH, Anyone, Public).get(jwks::show_jwks),
        route("/healthz", Anyone, Both).get(operations::show_health),
        route("/readyz", Anyone, Internal).get(operations::show_readiness),
        route("/metrics", Anyone, Internal).get(operations::show_metrics),
        route("/openapi.json", Anyone, Public).get(docs::show_openapi),
        route("/docs", Anyone, Public).get(docs::show_docs),
        route("/docs/{file}", Anyone, Public).get(docs::show_docs_file),
        route("/assets/tacit/{file}", Anyone, Public).get(pages::show_asset),
        route("/", Anyone, Public).get(operations::show_index),
    ]
}

/// The application for one listener, as the server and tests build it; a third argument configures routes of a test's own.
#[macro_export]
macro_rules! service {
    ($shared:expr, $listener:expr $(, $extra:expr)?) => {{
        let shared: actix_web::web::Data<$crate::routers::Shared> = $shared;
        actix_web::App::new()
            .app_data(shared.clone())
            $(.configure($extra))?
            .configure(|config| $crate::routers::configure(config, &shared, $listener))
            .wrap(actix_web::middleware::from_fn($crate::routers::observe))
    }};
}

/// The pattern of every path that no route has.
const UNMATCHED: &str = "{unmatched:.*}";

/// CORS, where origins are listed.
fn cors(config: &Config) -> Condition<actix_cors::Cors> {
    Condition::new(!config.cross_site.allowed_origins.is_empty(), cross_site::cors(config))
}

/// Registers the routes of a listener, and 404 for everything else.
pub fn configure(config: &mut web::ServiceConfig, shared: &Shared, listener: Listener) {
    let separate = shared.app.config.server.internal_listen.is_some();
    for route in routes().into_iter().filter(|route| route.answers_on(listener, separate)) {
        route.register(config, &shared.app.config);
    }
    let base_path = &shared.app.config.server.base_path;
    let well_known = route(metadata::PATH, Policy::Anyone, Listener::Public).get(metadata::show_server_metadata);
    if !base_path.is_empty() && well_known.answers_on(listener, separate) {
        // The standard puts the base path behind the well-known one, and so outside of it.
        well_known.register_at(format!("{}{base_path}", metadata::PATH), config, &shared.app.config);
    }
    // Not a default service, which cannot be wrapped: a listed origin's page may read this answer too.
    let nothing = web::to(|| async { respond::response(&crate::error::Error::NotFound) });
    config.service(web::resource(UNMATCHED).default_service(nothing).wrap(cors(&shared.app.config)));
}
