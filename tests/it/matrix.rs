//! Every route times every kind of caller: who is let in where, in one table.

use std::collections::BTreeSet;

use serde_json::json;
use tacit::routers::{Policy, routes};

use crate::app::{Setup, Tacit, eventually, run};
use crate::clients::refusal;
use crate::forge::{self, SECRET};
use crate::jar::{ACCESS, Jar};
use crate::problems;
use crate::shapes::part;

/// In the order of the table's columns.
const CALLERS: [Caller; 8] = [
    Caller::Anonymous,
    Caller::UserByCookie,
    Caller::UserByBearer,
    Caller::Admin,
    Caller::ExpiredAccess,
    Caller::LoggedOut,
    Caller::Disabled,
    Caller::GarbageBearer,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Caller {
    Anonymous,
    UserByCookie,
    UserByBearer,
    Admin,
    /// An expired access cookie and a good refresh cookie.
    ExpiredAccess,
    LoggedOut,
    Disabled,
    GarbageBearer,
}

/// Method, path, and the status for each of [`CALLERS`]. No request has a body: 415 is an open door.
const MATRIX: [(&str, &str, [u16; 8]); 56] = [
    //                         anonymous, cookie, bearer, admin, expired, logged out, disabled, garbage
    ("GET", "/register", [200, 303, 200, 303, 303, 200, 200, 200]),
    ("GET", "/login", [200, 303, 200, 303, 303, 200, 200, 200]),
    ("GET", "/account", [302, 200, 200, 200, 200, 302, 302, 302]),
    ("POST", "/register", [415, 415, 415, 415, 415, 415, 415, 415]),
    ("POST", "/login", [415, 415, 415, 415, 415, 415, 415, 415]),
    ("POST", "/token", [415, 415, 415, 415, 415, 415, 415, 415]),
    ("POST", "/refresh", [401, 204, 401, 204, 204, 401, 401, 401]),
    ("POST", "/logout", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("POST", "/logout/all", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("POST", "/logout/others", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/me", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("PATCH", "/me", [401, 415, 415, 415, 415, 401, 401, 401]),
    ("POST", "/me/password", [401, 415, 415, 415, 415, 401, 401, 401]),
    ("GET", "/sessions", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("DELETE", "/sessions/{id}", [401, 404, 404, 404, 404, 401, 401, 401]),
    ("GET", "/protected", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/admin", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("POST", "/verify", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/verify/access", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("POST", "/verify/access", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/verify/nginx", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("POST", "/verify/nginx", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/verify/nginx/access", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("POST", "/verify/nginx/access", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/verify/envoy{rest:.*}", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("POST", "/verify/envoy{rest:.*}", [401, 200, 200, 200, 200, 401, 401, 401]),
    ("GET", "/verify/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/access/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/access/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/nginx/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/nginx/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/nginx/access/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/nginx/access/role/{role}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/access/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/access/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/nginx/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/nginx/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("GET", "/verify/nginx/access/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/verify/nginx/access/scope/{scope}", [401, 403, 403, 200, 403, 401, 401, 401]),
    ("POST", "/introspect", [415, 415, 415, 415, 415, 415, 415, 415]),
    ("POST", "/revoke", [415, 415, 415, 415, 415, 415, 415, 415]),
    ("GET", "/revocations", [401, 401, 401, 401, 401, 401, 401, 401]),
    ("GET", "/.well-known/oauth-authorization-server", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/.well-known/jwks.json", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/healthz", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/readyz", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/metrics", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/openapi.json", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/docs", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/assets/tacit/{file}", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/docs/{file}", [200, 200, 200, 200, 200, 200, 200, 200]),
    ("GET", "/", [200, 200, 200, 200, 200, 200, 200, 200]),
];

/// A path of the table with something that exists in place of its variables.
pub fn concrete(path: &str) -> String {
    let concrete = path
        .replace("/assets/tacit/{file}", "/assets/tacit/style.css")
        .replace("{id}", "00000000-0000-4000-8000-000000000000")
        .replace("{file}", "swagger-ui.css")
        .replace("{role}", "admin")
        .replace("{scope}", "read")
        .replace("{rest:.*}", "/some/path");
    assert!(!concrete.contains('{'), "{concrete}");
    concrete
}

/// The headers that a caller sends; those who can lose their session get a new one each time.
struct Callers<'a> {
    tacit: &'a Tacit,
    logged_out: Jar,
    disabled: Jar,
}

impl<'a> Callers<'a> {
    async fn new(tacit: &'a Tacit) -> Self {
        tacit.register("ada").await;
        tacit.new_admin("root").await;
        let logged_out = tacit.log_in("ada").await;
        assert_eq!(tacit.post_with("/logout", &logged_out).await.status(), 200);
        let disabled = tacit.new_session("dis").await;
        assert!(run(&tacit.home, &["user", "disable", "dis"], "").status.success());
        assert!(eventually(async || tacit.get_with("/me", &disabled.without_access()).await.status() == 401).await);
        assert!(eventually(async || tacit.get_with("/verify", &disabled).await.status() == 401).await);
        Self { tacit, logged_out, disabled }
    }

    async fn headers(&self, caller: Caller) -> Option<(&'static str, String)> {
        let cookie = |jar: &Jar| Some(("cookie", jar.header()));
        match caller {
            Caller::Anonymous => None,
            Caller::UserByCookie => cookie(&self.tacit.log_in("ada").await),
            Caller::UserByBearer => {
                let tokens = self.tacit.token("ada").await;
                Some(("authorization", format!("Bearer {}", tokens["access_token"].as_str().unwrap())))
            }
            Caller::Admin => cookie(&self.tacit.log_in("root").await),
            Caller::ExpiredAccess => {
                let mut jar = self.tacit.log_in("ada").await;
                let mut claims = part(jar.get(ACCESS).unwrap(), 1);
                claims["exp"] = json!(1);
                jar.put(ACCESS, &forge::sign(&forge::header(), &claims));
                cookie(&jar)
            }
            Caller::LoggedOut => cookie(&self.logged_out),
            Caller::Disabled => cookie(&self.disabled),
            Caller::GarbageBearer => Some(("authorization", "Bearer garbage".to_owned())),
        }
    }
}

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    // A gateway asks: nobody else gets an answer from every mount of /verify.
    let setup = Setup::default().set("server.trusted_proxies", "127.0.0.1").set("oauth.role_scopes", "admin=read");
    let tacit = setup.set("tokens.secret", SECRET).start().await;
    let callers = Callers::new(&tacit).await;
    for (method, path, expected) in MATRIX {
        for (caller, status) in CALLERS.into_iter().zip(expected) {
            let methods = if method == "GET" { &["GET", "HEAD"][..] } else { &[method][..] };
            for method in methods {
                let mut request = tacit.request(method.parse().unwrap(), &concrete(path));
                if let Some((name, value)) = callers.headers(caller).await {
                    request = request.header(name, value);
                }
                let answer = request.send().await.unwrap();
                assert_eq!(answer.status(), status, "{method} {path} as {caller:?}");
                if *method == "HEAD" {
                    assert_eq!(answer.text().await.unwrap(), "", "a body for HEAD {path}");
                } else if path == "/revocations" {
                    assert_eq!(refusal(answer).await.1, "invalid_client", "{path} as {caller:?}");
                } else if status >= 400 {
                    problems::read(answer).await;
                }
            }
        }
    }
}

/// RFC 6750, section 3: nothing but the scheme for who presents nothing, and else what is wrong.
#[tokio::test]
async fn a_protected_route_tells_a_bearer_what_is_wrong_with_the_token_and_nobody_else() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").set("tokens.secret", SECRET).start().await;
    tacit.register("ada").await;
    let good = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    let mut claims = part(&good, 1);
    claims["exp"] = json!(1);
    let expired = forge::sign(&forge::header(), &claims);
    let invalid = "Bearer error=\"invalid_token\"";
    let presented: [(&[&str], u16, &str); 6] = [
        (&[], 401, "Bearer"),
        (&[""], 401, invalid),
        (&["garbage"], 401, invalid),
        (&["a.b.c"], 401, invalid),
        (&[&expired], 401, invalid),
        (&[&good, &good], 400, "Bearer error=\"invalid_request\""),
    ];
    let mut asked = 0;
    for route in routes().iter().filter(|route| matches!(route.policy, Policy::SignedIn | Policy::Gateway(_))) {
        for (method, path, _) in MATRIX.iter().filter(|(_, path, _)| *path == route.path) {
            for (tokens, status, challenge) in presented {
                let mut request = tacit.request(method.parse().unwrap(), &concrete(path));
                for token in tokens {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                let problem = problems::read(request.send().await.unwrap()).await;
                let said = problem.headers.get("www-authenticate").map(|value| value.to_str().unwrap());
                assert_eq!((problem.status, said), (status, Some(challenge)), "{method} {path} {tokens:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 100, "{asked}");
}

#[test]
fn the_table_holds_every_route_and_nothing_else() {
    let mut expected = BTreeSet::new();
    for route in routes() {
        let methods = route.methods.iter().filter(|method| **method != "HEAD");
        let any = route.methods.is_empty().then_some(["GET".to_owned(), "POST".to_owned()]).into_iter().flatten();
        expected.extend(methods.map(ToString::to_string).chain(any).map(|method| (method, route.path.to_owned())));
    }
    let rows: BTreeSet<_> = MATRIX.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(rows, expected);
    assert_eq!(rows.len(), MATRIX.len(), "a row comes twice");
}

#[test]
fn the_tables_first_column_follows_from_the_routes_policy() {
    for route in routes() {
        for (_, path, [anonymous, ..]) in MATRIX.iter().filter(|(_, path, _)| *path == route.path) {
            let as_stated = match route.policy {
                Policy::Anyone => [200, 415].contains(anonymous),
                Policy::Page => *anonymous == 302,
                // Its credentials may stand in a form, and there is none.
                Policy::Client => [401, 415].contains(anonymous),
                Policy::SignedIn | Policy::RefreshCookie | Policy::Gateway(_) => *anonymous == 401,
            };
            assert!(as_stated, "{path}");
        }
    }
}

#[tokio::test]
async fn a_method_that_a_route_lacks_is_405_with_allow_and_refreshes_nothing() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await.without_access();
    for route in routes().iter().filter(|route| !route.methods.is_empty()) {
        let allow: Vec<&str> = route.methods.iter().map(actix_web::http::Method::as_str).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "QUERY"] {
            if allow.contains(&method) {
                continue;
            }
            for slash in ["", "/"] {
                let path = format!("{}{slash}", concrete(route.path)).replace("//", "/");
                let request = tacit.request(method.parse().unwrap(), &path).header("cookie", jar.header());
                let answer = request.send().await.unwrap();
                assert!(!answer.headers().contains_key("set-cookie"), "{method} {path}");
                let problem = problems::read(answer).await;
                assert!(problem.is(405, "method_not_allowed"), "{method} {path}: {problem:?}");
                assert_eq!(problem.headers["allow"], allow.join(", "), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn every_path_answers_with_and_without_a_trailing_slash() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
    let jar = tacit.new_session("ada").await;
    for (method, path, [_, by_cookie, ..]) in MATRIX.iter().filter(|(method, ..)| *method == "GET") {
        let path = format!("{}/", concrete(path)).replace("//", "/");
        let request = tacit.request(method.parse().unwrap(), &path).header("cookie", jar.header());
        assert_eq!(request.send().await.unwrap().status(), *by_cookie, "{path}");
    }
}
