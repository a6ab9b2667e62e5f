//! A protected route in actix-web. Settings come from the environment; ../README.md has them all.

#![expect(clippy::disallowed_methods, reason = "a program of its own, to which the service's rules do not apply")]

mod tacit;

use std::env::var;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, rt, web};
use serde_json::json;
use tacit::{Claims, Error, Keys, Published, Revocations, Verifier};

fn setting(name: &str, default: &str) -> String {
    var(name).unwrap_or_else(|_| default.to_owned())
}

/// The token of an Authorization header, its scheme in any case.
fn bearer(request: &HttpRequest) -> Option<&str> {
    let (scheme, token) = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Who asks, or the answer to somebody who is not signed in (RFC 6750, section 3).
async fn signed_in(verifier: &Verifier, request: &HttpRequest) -> Result<Claims, HttpResponse> {
    let refusal = |challenge: &str, detail: &str| {
        HttpResponse::Unauthorized().insert_header(("WWW-Authenticate", challenge)).json(json!({"detail": detail}))
    };
    let Some(token) = bearer(request) else { return Err(refusal("Bearer", "Not authenticated")) };
    verifier.verify(token).await.map_err(|error| match error {
        // Why is nobody else's business.
        Error::Refused => refusal("Bearer error=\"invalid_token\"", "Invalid or expired token"),
        Error::Unavailable => {
            HttpResponse::ServiceUnavailable().insert_header(("Retry-After", "1")).json(json!({"detail": "Try again"}))
        }
    })
}

async fn hello(verifier: web::Data<Verifier>, request: HttpRequest) -> HttpResponse {
    match signed_in(&verifier, &request).await {
        Err(answer) => answer,
        Ok(user) => HttpResponse::Ok().json(json!({"user_id": user.sub, "username": user.username, "role": user.role})),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = setting("TACIT_ISSUER", "http://localhost:8080");
    let http = reqwest::Client::builder().timeout(Duration::from_secs(5)).build()?;
    let keys = match var("TACIT_SECRET_FILES") {
        Ok(paths) => Keys::secrets(paths.split(','))?,
        Err(_) => {
            let url = setting("TACIT_JWKS_URL", &format!("{issuer}/.well-known/jwks.json"));
            Keys::Published(Published::new(url, http.clone()))
        }
    };
    let max_age = Duration::from_secs(setting("TACIT_FEED_MAX_AGE", "60").parse()?);
    let keep = Duration::from_secs(setting("TACIT_FEED_KEEP", "1020").parse()?);
    let verifier = web::Data::new(Verifier {
        audience: setting("TACIT_AUDIENCE", "tacit"),
        keys,
        revocations: Revocations::new(max_age, keep),
        issuer: issuer.clone(),
    });
    let url = setting("TACIT_REVOCATIONS_URL", &format!("{issuer}/revocations"));
    let client = (var("TACIT_CLIENT_ID")?, var("TACIT_CLIENT_SECRET")?);
    let wait = Duration::from_secs(setting("TACIT_FEED_WAIT", "30").parse()?);
    let follower = verifier.clone();
    rt::spawn(async move { follower.revocations.follow(&http, &url, &client, wait).await });

    let port: u16 = setting("PORT", "9000").parse()?;
    let app = move || App::new().app_data(verifier.clone()).route("/hello", web::get().to(hello));
    let server = HttpServer::new(app).bind(("127.0.0.1", port))?;
    for address in server.addrs() {
        println!("listening on http://{address}");
    }
    Ok(server.run().await?)
}
