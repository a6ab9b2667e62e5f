//! The form of POST /introspect and POST /revoke: a token, and who asks about it. The argument's type says who may.

use std::fmt;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, HttpResponse, ResponseError, web};
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

/// Why such a form gets no further.
#[derive(Debug)]
pub enum Rejected {
    /// It could not be read, or nobody knows who asks.
    Failed(Failure),
    /// A parameter came more than once.
    Repeated(&'static str),
    /// Who asks may not.
    Unproven(Unproven),
    /// It names no token.
    NoToken,
}

impl From<Error> for Rejected {
    fn from(error: Error) -> Self {
        Self::Failed(Failure(error))
    }
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl ResponseError for Rejected {
    fn error_response(&self) -> HttpResponse {
        match self {
            Self::Failed(failure) => failure.error_response(),
            Self::Repeated(name) => respond::repeated(name),
            Self::Unproven(unproven) => unproven.response(),
            Self::NoToken => respond::oauth_refusal("invalid_request", "Missing: token"),
        }
    }
}

impl<A: Asking> AboutToken<A> {
    async fn read(request: &HttpRequest, payload: web::Payload) -> Result<Self, Rejected> {
        let shared = request.app_data::<web::Data<Shared>>();
        let shared = shared.ok_or_else(|| Error::Internal("no application".to_owned()))?;
        let form = body::form(request, payload).await?;
        if let Some(name) = form.repeated(&PARAMETERS) {
            return Err(Rejected::Repeated(name));
        }
        let asking = A::prove(shared, request, &form).await?.map_err(Rejected::Unproven)?;
        let token = form.get("token").ok_or(Rejected::NoToken)?.to_owned();
        Ok(Self { asking, token })
    }
}

impl<A: Asking + 'static> FromRequest for AboutToken<A> {
    type Error = Rejected;
    type Future = LocalBoxFuture<'static, Result<Self, Rejected>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), web::Payload::from_request(request, payload));
        Box::pin(async move {
            let payload = payload.await.map_err(|_| Error::Internal("a body is read twice".to_owned()))?;
            Self::read(&request, payload).await
        })
    }
}
