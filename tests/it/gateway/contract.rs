//! What every gateway keeps, whichever it is: the checks, and the tests that run each of them.

use futures_util::future::join_all;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::front::Front;
use super::header;
use super::upstream::{WEBSOCKET_ACCEPT, WEBSOCKET_KEY, checksum};
use crate::app::{LIMIT, PASSWORD, run};
use crate::jar::{ACCESS, Jar, set_cookies};
use crate::raw;

/// The tests of one gateway.
macro_rules! contract {
    ($kind:expr) => {
        $crate::gateway::contract::contract! { $kind;
            both_cookies_arrive_whatever_the_api_answers,
            forged_identity_headers_never_reach_the_api,
            our_cookies_never_reach_the_api_and_others_do,
            bodies_arrive_whole,
            a_websocket_works,
            events_arrive_one_by_one,
            nothing_is_open_when_tacit_is_away,
            a_refusal_passes_with_the_clearing_cookies,
            a_navigation_lands_on_the_login_page_and_comes_back,
            verify_is_unknown_from_outside,
            fifty_parallel_requests_with_one_expired_cookie_rotate_once,
            a_route_for_one_role_refuses_others,
            a_path_spelled_otherwise_gets_around_nothing,
            a_slow_route_never_rotates,
            preflights_and_public_paths_are_not_asked_about,
            an_unsafe_request_of_another_site_is_refused,
            the_api_is_never_asked_twice,
        }
    };
    ($kind:expr; $($check:ident,)+) => {
        mod kept {
            #[tokio::test]
            async fn cookies_are_dropped_from_an_answer_that_comes_late() {
                let front = $crate::gateway::front::Front::start_hasty(&$kind).await;
                $crate::gateway::contract::cookies_are_dropped_from_an_answer_that_comes_late(front).await;
            }
            $(
                #[tokio::test]
                async fn $check() {
                    let front = $crate::gateway::front::Front::start(&$kind).await;
                    $crate::gateway::contract::$check(front).await;
                }
            )+
        }
    };
}
pub(super) use contract;

/// The header lines that the API saw, all values of a name.
fn seen<'a>(echo: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = echo["headers"].as_array().expect("headers");
    lines.iter().filter(|line| line[0] == name).map(|line| line[1].as_str().expect("text")).collect()
}

async fn echo(answer: Response) -> Value {
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.json().await.expect("what the API saw")
}

fn ours(answer: &Response) -> Vec<String> {
    set_cookies(answer).into_iter().filter(|cookie| cookie.starts_with("tacit-")).collect()
}

pub async fn both_cookies_arrive_whatever_the_api_answers(front: Front) {
    front.tacit.register("ada").await;
    for status in ["200", "404", "500", "304", "401", "204", "302"] {
        let jar = front.tacit.log_in("ada").await.without_access();
        let request = front.get(&format!("/api/status/{status}")).header("cookie", jar.header());
        let answer = request.header("if-none-match", "\"x\"").send().await.unwrap();
        assert_eq!(answer.status().as_str(), status);
        let cookies = ours(&answer);
        assert_eq!(cookies.len(), 2, "{status}: {answer:?}");
        assert!(cookies[0].starts_with("tacit-access=") && cookies[1].starts_with("tacit-refresh="), "{cookies:?}");
        assert!(cookies.iter().all(|cookie| cookie.ends_with("; HttpOnly; SameSite=Lax")), "{cookies:?}");
        assert!(set_cookies(&answer).contains(&"theme=dark; Path=/".to_owned()), "the API's own cookie");
        let cache: Vec<_> = answer.headers().get_all("cache-control").iter().collect();
        assert_eq!(cache, ["private, no-store"], "{status}");
        for leaked in ["authorization", "x-auth-user-id", "x-auth-set-cookie-1", "x-auth-set-cookie-2"] {
            assert_eq!(header(&answer, leaked), None, "for the API only: {leaked}");
        }
        // What arrived is good.
        let mut after = jar.clone();
        after.apply(&answer);
        assert_eq!(front.tacit.get_with("/me", &after).await.status(), 200);
        // Without a refresh the API's answer is as it made it.
        let answer = front.get_with("/api/status/200", &after).await;
        assert_eq!((header(&answer, "cache-control"), ours(&answer).len()), (Some("public, max-age=600"), 0));
    }
}

