//! The middleware around handlers of the test's own, and single statements, in this process.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, Service, ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service};
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, web};
use tacit::config::Overrides;
use tacit::models::session::{self, Device, RevokedReason};
use tacit::routers::{Mode, Shared, silent_refresh};
use tacit::services::{authenticate::Identity, refresh_token::RefreshToken, revocations};
use tacit::types::Clock;

use super::{ACCESS_SECRET, REFRESH_SECRET, garbage, pass_window, reason, refresh_cookie, replica};
use crate::app::{Home, Tacit, eventually};
use crate::jar::{ACCESS, REFRESH};

/// Another replica, without a server.
fn app_in(home: &Home, settings: &[(&str, &str)]) -> Arc<tacit::app::App> {
    let directory = home.directory.path().join("in-process").display().to_string();
    let url = home.database.url();
    let always = [
        ("database.url", url.as_str()),
        ("data.dir", directory.as_str()),
        ("tokens.issuer", "http://tacit.test"),
        ("tokens.secret", ACCESS_SECRET),
        ("sessions.secret", REFRESH_SECRET),
        ("sessions.grace", "40s"),
        ("sessions.emit_deadline", "10s"),
    ];
    let set = always.iter().chain(settings).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let config = tacit::config::load(&Overrides { file: None, set }).expect("a configuration").config;
    let app = Arc::new(tacit::app::App::build(config, Clock::default()).expect("an application"));
    revocations::poll(&app).expect("the revocations");
    app
}

/// A replica with a server, a replica in this process, and the first refresh token of ada's.
async fn two_kinds_of_replica() -> (Tacit, Arc<tacit::app::App>, String) {
    let tacit = replica().start().await;
    let token = tacit.new_session("ada").await.refresh().to_owned();
    let app = app_in(&tacit.home, &[]);
    (tacit, app, token)
}

/// What an answer held: its status and the names of the cookies it set.
async fn answer(app: &Arc<tacit::app::App>, path: &str, token: &str) -> (u16, Option<String>, Vec<String>) {
    let shared = web::Data::new(Shared::new(Arc::clone(app)));
    let signs_in = || from_fn(|request, next: Next<BoxBody>| silent_refresh(Mode::WhenNeeded, request, next));
    let status = |status: u16| {
        move |request: HttpRequest| {
            let known = request.extensions().get::<Identity>().and_then(|who| who.username.clone());
            assert_eq!(known.as_deref(), Some("ada"));
            let mut response = HttpResponse::build(status.try_into().expect("a status"));
            ready(response.insert_header((header::LOCATION, "/elsewhere")).finish())
        }
    };
    let service = init_service(
        actix_web::App::new()
            .app_data(shared)
            .service(web::resource("/200").wrap(signs_in()).to(status(200)))
            .service(web::resource("/302").wrap(signs_in()).to(status(302)))
            .service(web::resource("/304").wrap(signs_in()).to(status(304)))
            .service(web::resource("/404").wrap(signs_in()).to(status(404)))
            .service(web::resource("/500").wrap(signs_in()).to(status(500)))
            .service(web::resource("/extractor").wrap(signs_in()).to(|_: Refuses| ready(HttpResponse::Ok().finish())))
            .service(web::resource("/handler").wrap(signs_in()).to(|| ready(fails())))
            .service(web::resource("/inner").wrap(from_fn(fails_inside)).wrap(signs_in()).to(HttpResponse::Ok))
            .service(web::resource("/slow").wrap(signs_in()).to(slow)),
    )
    .await;
    let request = TestRequest::get().uri(path).insert_header((header::COOKIE, refresh_cookie(token)));
    let response = service.call(request.to_request()).await.expect("an answer, not an error");
    let text = |value: &header::HeaderValue| value.to_str().expect("ASCII").to_owned();
    let verdict = response.headers().get("x-auth-refresh").map(text);
    let name = |value: &header::HeaderValue| text(value).split('=').next().unwrap_or_default().to_owned();
    let cookies = response.headers().get_all(header::SET_COOKIE).map(name).collect();
    (response.status().as_u16(), verdict, cookies)
}

/// An argument of a handler that refuses every request.
struct Refuses;

impl FromRequest for Refuses {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, Self::Error>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Err(actix_web::error::ErrorUnprocessableEntity("refused")))
    }
}

fn fails() -> Result<HttpResponse, actix_web::Error> {
    Err(actix_web::error::ErrorBadGateway("failed"))
}

