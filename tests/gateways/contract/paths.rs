//! However a path is spelled, it gets around nothing.

use tacit::routers::routes;
use tokio::io::AsyncWriteExt;

use crate::front::Front;
use crate::raw;

pub async fn verify_is_unknown_from_outside(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let host = front.url.trim_start_matches("http://");
    let mounts = routes().into_iter().map(|route| route.path).filter(|path| path.starts_with("/verify"));
    let mounts =
        mounts.map(|path| path.replace("{role}", "user").replace("{scope}", "read").replace("{rest:.*}", "/x"));
    let mounts: Vec<String> = mounts.collect();
    assert!(mounts.len() >= 13, "{mounts:?}");
    let below = mounts.iter().filter_map(|mount| mount.strip_prefix("/verify/"));
    let encoded = below.flat_map(|rest| {
        let slashes = rest.replace('/', "%2F");
        [format!("/verify/{slashes}"), format!("/verify%2f{slashes}"), format!("/public/..%2Fverify%2F{slashes}")]
    });
    let letters = mounts.iter().map(|mount| mount.replace("/verify", "/%76erif%79"));
    let spelled = [
        "/verify/",
        "/verify?x=1",
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
    let spelled = spelled.map(str::to_owned);
    for path in mounts.iter().cloned().chain(encoded).chain(letters).chain(spelled) {
        for cookie in [jar.header(), jar.without_access().header()] {
            let mut stream = raw::connect_to(&front.url).await;
            let request =
                format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let answer = raw::receive(&mut stream).await;
            for name in ["authorization", "x-auth-user-id", "x-auth-username", "x-auth-set-cookie-1"] {
                assert!(!answer.headers.contains_key(name), "{path}: {answer:?}");
            }
            let is_the_apis = answer.status == 200 && answer.body.contains("\"target\"");
            if mounts.contains(&path) || path.starts_with("/verif") && !path.contains('%') {
                assert_eq!(answer.status, 404, "{path}: {answer:?}");
            } else {
                // Refused, or passed on to the API, which has no such path.
                assert!(is_the_apis || matches!(answer.status, 400..=404), "{path}: {answer:?}");
            }
        }
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
