//! What operators and their tools ask.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::pages;
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::app::{App, Readings};
use crate::error::Error;
use crate::models::migrations;
use crate::schemas::{HealthResponse, IndexResponse, Problem, ReadinessResponse};
use crate::services::revocations;
use crate::types::SigningAlgorithm;

/// Whether the process lives.
#[utoipa::path(
    get, path = "/healthz", tag = "operations", operation_id = "show_health",
    responses((status = 200, description = "Alive", body = HealthResponse))
)]
pub async fn show_health() -> HttpResponse {
    respond::ok(&HealthResponse { status: "ok" })
}

/// Whether requests can be answered: the database, its migrations and the revocation poll.
#[utoipa::path(
    get, path = "/readyz", tag = "operations", operation_id = "show_readiness",
    responses(
        (status = 200, description = "Ready", body = ReadinessResponse),
        (status = 503, description = "Not ready", body = Problem, content_type = "application/problem+json"),
    )
)]
pub async fn show_readiness(shared: web::Data<Shared>, request: HttpRequest) -> Result<HttpResponse, Failure> {
    let outdated = shared.blocking(&request, |_, connection| migrations::is_pending(connection)).await?;
    if outdated {
        return Err(Error::NotReady("the schema is older than this binary").into());
    }
    let revocation_poll_age = revocations::age(&shared.app)?.as_secs();
    Ok(respond::ok(&ReadinessResponse { status: "ready", revocation_poll_age }))
}

/// Prometheus metrics.
#[utoipa::path(
    get, path = "/metrics", tag = "operations", operation_id = "show_metrics",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"))
)]
pub async fn show_metrics(shared: web::Data<Shared>) -> HttpResponse {
    let app = &shared.app;
    let (pool_connections, pool_idle) = app.database.connections();
    let readings = Readings {
        sign_ins_waiting: app.gate.waiting(),
        hash_queue_waiting: app.hasher.waiting(),
        pool_connections,
        pool_idle,
        revoked_sessions: app.revocations.sizes().0,
        revocation_poll_age: app
            .revocations
            .polled()
            .map(|polled| app.clock.instant().saturating_duration_since(polled)),
        access_keys: count_access_keys(app),
        signing_algorithm: app.access_keys.signing_algorithm(),
    };
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(app.metrics.render(&readings))
}

fn count_access_keys(app: &App) -> Vec<(SigningAlgorithm, usize)> {
    let all = app.access_keys.all();
    let of = |algorithm| all.iter().filter(|key| key.algorithm == algorithm).count();
    SigningAlgorithm::ALL.into_iter().map(|algorithm| (algorithm, of(algorithm))).collect()
}

/// What this is, and where its documentation stands; a browser is led to the account page.
#[utoipa::path(
    get, path = "/", tag = "operations", operation_id = "show_index",
    responses(
        (status = 200, description = "The service", body = IndexResponse),
        (status = 303, description = "A browser: to /account"),
    )
)]
pub async fn show_index(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    let server = &shared.app.config.server;
    let mut response = if pages::accepts_html(&request) {
        pages::see_other(&format!("{}/account", server.base_path))
    } else {
        respond::ok(&IndexResponse { name: "tacit", docs: format!("{}/docs", server.base_url()) })
    };
    response.headers_mut().insert(header::VARY, header::HeaderValue::from_static("Accept"));
    response
}
