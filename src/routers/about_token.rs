//! The form of POST /introspect and POST /revoke: a token, and who asks about it. The argument's type says who may.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, web};
use futures_util::future::LocalBoxFuture;

use super::body::{self, Form};
use super::client::{self, Caller, Unproven};
use super::respond::{self, Failure};
use super::shared::Shared;
use crate::error::Error;
use crate::models::client::Client;

/// Parameters that may come once only.
const PARAMETERS: [&str; 4] = ["token", "token_type_hint", "client_id", "client_secret"];

/// What a form asks. A handler with an `AboutToken<Client>` runs for clients alone, with an `AboutToken<Caller>` for anybody.
pub struct AboutToken<Asking> {
    /// Who sent it.
    pub asking: Asking,
    /// The token it is about, not verified.
    pub token: String,
}

/// Who may send such a form.
pub trait Asking: Sized {
    /// Finds out who asks, and whether that will do.
    async fn prove(shared: &Shared, request: &HttpRequest, form: &Form) -> Result<Result<Self, Unproven>, Error>;
}

impl Asking for Client {
    async fn prove(shared: &Shared, request: &HttpRequest, form: &Form) -> Result<Result<Self, Unproven>, Error> {
        client::require(shared, request, form).await
    }
}

impl Asking for Caller {
    async fn prove(shared: &Shared, request: &HttpRequest, form: &Form) -> Result<Result<Self, Unproven>, Error> {
        client::authenticate(shared, request, form).await
    }
}

impl<A: Asking> AboutToken<A> {
    async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Result<Self, HttpResponse>, Error> {
        let shared = request.app_data::<web::Data<Shared>>();
        let shared = shared.ok_or_else(|| Error::Internal("no application".to_owned()))?;
        let form = body::form(request, payload).await?;
        if let Some(name) = form.repeated(&PARAMETERS) {
            return Ok(Err(respond::repeated(name)));
        }
        let asking = match A::prove(shared, request, &form).await? {
            Ok(asking) => asking,
            Err(unproven) => return Ok(Err(unproven.response())),
        };
        Ok(match form.get("token") {
            Some(token) => Ok(Self { asking, token: token.to_owned() }),
            None => Err(respond::oauth_refusal("invalid_request", "Missing: token")),
        })
    }
}

impl<A: Asking + 'static> FromRequest for AboutToken<A> {
    type Error = actix_web::Error;
    type Future = LocalBoxFuture<'static, Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let read = Self::read(&request, payload.await?).await.map_err(Failure)?;
            read.map_err(respond::instead_of_handler)
        })
    }
}