async fn fails_inside(_: ServiceRequest, _: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, actix_web::Error> {
    Err(actix_web::error::ErrorImATeapot("failed"))
}

/// Longer than a swap may be ago without another look at the session.
async fn slow() -> HttpResponse {
    tokio::time::sleep(Duration::from_millis(1200)).await;
    HttpResponse::Ok().finish()
}

#[tokio::test]
async fn cookies_are_set_whatever_the_handler_answers() {
    for (path, status) in [
        ("/200", 200),
        ("/302", 302),
        ("/304", 304),
        ("/404", 404),
        ("/500", 500),
        ("/extractor", 422),
        ("/handler", 502),
        ("/inner", 418),
    ] {
        let (_tacit, app, first) = two_kinds_of_replica().await;
        let (got, verdict, cookies) = answer(&app, path, &first).await;
        assert_eq!((got, verdict.as_deref()), (status, Some("rotated")), "{path}");
        assert_eq!(cookies, [ACCESS, REFRESH], "{path}");
    }
}

#[tokio::test]
async fn a_late_answer_looks_again_whether_the_session_still_lives() {
    let (tacit, app, first) = two_kinds_of_replica().await;
    let (status, verdict, cookies) = answer(&app, "/slow", &first).await;
    assert_eq!((status, verdict.as_deref(), cookies.len()), (200, Some("rotated"), 2));

    let first = tacit.log_in("ada").await.refresh().to_owned();
    let sign_out = async {
        let rotated = "SELECT COUNT(*) AS value FROM sessions WHERE generation = 1";
        assert!(eventually(async || tacit.home.database.number(rotated) == 2).await, "it never refreshed");
        // On another replica: this one never hears of it.
        tacit.post("/logout").header("cookie", refresh_cookie(&first)).send().await.expect("an answer");
    };
    let ((status, verdict, cookies), ()) = tokio::join!(answer(&app, "/slow", &first), sign_out);
    assert_eq!((status, verdict.as_deref()), (200, Some("rotated")));
    assert_eq!(cookies, Vec::<String>::new());
}

#[tokio::test]
async fn a_confirmation_delayed_past_the_next_rotation_changes_nothing() {
    let (tacit, app, first) = two_kinds_of_replica().await;
    let phase = || tacit.home.database.number("SELECT CAST(phase AS BIGINT) AS value FROM sessions");
    let second = super::rotate(&tacit, &first).await;
    pass_window(&tacit.home);
    // Generation 1 is reissued; a request with one of its branches reads that, and its confirmation hangs.
    assert_eq!(super::present(&tacit, &first).await.outcome(), (200, "reissued"));
    let id = RefreshToken::decode_expired(&garbage::keys(REFRESH_SECRET), &first).expect("a token").session_id;
    pass_window(&tacit.home);
    super::rotate(&tacit, &second).await;
    pass_window(&tacit.home);
    // Generation 2 is reissued as well.
    assert_eq!(super::present(&tacit, &second).await.outcome(), (200, "reissued"));
    assert_eq!(phase(), 1);

    let mut connection = app.database.connection().expect("a connection");
    assert_eq!(session::confirm(&mut connection, id, 1), Ok(0));
    assert_eq!(phase(), 1);
    // The victim of a wrong confirmation would be this one.
    pass_window(&tacit.home);
    assert_eq!(super::present(&tacit, &second).await.outcome(), (200, "reissued"));
    assert_eq!(session::confirm(&mut connection, id, 2), Ok(1));
    assert_eq!(phase(), 2);
}

#[tokio::test]
async fn every_statement_on_a_revoked_session_changes_nothing() {
    let (tacit, app, first) = two_kinds_of_replica().await;
    let id = RefreshToken::decode_expired(&garbage::keys(REFRESH_SECRET), &first).expect("a token").session_id;
    let mut connection = app.database.connection().expect("a connection");
    let connection = &mut *connection;
    assert_eq!(session::revoke(connection, id, RevokedReason::Logout), Ok(1));
    assert_eq!(session::revoke(connection, id, RevokedReason::Reuse), Ok(0));
    assert_eq!(session::rotate(connection, id, 0, &[1; 8], &Device::default()), Ok(0));
    assert_eq!(session::reissue(connection, id, 0), Ok(0));
    assert_eq!(session::fast_forward(connection, id, 0, 3), Ok(0));
    tacit.home.database.execute("UPDATE sessions SET phase = 1");
    assert_eq!(session::confirm(connection, id, 0), Ok(0));
    assert_eq!(reason(&tacit.home).as_deref(), Some("logout"));
}

#[tokio::test]
async fn a_statement_that_saw_another_generation_changes_nothing() {
    let (tacit, app, first) = two_kinds_of_replica().await;
    let id = RefreshToken::decode_expired(&garbage::keys(REFRESH_SECRET), &first).expect("a token").session_id;
    let mut connection = app.database.connection().expect("a connection");
    let connection = &mut *connection;
    assert_eq!(session::rotate(connection, id, 1, &[1; 8], &Device::default()), Ok(0));
    assert_eq!(session::reissue(connection, id, 1), Ok(0));
    assert_eq!(session::fast_forward(connection, id, 1, 3), Ok(0));
    tacit.home.database.execute("UPDATE sessions SET phase = 2");
    assert_eq!(session::reissue(connection, id, 0), Ok(0));
    assert_eq!(super::generation(&tacit.home), 0);
}
