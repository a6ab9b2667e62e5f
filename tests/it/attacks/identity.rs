//! Headers in which a client claims to be somebody, to be elsewhere, or to have asked for something else.

use std::collections::BTreeSet;

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::signed_in_routes;
use crate::app::{PASSWORD, Setup, Tacit};
use crate::jar::{Jar, set_cookies};
use crate::raw;

const EVIL: &str = "evil.example";

/// Identities that gateways and back ends are known to believe, in the spellings that they confuse.
const CLAIMS: [&str; 16] = [
    "X-Auth-User-Id",
    "X_Auth_User_Id",
    "X-Auth_User-Id",
    "X.Auth.User.Id",
    "X-Auth-Username",
    "X_Auth_Username",
    "X-Auth-Roles",
    "X_Auth_Roles",
    "X-Auth-Session",
    "X_Auth_Session",
    "X-Auth-Set-Cookie-1",
    "X-Auth-Refresh",
    "X-Forwarded-User",
    "X-Remote-User",
    "Remote-User",
    "X-User-Role",
];

/// Answers in which a name is encoded so that this text can only come from the request.
const CLAIMED: &str = "claimed-by-the-client";

fn identity(headers: &HeaderMap) -> BTreeSet<(String, String)> {
    let wanted = |name: &str| name.starts_with("x-auth") || name.starts_with("x_auth") || name.contains("user");
    let found = headers.iter().filter(|(name, _)| wanted(name.as_str()));
    found.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
}

#[tokio::test]
async fn what_a_client_claims_to_be_is_never_echoed_and_never_believed() {
    let tacit = Setup::default().set("server.trusted_proxies", "127.0.0.1").start().await;
    let jar = tacit.new_session("ada").await;
    for (method, path) in signed_in_routes().into_iter().filter(|(_, path)| path.starts_with("/verify")) {
        for cookie in [String::new(), jar.header()] {
            let ask = || tacit.request(method.clone(), &path).header("cookie", &cookie);
            let honest = ask().send().await.unwrap();
            let mut claiming = ask();
            for name in CLAIMS {
                claiming = claiming.header(name, CLAIMED);
            }
            let claiming = claiming.send().await.unwrap();
            assert_eq!(claiming.status(), honest.status(), "{method} {path}");
            assert_eq!(identity(claiming.headers()), identity(honest.headers()), "{method} {path}");
            let all = format!("{:?}", claiming.headers());
            assert!(!all.contains(CLAIMED), "{method} {path}: {all}");
            if honest.status() == 200 {
                for name in ["x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session"] {
                    assert_eq!(claiming.headers().get_all(name).iter().count(), 1, "{method} {path}: {name}");
                }
            }
        }
    }
    // Nor do they open anything.
    for path in ["/me", "/admin", "/sessions", "/verify", "/verify/role/admin"] {
        let mut request = tacit.get(path);
        for name in CLAIMS {
            request = request.header(name, "admin");
        }
        assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
    }
}

#[tokio::test]
async fn a_method_in_a_header_a_field_or_the_query_is_never_the_method() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let listed: Value = tacit.get_with("/sessions", &jar).await.json().await.unwrap();
    let own = format!("/sessions/{}", listed["sessions"][0]["id"].as_str().unwrap());
    for header in
        ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Forwarded-Method", "X-Original-Method"]
    {
        let with = |method: Method, path: &str, claimed: &str| {
            tacit.request(method, path).header("cookie", jar.header()).header(header, claimed)
        };
        assert_eq!(with(Method::POST, &own, "DELETE").send().await.unwrap().status(), 405, "{header}");
        assert_eq!(with(Method::GET, "/me", "PATCH").send().await.unwrap().status(), 200, "{header}");
        assert_eq!(with(Method::GET, "/logout", "POST").send().await.unwrap().status(), 405, "{header}");
        // A method that is claimed to be safe does not pass the check against other sites.
        let foreign = with(Method::POST, "/logout/others", "GET").header("sec-fetch-site", "cross-site");
        assert_eq!(foreign.send().await.unwrap().status(), 403, "{header}");
    }
    for path in [format!("{own}?_method=DELETE"), format!("{own}?method=DELETE")] {
        assert_eq!(tacit.post_with(&path, &jar).await.status(), 405);
    }
    let form =
        tacit.post("/logout/all?_method=GET").form(&[("_method", "DELETE")]).header("origin", "https://evil.example");
    assert_eq!(form.header("cookie", jar.header()).send().await.unwrap().status(), 403);
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200, "the session lives");
}

#[tokio::test]
async fn a_path_in_a_header_leads_nowhere() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    for header in ["X-Original-URL", "X-Rewrite-URL", "X-Original-URI", "X-Forwarded-Uri", "X-Forwarded-Prefix"] {
        let answer = tacit.get("/me").header("cookie", jar.header()).header(header, "/admin").send().await.unwrap();
        assert_eq!(answer.json::<Value>().await.unwrap()["username"], "ada", "{header}");
        let answer = tacit.get("/nothing").header("cookie", jar.header()).header(header, "/me").send().await.unwrap();
        assert_eq!(answer.status(), 404, "{header}");
    }
}