pub async fn cookies_are_dropped_from_an_answer_that_comes_late(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let answer = front.get_with("/api/late/2100", &jar).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(set_cookies(&answer), ["theme=dark; Path=/"], "ours are dropped, the API's own stays");
    let rotated = front.tacit.metric("tacit_refreshes_total{verdict=\"rotated\"}").await;
    assert!((rotated - 1.0).abs() < f64::EPSILON, "{rotated}");
    assert_eq!(front.get_with("/api/x", &jar).await.status(), 200, "the predecessor still authenticates");
}

pub async fn forged_identity_headers_never_reach_the_api(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let me: Value = front.tacit.get_with("/me", &jar).await.json().await.unwrap();
    let names = [
        "X-Auth-User-Id",
        "X-Auth-Username",
        "X-Auth-Roles",
        "X-Auth-Session",
        "X_Auth_User_Id",
        "X.Auth.Roles",
        "x-auth_roles",
        "X_AUTH-ROLES",
        "X-Auth-User",
        "X-Auth-Set-Cookie-1",
        "X~Auth~Roles",
        "X!Auth-Roles",
    ];
    let forge = |path: &str, cookie: bool, connection: &str| {
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: {connection}\r\n",
            front.url.trim_start_matches("http://")
        );
        for name in names {
            request.push_str(&format!("{name}: forged\r\n"));
        }
        if cookie {
            request.push_str(&format!("Cookie: {}\r\n", jar.header()));
        }
        request + "\r\n"
    };
    for connection in ["close", "close, X-Auth-User-Id, X-Auth-Roles, Authorization", "X-Auth-User-Id, close"] {
        for (path, signed_in) in [("/api/x", true), ("/slow/x", true), ("/public/x", false)] {
            let request = forge(path, signed_in, connection);
            let mut stream = raw::connect_to(&front.url).await;
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = raw::receive(&mut stream).await;
            if answer.status == 400 {
                continue; // Refusing the whole request keeps the promise too.
            }
            assert_eq!(answer.status, 200, "{path} {connection}: {}", answer.body);
            assert!(!answer.body.contains("forged"), "{path} {connection}: {}", answer.body);
            let start = answer.body.find('{').expect("JSON");
            let end = answer.body.rfind('}').expect("JSON");
            let echo: Value = serde_json::from_str(&answer.body[start..=end]).expect("JSON");
            if signed_in {
                assert_eq!(seen(&echo, "x-auth-user-id"), [me["id"].as_str().unwrap()], "{path} {connection}");
                assert_eq!(seen(&echo, "x-auth-username"), ["ada"]);
                assert_eq!(seen(&echo, "x-auth-roles"), ["user"]);
                assert_eq!(seen(&echo, "x-auth-session").len(), 1);
                assert_eq!(seen(&echo, "authorization"), [format!("Bearer {}", jar.get(ACCESS).unwrap())]);
            } else {
                assert!(seen(&echo, "x-auth-user-id").iter().all(|value| value.is_empty()), "{echo}");
            }
        }
    }
    assert!(front.upstream.hits("/api/x") > 0, "not every request is refused");
}

pub async fn our_cookies_never_reach_the_api_and_others_do(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let (access, refresh) = (jar.get(ACCESS).unwrap(), jar.refresh());
    let lines = [
        format!("a=1; tacit-access={access}; b=2; tacit-refresh={refresh}; c=3"),
        format!("tacit-access={access}; tacit-refresh={refresh}; a=1; b=2; c=3"),
        format!("a=1;b=2;c=3;tacit-access={access};tacit-refresh={refresh}"),
        format!(
            "tacit-refresh=x; tacit-refresh={refresh}; a=1; tacit-access={access}; b=2; c=3; __Host-Http-tacit-access=y"
        ),
    ];
    for line in &lines {
        for path in ["/api/x", "/slow/x", "/public/x"] {
            let echo = echo(front.get(path).header("cookie", line).send().await.unwrap()).await;
            let cookie = seen(&echo, "cookie").join("; ");
            assert!(!cookie.contains("tacit") && !cookie.contains(refresh), "{path} {line}: {cookie}");
            let kept: Vec<&str> = cookie.split(';').map(str::trim).filter(|pair| !pair.is_empty()).collect();
            // A gateway that can only drop the whole header (many of ours) loses the others with it.
            assert!(kept == ["a=1", "b=2", "c=3"], "{path} {line}: {cookie}");
        }
    }
}

