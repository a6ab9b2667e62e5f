//! What handlers ask for: read from the request's extensions, where middleware put it, and from nowhere else.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::respond::Failure;
use crate::error::Error;
use crate::services::authenticate::Identity;

/// Who is signed in. A handler with this argument runs for nobody else.
pub struct SignedIn(Identity);

impl Deref for SignedIn {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.0
    }
}

impl FromRequest for SignedIn {
    type Error = Failure;
    type Future = Ready<Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let identity = request.extensions().get::<Identity>().cloned();
        let missing = || Failure(Error::Internal("a handler asks who is signed in on a route for anyone".to_owned()));
        ready(identity.map(Self).ok_or_else(missing))
    }
}