/// Headers by which hosts are claimed; `Host` itself comes first.
const HOSTS: [&str; 9] = [
    "host",
    "x-forwarded-host",
    "x-host",
    "x-forwarded-server",
    "x-http-host-override",
    "x-original-host",
    "forwarded",
    "x-forwarded-proto",
    "x-forwarded-port",
];

#[tokio::test]
async fn a_forged_host_is_in_no_link_no_issuer_no_cookie_and_no_redirect() {
    // A gateway that passes on what clients claim is the worst case.
    for trusted in ["", "127.0.0.1"] {
        let tacit = Setup::default().set("server.trusted_proxies", trusted).start().await;
        let jar = tacit.new_session("ada").await;
        let paths = [
            "/",
            "/login",
            "/register",
            "/account",
            "/me",
            "/docs",
            "/openapi.json",
            "/verify",
            "/verify/nginx",
            "/verify/role/admin",
            "/.well-known/oauth-authorization-server",
            "/nothing",
            "/login/",
            "/healthz",
        ];
        for path in paths {
            for cookie in [String::new(), jar.header(), jar.without_access().header()] {
                let mut request = tacit.get(path).header("cookie", &cookie).header("accept", "text/html");
                for header in HOSTS {
                    request = request.header(header, if header == "forwarded" { "host=evil.example" } else { EVIL });
                }
                let answer = request.send().await.unwrap();
                let all = format!("{:?}", answer.headers());
                assert!(!all.contains("evil"), "{path}: {all}");
                assert!(set_cookies(&answer).iter().all(|cookie| !cookie.to_lowercase().contains("domain")));
                let body = answer.text().await.unwrap();
                assert!(!body.contains(EVIL), "{path}: {body:.300}");
            }
        }
        let form = [("username", "ada"), ("password", PASSWORD)];
        let page = tacit.post("/login").header("accept", "text/html").header("host", EVIL).form(&form);
        let answer = page.header("x-forwarded-host", EVIL).send().await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["location"]), (303, &"/account".parse().unwrap()));
        let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
        let mut from_evil = Jar::default();
        from_evil.apply(&answer);
        let issuer = |token: &str| crate::shapes::part(token, 1)["iss"].clone();
        assert_eq!(issuer(from_evil.get(crate::jar::ACCESS).unwrap()), issuer(&token));
    }
}

#[tokio::test]
async fn a_target_with_a_host_of_its_own_is_answered_for_its_path_alone() {
    let tacit = Tacit::start().await;
    let cookie = tacit.new_session("ada").await.header();
    let send = async |target: &str, rest: &str| {
        raw::send(&tacit, format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{rest}\r\n")).await
    };
    for (target, status) in [
        ("http://evil.example/me", 200),
        ("https://evil.example:1/me/", 200),
        ("http://ada:secret@evil.example/me", 200),
        ("http://evil.example/nothing", 404),
        ("*", 404),
    ] {
        let answer = send(target, &format!("Cookie: {cookie}\r\n")).await;
        assert_eq!(answer.status, status, "{target}: {answer:?}");
        assert!(!format!("{answer:?}").contains("evil"), "{target}: {answer:?}");
    }
    let answer = send("http://evil.example/account", "Accept: text/html\r\n").await;
    assert_eq!((answer.status, &answer.headers["location"]), (302, &"/login?return_to=/account".parse().unwrap()));
    for request in [
        "CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ] {
        assert_eq!(raw::send(&tacit, request).await.status, 404, "{request}");
    }
}

#[tokio::test]
async fn what_only_gateways_may_ask_is_404_on_the_public_listener_in_every_spelling() {
    let setup =
        Setup::default().set("server.internal_listen", "127.0.0.1:0").set("server.trusted_proxies", "127.0.0.1");
    let tacit = setup.start().await;
    let jar = tacit.new_session("ada").await;
    for spelling in [
        "/verify",
        "/verify/",
        "//verify",
        "/./verify",
        "/x/../verify",
        "/%76erify",
        "/verif%79",
        "/verify%2f",
        "/verify%2Fnginx",
        "/VERIFY",
        "/verify;x",
        "/verify.json",
        "/verify%00",
        "/verify?x",
        "/verify/nginx",
        "/verify/nginx/access",
        "/verify/envoy",
        "/verify/envoy/me",
        "/verify/role/user",
        "/%2e/verify",
        "/metrics",
        "/%6detrics",
        "/readyz",
        "/metrics/",
        "/me/../verify",
        "/login/..%2fverify",
    ] {
        let request = format!(
            "GET {spelling} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nCookie: {}\r\n\r\n",
            jar.without_access().header()
        );
        let answer = raw::send(&tacit, request).await;
        assert_eq!(answer.status, 404, "{spelling}: {answer:?}");
        assert!(!answer.headers.contains_key("set-cookie") && !answer.headers.contains_key("x-auth-user-id"));
    }
}
