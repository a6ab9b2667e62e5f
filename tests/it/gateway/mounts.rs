//! The mount alone selects the form of the answer.

use reqwest::Method;

use super::{behind_a_gateway, header, trusting};
use crate::app::{Tacit, problem, refreshed, run};
use crate::database::TestDatabase;
use crate::jar::{Jar, set_cookies};
use crate::raw;

const MOUNTS: [&str; 14] = [
    "/verify",
    "/verify/role/user",
    "/verify/scope/read",
    "/verify/access",
    "/verify/access/role/user",
    "/verify/access/scope/read",
    "/verify/nginx",
    "/verify/nginx/role/user",
    "/verify/nginx/scope/read",
    "/verify/nginx/access",
    "/verify/nginx/access/role/user",
    "/verify/nginx/access/scope/read",
    "/verify/envoy",
    "/verify/envoy/api/things",
];

const IDENTITY: [&str; 5] = ["x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session", "authorization"];

async fn ask(tacit: &Tacit, method: Method, path: &str, jar: &Jar) -> reqwest::Response {
    tacit.request(method, path).header("cookie", jar.header()).send().await.unwrap()
}

fn generation(database: &TestDatabase) -> i64 {
    database.number("SELECT generation AS value FROM sessions")
}

#[tokio::test]
async fn every_mount_says_yes_with_an_empty_body_and_every_identity_header() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    for mount in MOUNTS {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"] {
            let answer = ask(&tacit, method.parse().unwrap(), mount, &jar).await;
            assert_eq!(answer.status(), 200, "{method} {mount}");
            assert_eq!(header(&answer, "cache-control"), Some("no-store"));
            for name in IDENTITY {
                let values: Vec<_> = answer.headers().get_all(name).iter().collect();
                assert_eq!(values.len(), 1, "{method} {mount} {name}");
            }
            assert_eq!(header(&answer, "x-auth-username"), Some("ada"));
            assert_eq!(header(&answer, "x-auth-roles"), Some("user"));
            let bearer = header(&answer, "authorization").unwrap().strip_prefix("Bearer ").unwrap();
            assert_eq!(bearer.split('.').count(), 3);
            assert_eq!(answer.text().await.unwrap(), "");
        }
    }
}

#[tokio::test]
async fn no_mount_names_anybody_with_a_refusal() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    for mount in MOUNTS {
        let answer = tacit.get(mount).send().await.unwrap();
        assert!(IDENTITY.iter().all(|name| header(&answer, name).is_none()), "{mount}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"));
        assert_eq!(problem(answer).await, (401, "not_authenticated".to_owned()));
    }
    for mount in ["/verify", "/verify/access", "/verify/nginx", "/verify/nginx/access"] {
        for role in ["admin", "User", "user%2Cadmin", "users"] {
            let answer = ask(&tacit, Method::GET, &format!("{mount}/role/{role}"), &jar).await;
            assert!(IDENTITY.iter().all(|name| header(&answer, name).is_none()), "{mount} {role}");
            assert_eq!(problem(answer).await, (403, "role_required".to_owned()));
        }
        for scope in ["write", "Read", "rea", "read%20write", "read%22", "user"] {
            let answer = ask(&tacit, Method::GET, &format!("{mount}/scope/{scope}"), &jar).await;
            assert!(IDENTITY.iter().all(|name| header(&answer, name).is_none()), "{mount} {scope}");
            let named = if scope.contains('%') { String::new() } else { format!(", scope=\"{scope}\"") };
            let challenge = format!("Bearer error=\"insufficient_scope\"{named}");
            assert_eq!(header(&answer, "www-authenticate"), Some(challenge.as_str()), "{mount} {scope}");
            assert_eq!(problem(answer).await, (403, "insufficient_scope".to_owned()));
        }
    }
}

#[tokio::test]
async fn a_required_role_is_the_freshly_read_one_and_its_refusal_keeps_the_cookies_coming() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await.without_access();
    let answer = ask(&tacit, Method::GET, "/verify/role/admin", &jar).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (403, 2));
    assert!(run(&tacit.home, &["user", "set-role", "ada", "admin"], "").status.success());
    assert_eq!(ask(&tacit, Method::GET, "/verify/role/admin", &jar).await.status(), 200);
    assert_eq!(ask(&tacit, Method::GET, "/verify/role/user", &jar).await.status(), 403);
}