pub async fn bodies_arrive_whole(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let body: Vec<u8> = (0..600_000_u32).map(|number| u8::try_from(number % 251).unwrap()).collect();
    for path in ["/api/x?y=z%20&y", "/slow/x?y=z%20&y"] {
        for jar in [&jar, &jar.without_access()] {
            let request = front.request(Method::POST, path).header("cookie", jar.header()).body(body.clone());
            let echo_of = echo(request.send().await.unwrap()).await;
            assert_eq!((&echo_of["body"], &echo_of["method"]), (&json!(checksum(&body)), &json!("POST")));
            assert_eq!(echo_of["target"], path, "the path and query are the client's");
            let host = front.url.trim_start_matches("http://");
            let mut stream = raw::connect_to(&front.url).await;
            let head = format!(
                "PUT {path} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
                jar.header()
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            for chunk in body.chunks(100_000) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).await.unwrap();
                stream.write_all(chunk).await.unwrap();
                stream.write_all(b"\r\n").await.unwrap();
            }
            stream.write_all(b"0\r\n\r\n").await.unwrap();
            let answer = raw::receive(&mut stream).await;
            assert!(answer.body.contains(&checksum(&body)), "{path}: {} {}", answer.status, answer.body);
        }
    }
}

pub async fn a_websocket_works(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let host = front.url.trim_start_matches("http://");
    for path in ["/api/websocket", "/slow/websocket"] {
        for (cookie, status) in
            [(jar.header(), "101"), (jar.without_access().header(), "101"), ("a=1".to_owned(), "401")]
        {
            let mut stream = raw::connect_to(&front.url).await;
            let request = format!(
                "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nOrigin: {}\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {WEBSOCKET_KEY}\r\nCookie: {cookie}\r\n\r\n",
                front.url
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(timeout(LIMIT, stream.read_u8()).await.expect("a head in time").expect("a head"));
            }
            let head = String::from_utf8(head).unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {head}");
            if status == "101" {
                assert!(
                    head.contains(WEBSOCKET_ACCEPT) && head.to_lowercase().contains("\r\nx-user: ada\r\n"),
                    "{head}"
                );
                // A masked text frame and the bytes that come back.
                let frame = b"\x81\x85\x01\x02\x03\x04igohn";
                stream.write_all(frame).await.unwrap();
                let mut back = [0; 11];
                timeout(LIMIT, stream.read_exact(&mut back)).await.expect("an echo in time").unwrap();
                assert_eq!(&back, frame);
            }
        }
    }
}

