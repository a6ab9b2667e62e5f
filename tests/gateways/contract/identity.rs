//! The API learns who asks from Tacit alone.

use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::{echo, seen};
use crate::front::Front;
use crate::jar::ACCESS;
use crate::raw;

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
            request.extend([name, ": forged\r\n"]);
        }
        if cookie {
            request.extend(["Cookie: ", &jar.header(), "\r\n"]);
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

pub async fn a_route_for_one_role_refuses_others(front: Front) {
    let user = front.tacit.new_session("ada").await;
    let admin = front.tacit.new_admin("grace").await;
    assert_eq!(front.get_with("/admin/x", &user).await.status(), 403);
    assert_eq!(front.get("/admin/x").send().await.unwrap().status(), 401);
    assert_eq!(front.upstream.hits("/admin/x"), 0);
    let echo = echo(front.get_with("/admin/x", &admin.without_access()).await).await;
    assert_eq!((seen(&echo, "x-auth-username"), seen(&echo, "x-auth-roles")), (vec!["grace"], vec!["admin"]));
}