#[tokio::test]
async fn a_refresh_sets_the_access_cookie_first_and_only_nginx_gets_each_cookie_under_a_name_of_its_own() {
    let tacit = behind_a_gateway().await;
    tacit.register("ada").await;
    for mount in ["/verify", "/verify/role/user", "/verify/envoy/a", "/verify/nginx", "/verify/nginx/role/user"] {
        let jar = tacit.log_in("ada").await.without_access();
        let answer = ask(&tacit, Method::GET, mount, &jar).await;
        assert_eq!(answer.status(), 200, "{mount}");
        assert_eq!(refreshed(&answer), Some("rotated"), "{mount}");
        assert_eq!(header(&answer, "cache-control"), Some("private, no-store"));
        let cookies = set_cookies(&answer);
        assert!(cookies[0].starts_with("tacit-access=") && cookies[1].starts_with("tacit-refresh="), "{mount}");
        assert_eq!(cookies.len(), 2);
        let token = cookies[0].strip_prefix("tacit-access=").unwrap().split(';').next().unwrap();
        assert_eq!(header(&answer, "authorization"), Some(format!("Bearer {token}").as_str()));
        let copies = (header(&answer, "x-auth-set-cookie-1"), header(&answer, "x-auth-set-cookie-2"));
        if mount.starts_with("/verify/nginx") {
            assert_eq!(copies, (Some(cookies[0].as_str()), Some(cookies[1].as_str())));
        } else {
            assert_eq!(copies, (None, None), "{mount}");
        }
    }
}

#[tokio::test]
async fn the_access_mounts_authenticate_but_write_nothing_and_set_no_cookie() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await.without_access();
    let mounts =
        ["/verify/access", "/verify/access/role/user", "/verify/nginx/access", "/verify/nginx/access/role/user"];
    let all_ask = async |jar: &Jar| {
        for mount in mounts {
            let answer = ask(&tacit, Method::GET, mount, jar).await;
            assert_eq!(answer.status(), 200, "{mount}");
            assert_eq!(refreshed(&answer), Some("access-only"), "{mount}");
            assert_eq!(set_cookies(&answer), Vec::<String>::new());
            assert_eq!(header(&answer, "x-auth-set-cookie-1"), None);
            assert!(header(&answer, "authorization").unwrap().starts_with("Bearer ey"));
        }
    };
    // Elsewhere this would be ROTATE ..
    all_ask(&jar).await;
    assert_eq!(generation(&tacit.home.database), 0);
    // .. and this REISSUE: the successor never arrived.
    assert_eq!(refreshed(&ask(&tacit, Method::GET, "/verify", &jar).await), Some("rotated"));
    tacit.home.database.age("sessions", "rotated_at", 10);
    all_ask(&jar).await;
    let state = "SELECT generation + phase AS value FROM sessions";
    assert_eq!(tacit.home.database.number(state), 1);
}

#[tokio::test]
async fn a_current_token_of_a_reissued_generation_is_confirmed_elsewhere_and_not_on_an_access_mount() {
    let tacit = trusting().set("sessions.grace", "40s").start().await;
    let database = &tacit.home.database;
    let first = tacit.new_session("ada").await.without_access();
    assert_eq!(refreshed(&ask(&tacit, Method::GET, "/verify", &first).await), Some("rotated"));
    database.age("sessions", "rotated_at", 41);
    let reissued = ask(&tacit, Method::GET, "/verify", &first).await;
    assert_eq!(refreshed(&reissued), Some("reissued"));
    let mut jar = first.clone();
    jar.apply(&reissued);
    let jar = jar.without_access();
    let row = || {
        let columns = "CAST(generation AS TEXT) || ' ' || CAST(phase AS TEXT) || ' ' || CAST(rotated_at AS TEXT)";
        database.texts(&format!("SELECT {columns} AS value FROM sessions")).remove(0).expect("a row")
    };
    let before = row();
    assert!(before.starts_with("1 1 "), "{before}");
    for mount in ["/verify/access", "/verify/nginx/access"] {
        assert_eq!(refreshed(&ask(&tacit, Method::GET, mount, &jar).await), Some("access-only"), "{mount}");
        assert_eq!(row(), before, "{mount}");
    }
    assert_eq!(refreshed(&ask(&tacit, Method::GET, "/verify", &jar).await), Some("access-only"));
    assert_eq!(row(), before.replacen("1 1 ", "1 2 ", 1));
}

