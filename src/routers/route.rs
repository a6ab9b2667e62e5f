use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use actix_web::middleware::{Next, from_fn};
use actix_web::{FromRequest, Handler, Resource, Responder, guard, web};

use super::gateway::{Mount, answer_gateway};
use super::silent_refresh::{Mode, silent_refresh};
use super::{cors, pages, respond};
use crate::config::Config;

/// Who may call a route. A route cannot be written without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Anybody; nobody is signed in.
    Anyone,
    /// Whoever is signed in, by Bearer, access cookie or silent refresh; anybody else gets 401.
    SignedIn,
    /// The same for a page: a person who is not signed in is led to the sign-in page.
    Page,
    /// Whoever holds a refresh cookie, which is used at once.
    RefreshCookie,
    /// A client that proves itself by id and secret; users and their tokens are none.
    Client,
    /// A gateway that asks about another request; the answer is in the form that it understands.
    Gateway(Mount),
}

/// Where a route answers once `server.internal_listen` is set; without it there is one listener for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// The public listener.
    Public,
    /// The internal listener, for gateways and operators.
    Internal,
    /// Both.
    Both,
}

/// One path with its policy and methods.
pub struct Route {
    /// Below `server.base_path`, without a trailing slash.
    pub path: &'static str,
    /// Who may call it.
    pub policy: Policy,
    /// Where it answers.
    pub listener: Listener,
    /// The methods it has; empty: all.
    pub methods: Vec<Method>,
    handlers: Vec<actix_web::Route>,
}

/// Begins a route.
pub fn route(path: &'static str, policy: Policy, listener: Listener) -> Route {
    Route { path, policy, listener, methods: Vec::new(), handlers: Vec::new() }
}

macro_rules! method {
    ($name:ident, $($method:ident),+) => {
        /// Adds a method's handler.
        pub fn $name<F, Args>(mut self, handler: F) -> Self
        where
            F: Handler<Args>,
            Args: FromRequest + 'static,
            F::Output: Responder + 'static,
        {
            self.methods.extend([$(Method::$method),+]);
            let methods = guard::fn_guard(|context| [$(Method::$method),+].contains(&context.head().method));
            self.handlers.push(web::route().guard(methods).to(handler));
            self
        }
    };
}

impl Route {
    method!(get, GET, HEAD);
    method!(post, POST);
    method!(patch, PATCH);
    method!(delete, DELETE);

    /// The same handler for every method.
    pub fn any<F, Args>(mut self, handler: F) -> Self
    where
        F: Handler<Args>,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.handlers.push(web::route().to(handler));
        self
    }

    /// Whether this route answers on a listener; `separate`: there are two.
    pub fn answers_on(&self, listener: Listener, separate: bool) -> bool {
        !separate || self.listener == listener || self.listener == Listener::Both
    }

    pub(super) fn register(self, config: &mut web::ServiceConfig, settings: &Config) {
        let base_path = settings.server.base_path.as_str();
        let mode = match self.policy {
            Policy::Anyone | Policy::Client => None,
            Policy::SignedIn | Policy::Page => Some(Mode::WhenNeeded),
            Policy::RefreshCookie => Some(Mode::Now),
            Policy::Gateway(mount) => {
                let resource = self.into_resource(base_path);
                let signed_in = from_fn(move |request: ServiceRequest, next: Next<BoxBody>| {
                    silent_refresh(Mode::Gateway(mount.rotation()), request, next)
                });
                let answered =
                    from_fn(move |request: ServiceRequest, next: Next<BoxBody>| answer_gateway(mount, request, next));
                config.service(resource.wrap(signed_in).wrap(answered));
                return;
            }
        };
        let (methods, is_page) = (self.methods.clone(), self.policy == Policy::Page);
        let resource = self.into_resource(base_path);
        let Some(mode) = mode else {
            config.service(resource.wrap(cors(settings)));
            return;
        };
        let signed_in = from_fn(move |request: ServiceRequest, next: Next<BoxBody>| {
            let known = methods.is_empty() || methods.contains(request.method());
            async move {
                // A method that the route lacks is 405 for everybody, and refreshes nothing.
                if known { silent_refresh(mode, request, next).await } else { next.call(request).await }
            }
        });
        if is_page {
            let led = from_fn(pages::lead_to_sign_in);
            config.service(resource.wrap(signed_in).wrap(led).wrap(cors(settings)));
        } else {
            config.service(resource.wrap(signed_in).wrap(cors(settings)));
        }
    }

    /// Registers a route for anyone at another path than its own.
    pub(super) fn register_at(self, path: String, config: &mut web::ServiceConfig, settings: &Config) {
        config.service(self.into_resource_at(path).wrap(cors(settings)));
    }

    fn into_resource(self, base_path: &str) -> Resource {
        // What `observe` makes of a path with a trailing slash.
        let path = match format!("{base_path}{}", self.path) {
            path if path.len() > 1 => path.trim_end_matches('/').to_owned(),
            path => path,
        };
        self.into_resource_at(path)
    }

    fn into_resource_at(self, path: String) -> Resource {
        let allow: Vec<&str> = self.methods.iter().map(Method::as_str).collect();
        let allow = allow.join(", ");
        let mut resource = web::resource(path);
        for handler in self.handlers {
            resource = resource.route(handler);
        }
        resource.default_service(web::to(move || {
            let response = respond::method_not_allowed(&allow);
            async { response }
        }))
    }
}
