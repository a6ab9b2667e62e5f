//! What handlers ask for: read from the request's extensions, where middleware put it, and from nowhere else.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest, web};

use super::respond::Failure;
use super::shared::Shared;
use crate::error::Error;
use crate::services::authenticate::Identity;

/// Who is signed in. A handler with this argument runs for nobody else.
pub struct SignedIn(Identity);

/// Who is signed in and may change the own account and end its sessions: anybody, unless the configuration grants the
/// scope that takes.
pub struct AccountOwner(SignedIn);

impl Deref for SignedIn {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl Deref for AccountOwner {
    type Target = SignedIn;

    fn deref(&self) -> &SignedIn {
        &self.0
    }
}

impl SignedIn {
    fn of(request: &HttpRequest) -> Result<Self, Error> {
        let identity = request.extensions().get::<Identity>().cloned();
        let missing = || Error::Internal("a handler asks who is signed in on a route for anyone".to_owned());
        identity.map(Self).ok_or_else(missing)
    }
}

impl AccountOwner {
    fn of(request: &HttpRequest) -> Result<Self, Error> {
        let who = SignedIn::of(request)?;
        let shared = request.app_data::<web::Data<Shared>>();
        let shared = shared.ok_or_else(|| Error::Internal("no application".to_owned()))?;
        match shared.app.config.oauth.role_scopes.of_account() {
            Some(scope) if !who.has_scope(scope) => {
                shared.note(request, &who.lacks_scope());
                Err(Error::InsufficientScope { needed: Some(scope.to_owned()) })
            }
            _ => Ok(Self(who)),
        }
    }
}

impl FromRequest for SignedIn {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map_err(Failure))
    }
}

impl FromRequest for AccountOwner {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(request).map_err(Failure))
    }
}