#[tokio::test]
async fn only_nginx_gets_the_code_of_a_refusal_as_a_header_too() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    for mount in ["/verify/nginx", "/verify/nginx/access", "/verify/nginx/role/user", "/verify/nginx/scope/none"] {
        let answer = ask(&tacit, Method::GET, mount, &Jar::default()).await;
        assert_eq!(header(&answer, "x-auth-error"), Some("not_authenticated"), "{mount}");
    }
    for (mount, code) in
        [("/verify/nginx/role/admin", "role_required"), ("/verify/nginx/scope/none", "insufficient_scope")]
    {
        let answer = ask(&tacit, Method::GET, mount, &jar).await;
        assert_eq!(header(&answer, "x-auth-error"), Some(code), "{mount}");
        assert_eq!(problem(answer).await, (403, code.to_owned()));
    }
    assert_eq!(header(&ask(&tacit, Method::GET, "/verify/nginx", &jar).await, "x-auth-error"), None);
    assert_eq!(header(&ask(&tacit, Method::GET, "/verify", &Jar::default()).await, "x-auth-error"), None);
}

#[tokio::test]
async fn a_theft_is_found_on_an_access_mount_too() {
    let tacit = behind_a_gateway().await;
    let stolen = tacit.new_session("ada").await.without_access();
    let mut jar = stolen.clone();
    for _ in 0..2 {
        jar.apply(&ask(&tacit, Method::GET, "/verify", &jar.without_access()).await);
        tacit.home.database.age("sessions", "rotated_at", 10);
    }
    assert_eq!(generation(&tacit.home.database), 2);
    let answer = ask(&tacit, Method::GET, "/verify/access", &stolen).await;
    assert_eq!(set_cookies(&answer), Vec::<String>::new());
    assert_eq!(problem(answer).await, (401, "token_reuse".to_owned()));
    let answer = ask(&tacit, Method::GET, "/verify/nginx", &jar).await;
    assert_eq!(set_cookies(&answer).len(), 2, "cleared");
    assert!(header(&answer, "x-auth-set-cookie-2").unwrap().contains("Max-Age=0"));
    assert_eq!(problem(answer).await, (401, "token_reuse".to_owned()));
}

#[tokio::test]
async fn envoys_mount_takes_any_path_and_query_of_the_client() {
    let tacit = behind_a_gateway().await;
    let jar = tacit.new_session("ada").await;
    for rest in ["/a?role=admin&x=%00", "/%ff%2e%2e/", "//a//b", "/verify/role/admin", "/;x=1", "?a", "/%2f..%2fadmin"]
    {
        let request = format!(
            "GET /verify/envoy{rest} HTTP/1.1\r\nHost: x\r\nCookie: {}\r\nConnection: close\r\n\r\n",
            jar.header()
        );
        let answer = raw::send(&tacit, request).await;
        assert_eq!((answer.status, answer.headers["x-auth-username"].to_str().unwrap()), (200, "ada"), "{rest}");
    }
}

#[tokio::test]
async fn strangers_get_no_token_and_do_not_see_the_mounts_that_copy_cookies() {
    let tacit = trusting().set("server.trusted_proxies", "192.0.2.1").start().await;
    let jar = tacit.new_session("ada").await;
    for mount in MOUNTS {
        let answer = ask(&tacit, Method::GET, mount, &jar).await;
        if mount.starts_with("/verify/nginx") {
            assert_eq!(problem(answer).await, (404, "not_found".to_owned()), "{mount}");
        } else {
            assert_eq!(answer.status(), 200, "{mount}");
            assert_eq!((header(&answer, "authorization"), header(&answer, "x-auth-username")), (Some(""), Some("ada")));
        }
    }
    let answer = ask(&tacit, Method::GET, "/verify/nginx/", &jar.without_access()).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (404, 0));
    assert_eq!(generation(&tacit.home.database), 0, "nothing was rotated");
}