pub async fn events_arrive_one_by_one(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    for path in ["/api/events", "/slow/events"] {
        let mut answer = front.get_with(path, &jar).await;
        assert_eq!(header(&answer, "content-type"), Some("text/event-stream"));
        let mut text = String::new();
        while !text.contains("data: first\n\n") {
            let chunk = timeout(LIMIT, answer.chunk()).await.expect("an event in time").unwrap().expect("an event");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(!text.contains("second"), "the first arrives before there is a second");
        front.upstream.go_on();
        while let Some(chunk) = timeout(LIMIT, answer.chunk()).await.expect("an end in time").unwrap() {
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(text.ends_with("data: second\n\n"), "{path}: {text}");
    }
}

pub async fn nothing_is_open_when_tacit_is_away(mut front: Front) {
    let jar = front.tacit.new_session("ada").await;
    assert_eq!(front.get_with("/api/x", &jar).await.status(), 200);
    front.tacit.kill();
    for path in ["/api/y", "/slow/y", "/admin/y"] {
        let navigation = front.get(path).header("cookie", jar.header()).header("sec-fetch-mode", "navigate");
        for answer in [front.get_with(path, &jar).await, navigation.send().await.unwrap()] {
            assert!(answer.status().is_server_error(), "{path}: {answer:?}");
            assert_eq!(ours(&answer), Vec::<String>::new());
        }
        assert_eq!(front.upstream.hits(path), 0, "{path}");
    }
    assert_eq!(front.get("/public/x").send().await.unwrap().status(), 200);
}

pub async fn a_refusal_passes_with_the_clearing_cookies(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    assert!(run(&front.tacit.home, &["user", "disable", "ada"], "").status.success());
    let answer = front.get_with("/api/x", &jar).await;
    assert_eq!(answer.status(), 401);
    let cookies = ours(&answer);
    assert_eq!(cookies.len(), 2, "{answer:?}");
    assert!(cookies.iter().all(|cookie| cookie.contains("Max-Age=0")), "{cookies:?}");
    assert!(header(&answer, "www-authenticate").is_some(), "{answer:?}");
    assert!(header(&answer, "content-type").unwrap().starts_with("application/problem+json"), "{answer:?}");
    let nobody = front.get("/api/x").send().await.unwrap();
    assert_eq!((nobody.status().as_u16(), ours(&nobody).len()), (401, 0));
    assert!(header(&nobody, "location").is_none());
    let malformed = front.get("/api/x").header("authorization", "Bearer x").send().await.unwrap();
    assert_eq!(malformed.status(), 401);
    assert_eq!(front.upstream.hits("/api/x"), 0);
}

pub async fn a_navigation_lands_on_the_login_page_and_comes_back(front: Front) {
    front.tacit.register("ada").await;
    let page = "/api/page?a=b&c=%2F";
    let answer =
        front.get(page).header("sec-fetch-mode", "navigate").header("accept", "text/html").send().await.unwrap();
    assert_eq!(answer.status(), 302, "{answer:?}");
    let location = header(&answer, "location").expect("a location");
    let way_back = location.strip_prefix(&format!("{}/login?return_to=", front.url)).expect("our login page");
    let way_back = percent_encoding::percent_decode_str(way_back).decode_utf8().unwrap();
    assert_eq!(way_back, format!("{}{page}", front.url));
    assert_eq!(front.upstream.hits("/api/page"), 0);
    // The login page is Tacit's, through the same gateway, and nobody is asked to sign in for it.
    let login = front.get("/login").header("accept", "text/html").send().await.unwrap();
    assert!(header(&login, "x-request-id").is_some() && login.status() == 200, "{login:?}");
    let html = login.text().await.unwrap();
    let files: Vec<&str> = html.split('"').filter(|part| part.starts_with("/assets/")).collect();
    assert!(!files.is_empty(), "{html}");
    for file in files {
        assert_eq!(front.get(file).send().await.unwrap().status(), 200, "{file}");
    }
    let request =
        front.request(Method::POST, "/login").header("origin", &front.url).header("sec-fetch-site", "same-origin");
    let answer = request.json(&json!({"username": "ada", "password": PASSWORD})).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (200, 2));
    let mut jar = Jar::default();
    jar.apply(&answer);
    let back = way_back.strip_prefix(&front.url).unwrap();
    assert_eq!(echo(front.get_with(back, &jar).await).await["target"], page);
    // Refresh and sign-out are Tacit's too.
    let post = async |path: &str, jar: &Jar| {
        front
            .request(Method::POST, path)
            .header("cookie", jar.header())
            .header("origin", &front.url)
            .send()
            .await
            .unwrap()
    };
    let refreshed = post("/refresh", &jar).await;
    assert_eq!((refreshed.status().as_u16(), set_cookies(&refreshed).len()), (204, 2));
    jar.apply(&refreshed);
    let ended = post("/logout", &jar).await;
    assert_eq!((ended.status().as_u16(), set_cookies(&ended).len()), (200, 2));
    assert_eq!(front.get_with(back, &jar).await.status(), 401);
}

pub async fn verify_is_unknown_from_outside(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let host = front.url.trim_start_matches("http://");
    let paths = [
        "/verify",
        "/verify/",
        "/verify?x=1",
        "/verify/nginx",
        "/verify/nginx/role/user",
        "/verify/access",
        "/verify/envoy/x",
        "/%76erify",
        "/verif%79/nginx",
        "//verify",
        "/x/../verify",
        "/login/../verify",
        "/login/%2e%2e/verify",
        "/./verify/nginx",
        "/public/../verify",
        "/login/%2E%2E%2Fverify",
        "/login/..;/verify",
        "/login;/../verify",
        "/VERIFY",
    ];
    for path in paths {
        for cookie in [jar.header(), jar.without_access().header()] {
            let mut stream = raw::connect_to(&front.url).await;
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = raw::receive(&mut stream).await;
            for name in ["authorization", "x-auth-user-id", "x-auth-username", "x-auth-set-cookie-1"] {
                assert!(!answer.headers.contains_key(name), "{path}: {answer:?}");
            }
            if path.starts_with("/verif") {
                assert_eq!(answer.status, 404, "{path}: {answer:?}");
            }
        }
    }
}

pub async fn fifty_parallel_requests_with_one_expired_cookie_rotate_once(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let answers = join_all((0..50).map(|_| front.get_with("/api/x", &jar))).await;
    let mut refresh_tokens = Vec::new();
    for answer in answers {
        let mut after = jar.clone();
        after.apply(&answer);
        if after.refresh() != jar.refresh() {
            refresh_tokens.push(after.refresh().to_owned());
        }
        let echo = echo(answer).await;
        assert_eq!(seen(&echo, "x-auth-username"), ["ada"]);
        assert!(after.get(ACCESS).is_some(), "each gets an access cookie");
    }
    assert_eq!(refresh_tokens.len(), 1, "one new refresh token");
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 1);
    let rotated = front.tacit.metric("tacit_refreshes_total{verdict=\"rotated\"}").await;
    assert!((rotated - 1.0).abs() < f64::EPSILON, "{rotated}");
}

