//! A panic is a 500, and the service goes on. In this process, where a handler can be made to panic.

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::test::{TestRequest, call_service, init_service, try_call_service};
use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tacit::app::App;
use tacit::config::{Overrides, load};
use tacit::error::Error;
use tacit::routers::{Listener, Shared};
use tacit::types::Clock;
use tempfile::TempDir;

use crate::problems;

fn shared(directory: &TempDir) -> web::Data<Shared> {
    let data = directory.path().display();
    let set = [("data.dir", data.to_string()), ("database.url", format!("sqlite://{data}/tacit.db"))];
    let set = set.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let loaded = load(&Overrides { file: None, set }).expect("a configuration");
    web::Data::new(Shared::new(Arc::new(App::build(loaded.config, Clock::default()).expect("an application"))))
}

async fn panic_at_once() -> HttpResponse {
    panic!("a secret cause in src/secret.rs")
}

async fn panic_in_blocking_work(shared: web::Data<Shared>, request: HttpRequest) -> HttpResponse {
    let outcome: Result<(), Error> = shared.blocking(&request, |_, _| panic!("a secret cause")).await;
    assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
    HttpResponse::Ok().finish()
}

async fn panic_while_hashing(shared: web::Data<Shared>) -> HttpResponse {
    let outcome: Result<(), Error> = shared.hashing(|_| panic!("a secret cause")).await;
    assert!(matches!(outcome, Err(Error::Internal(_))), "{outcome:?}");
    HttpResponse::Ok().finish()
}

#[tokio::test]
async fn a_handler_that_panics_is_a_500_problem_and_the_service_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let shared = shared(&directory);
    let app = tacit::service!(shared.clone(), Listener::Public, |config: &mut web::ServiceConfig| {
        config.route("/boom", web::to(panic_at_once));
    });
    let service = init_service(app).await;
    for count in 1..=3 {
        let request = TestRequest::get().uri("/boom").insert_header(("x-request-id", "the-one")).to_request();
        let answer = match try_call_service(&service, request).await {
            Ok(answer) => answer.into_parts().1,
            // As the server does with what no middleware answered.
            Err(error) => error.error_response(),
        };
        let status = answer.status().as_u16();
        let mut headers = HeaderMap::new();
        for (name, value) in answer.headers() {
            let name = HeaderName::try_from(name.as_str()).unwrap();
            headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let body = to_bytes(answer.into_body()).await.unwrap();
        let text = std::str::from_utf8(&body).unwrap();
        let problem = problems::check(status, &headers, text);
        assert!(problem.is(500, "internal_error"), "{problem:?}");
        assert_eq!(headers["cache-control"], "no-store");
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(problem.body["request_id"], "the-one");
        assert_eq!(shared.app.metrics.panics.get(), count);
        let healthy = call_service(&service, TestRequest::get().uri("/healthz").to_request()).await;
        assert_eq!(healthy.status(), 200);
    }
}

#[tokio::test]
async fn work_that_panics_on_another_thread_is_an_error_and_the_threads_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let shared = shared(&directory);
    let app = tacit::service!(shared.clone(), Listener::Public, |config: &mut web::ServiceConfig| {
        config.route("/blocking", web::to(panic_in_blocking_work)).route("/hashing", web::to(panic_while_hashing));
    });
    let service = init_service(app).await;
    // More often than there are connections, permits or hashing threads to lose.
    for _ in 0..30 {
        for uri in ["/blocking", "/hashing"] {
            assert_eq!(call_service(&service, TestRequest::get().uri(uri).to_request()).await.status(), 200, "{uri}");
        }
    }
    let hashed = shared.hashing(|_| Ok(42)).await;
    assert_eq!(hashed.unwrap(), 42);
}
