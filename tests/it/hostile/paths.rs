//! Paths that a gateway, a cache or a log may read otherwise than the service: nothing but its own paths leads to a route.

use super::{Service, concrete, every_route, read_raw};
use crate::app::Tacit;
use crate::raw;

async fn ask(tacit: &Tacit, method: &str, path: &str, headers: &str) -> (u16, String) {
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n{headers}\r\n");
    read_raw(&raw::send(tacit, request).await)
}

/// Other spellings of a path, which are other paths.
fn tricks(path: &str) -> Vec<String> {
    let inner = path.trim_start_matches('/');
    vec![
        format!("//{inner}"),
        format!("/./{inner}"),
        format!("/x/../{inner}"),
        format!("/x/..%2f{inner}"),
        format!("/..%2f{inner}"),
        format!("/%2e%2e/{inner}"),
        format!("/..;/{inner}"),
        format!("/%2f{inner}"),
        format!("/\\{inner}"),
        format!("/;{inner}"),
        format!("{path}//"),
        format!("{path}/."),
        format!("{path}/.."),
        format!("{path};x"),
        format!("{path};x=y/"),
        format!("{path}%00"),
        format!("{path}%20"),
        format!("{path}%2f"),
        format!("{path}%5c"),
        format!("{path}%3f"),
        format!("{path}%23"),
        format!("{path}%0d%0aX:%20y"),
        format!("{path}%"),
        format!("{path}%zz"),
        format!("{path}%ff"),
        format!("{path}%c0%af"),
        format!("{path}."),
        format!("{path}.json"),
        format!("{path}~"),
        path.to_uppercase(),
    ]
}

#[tokio::test]
async fn no_other_spelling_of_a_path_leads_to_a_route() {
    let service = Service::start().await;
    let bearer = format!("Authorization: Bearer {}\r\n", service.token);
    for (method, path, _) in every_route() {
        // What takes the rest of a path takes tricks as well; the answer about them is the gateway's.
        if path.contains('{') || path == "/" {
            continue;
        }
        for trick in tricks(&path) {
            let (status, code) = ask(&service.tacit, &method, &trick, &bearer).await;
            // Some are no path at all, and below /sessions whatever follows is an id, which has other methods.
            let is_id = status == 405 && trick.starts_with("/sessions/");
            assert!([400, 404].contains(&status) || is_id, "{method} {trick}: {status} {code}");
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn an_encoded_spelling_of_a_path_meets_the_same_guard() {
    let service = Service::start().await;
    for (method, path, _) in every_route() {
        let plain = ask(&service.tacit, &method, &concrete(&path), "").await;
        let letters = concrete(&path);
        let last = letters.rfind(|c: char| c.is_ascii_alphabetic()).map(|at| (at, letters.as_bytes()[at]));
        let Some((at, letter)) = last else { continue };
        for encoded in [format!("%{letter:02x}"), format!("%{letter:02X}"), format!("%25{letter:02x}")] {
            let spelled = format!("{}{encoded}{}", &letters[..at], &letters[at + 1..]);
            let (status, code) = ask(&service.tacit, &method, &spelled, "").await;
            let same = (status, code.as_str()) == (plain.0, plain.1.as_str());
            assert!(
                same || status == 404 || path.contains('{') && status == plain.0,
                "{method} {spelled}: {status} {code}, {plain:?}"
            );
        }
    }
    service.assert_unharmed().await;
}

#[tokio::test]
async fn variables_in_paths_are_read_as_one_word_and_never_as_more_path() {
    let service = Service::start().await;
    let bearer = format!("Authorization: Bearer {}\r\n", service.token);
    for (path, expected) in [
        ("/sessions/..%2f..%2fme", 404),
        ("/sessions/%2e%2e", 404),
        ("/docs/..%2f..%2fCargo.toml", 404),
        ("/docs/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
        ("/assets/tacit/..%2f..%2fsecret", 404),
        ("/assets/tacit/%00", 404),
        ("/assets/tacit/style.css%00.js", 404),
        // Not this user's role, whatever its spelling says; the right one is "user".
        ("/verify/role/user", 200),
        ("/verify/role/%75ser", 200),
        ("/verify/role/user;x", 403),
        ("/verify/role/user%2fadmin", 403),
        ("/verify/role/USER", 403),
        ("/verify/role/user%00", 403),
        ("/verify/role/user,admin", 403),
        ("/verify/role/user/", 200),
        ("/verify/role/user/admin", 404),
        ("/verify/nginx/role/user%20", 403),
    ] {
        for method in ["GET", "DELETE"] {
            let (status, code) = ask(&service.tacit, method, path, &bearer).await;
            let no_method = status == 405 && (method == "DELETE" || path.starts_with("/sessions"));
            assert!(status == expected || no_method, "{method} {path}: {status} {code}");
        }
    }
    service.assert_unharmed().await;
}