pub async fn a_route_for_one_role_refuses_others(front: Front) {
    let user = front.tacit.new_session("ada").await;
    let admin = front.tacit.new_admin("grace").await;
    assert_eq!(front.get_with("/admin/x", &user).await.status(), 403);
    assert_eq!(front.get("/admin/x").send().await.unwrap().status(), 401);
    assert_eq!(front.upstream.hits("/admin/x"), 0);
    let echo = echo(front.get_with("/admin/x", &admin.without_access()).await).await;
    assert_eq!((seen(&echo, "x-auth-username"), seen(&echo, "x-auth-roles")), (vec!["grace"], vec!["admin"]));
}

pub async fn a_slow_route_never_rotates(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let answer = front.get_with("/slow/x", &jar).await;
    assert_eq!(ours(&answer), Vec::<String>::new());
    let echo = echo(answer).await;
    assert_eq!(seen(&echo, "x-auth-username"), ["ada"]);
    assert!(seen(&echo, "authorization")[0].starts_with("Bearer ey"));
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 0);
}

pub async fn preflights_and_public_paths_are_not_asked_about(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let request = front.request(Method::OPTIONS, "/api/x").header("origin", "https://app.example.com");
    let echo_of = echo(request.header("access-control-request-method", "POST").send().await.unwrap()).await;
    assert!(seen(&echo_of, "x-auth-user-id").iter().all(|value| value.is_empty()), "{echo_of}");
    let plain = front.request(Method::OPTIONS, "/api/x").send().await.unwrap();
    assert_eq!(plain.status(), 401, "OPTIONS without a preflight's header is a request like any other");
    let answer = front.get_with("/public/x", &jar).await;
    assert_eq!(set_cookies(&answer), Vec::<String>::new());
    echo(answer).await;
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 0);
}

pub async fn an_unsafe_request_of_another_site_is_refused(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let ask = async |method: Method| {
        let request =
            front.request(method, "/api/x").header("cookie", jar.header()).header("x-forwarded-method", "GET");
        let request = request.header("origin", "https://evil.example").header("sec-fetch-site", "cross-site");
        request.send().await.unwrap().status().as_u16()
    };
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(ask(method).await, 403);
    }
    assert_eq!(front.upstream.hits("/api/x"), 0);
    assert_eq!(ask(Method::GET).await, 200);
}

pub async fn the_api_is_never_asked_twice(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    for path in ["/api/drop", "/slow/drop"] {
        // Closing the browser's connection as well is an answer too: then it knows that it may ask again.
        let answer = front.get(path).header("cookie", jar.header()).send().await;
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status().is_server_error()));
        assert_eq!(front.upstream.hits(path), 1, "{path}");
    }
}

/// A path as an API may read it: decoded, without empty parts, dots followed.
fn resolved(target: &str) -> String {
    let path = target.split('?').next().unwrap_or_default();
    let path = percent_encoding::percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

pub async fn a_path_spelled_otherwise_gets_around_nothing(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let host = front.url.trim_start_matches("http://");
    let paths = [
        "/admin/x",
        "//admin/x",
        "/./admin/x",
        "/x/../admin/x",
        "/%61dmin/x",
        "/x/%2e%2e/admin/x",
        "/public/../admin/x",
        "/public/%2e%2e/admin/x",
        "/public/..%2fadmin/x",
        "/public%2f..%2fadmin/x",
        "/slow/../admin/x",
        "/admin%2fx",
        "/login/../admin/x",
        "/public/../api/x",
        "/public//../api/x",
        "/login/../api/x",
        "/admin/./x",
        "/admin//x",
    ];
    for path in paths {
        for cookie in [jar.header(), "a=1".to_owned()] {
            let mut stream = raw::connect_to(&front.url).await;
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = raw::receive(&mut stream).await;
            let Some(target) = answer.body.split("\"target\":\"").nth(1).and_then(|rest| rest.split('"').next()) else {
                assert_ne!(answer.status, 200, "{path}: {answer:?}");
                continue;
            };
            let reached = resolved(target);
            assert!(!reached.starts_with("/admin"), "{path} reached {target}");
            assert!(cookie != "a=1" || reached.starts_with("/public"), "{path} reached {target} without a session");
        }
    }
}
