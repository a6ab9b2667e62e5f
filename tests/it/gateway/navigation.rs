//! Who is sent to the login page, and from where a person comes back.

use reqwest::RequestBuilder;

use super::{behind_a_gateway, header, trusting};
use crate::app::Tacit;

/// A person who opens a page, as a gateway at `host` asks about it.
fn navigation(tacit: &Tacit, mount: &str, host: &str) -> RequestBuilder {
    tacit
        .get(mount)
        .header("x-forwarded-method", "GET")
        .header("x-forwarded-proto", "http")
        .header("x-forwarded-host", host)
        .header("x-forwarded-uri", "/a/b?c=d&e=%26")
        .header("accept", "text/html,*/*")
}

async fn location(request: RequestBuilder) -> (u16, Option<String>) {
    let answer = request.send().await.unwrap();
    let location = header(&answer, "location").map(str::to_owned);
    (answer.status().as_u16(), location)
}

#[tokio::test]
async fn a_navigation_is_sent_to_the_login_page_with_the_way_back() {
    let tacit = behind_a_gateway().await;
    let way_back = "http%3A%2F%2Flocalhost%3A9000%2Fa%2Fb%3Fc%3Dd%26e%3D%2526";
    let expected = Some(format!("{}/login?return_to={way_back}", tacit.url));
    for mount in ["/verify", "/verify/access", "/verify/role/admin", "/verify/envoy/x"] {
        let request = navigation(&tacit, mount, "localhost:9000");
        assert_eq!(location(request).await, (302, expected.clone()), "{mount}");
    }
    for mount in ["/verify/nginx", "/verify/nginx/access", "/verify/nginx/role/admin"] {
        let request = navigation(&tacit, mount, "localhost:9000");
        assert_eq!(location(request).await, (401, expected.clone()), "nginx knows no 3xx: {mount}");
    }
    let request = navigation(&tacit, "/verify", "localhost:9000").header("sec-fetch-mode", "navigate");
    assert_eq!(location(request).await.0, 302);
    let answer = navigation(&tacit, "/verify", "localhost:9000").send().await.unwrap();
    assert_eq!(header(&answer, "www-authenticate"), None);
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert_eq!(answer.text().await.unwrap(), "");
}

#[tokio::test]
async fn nothing_but_a_navigation_sees_a_redirect() {
    let tacit = behind_a_gateway().await;
    let others: [&[(&str, &str)]; 12] = [
        &[("sec-fetch-mode", "cors")],
        &[("sec-fetch-mode", "no-cors")],
        &[("sec-fetch-mode", "same-origin")],
        &[("sec-fetch-mode", "websocket"), ("upgrade", "websocket")],
        &[("upgrade", "WebSocket")],
        &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")],
        &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch;prerender")],
        &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prerender")],
        &[("sec-fetch-mode", "navigate"), ("purpose", "prefetch")],
        &[("x-requested-with", "XMLHttpRequest")],
        &[("x-forwarded-method", "POST")],
        &[("accept", "application/json")],
    ];
    for extra in others {
        for mount in ["/verify", "/verify/nginx"] {
            let mut request = navigation(&tacit, mount, "localhost:9000").build().unwrap();
            for (name, value) in extra {
                request.headers_mut().insert(*name, value.parse().unwrap());
            }
            let answer = tacit.http.execute(request).await.unwrap();
            assert_eq!((answer.status().as_u16(), header(&answer, "location")), (401, None), "{mount} {extra:?}");
            assert!(header(&answer, "www-authenticate").is_some());
        }
    }
}

#[tokio::test]
async fn the_way_back_leads_to_listed_hosts_only() {
    let tacit = trusting()
        .set("gateway.return_hosts", "app.example.com,localhost")
        .set("gateway.login_url", "https://auth.example.com/login?theme=dark")
        .start()
        .await;
    let login = "https://auth.example.com/login?theme=dark";
    for host in ["app.example.com", "APP.example.com:8443", "localhost"] {
        let (status, location) = location(navigation(&tacit, "/verify", host)).await;
        assert_eq!(status, 302);
        assert!(location.unwrap().starts_with(&format!("{login}&return_to=http%3A%2F%2F")), "{host}");
    }
    let foreign = [
        "evil.example",
        "app.example.com.evil.example",
        "evilapp.example.com",
        "app.example.com@evil.example",
        "evil.example/app.example.com",
        "evil.example#app.example.com",
        "evil.example\\app.example.com",
        "app.example.com, evil.example",
        "",
    ];
    for host in foreign {
        assert_eq!(location(navigation(&tacit, "/verify", host)).await, (302, Some(login.to_owned())), "{host}");
    }
    for uri in ["//evil.example/", "https://evil.example/", "a", "@evil.example", ""] {
        let mut request = navigation(&tacit, "/verify", "localhost").build().unwrap();
        request.headers_mut().insert("x-forwarded-uri", uri.parse().unwrap());
        let answer = tacit.http.execute(request).await.unwrap();
        let location = header(&answer, "location").unwrap();
        assert!(
            location == login || location.starts_with(&format!("{login}&return_to=http%3A%2F%2Flocalhost%2F")),
            "{uri}: {location}"
        );
    }
    let repeated = navigation(&tacit, "/verify", "localhost").header("x-forwarded-host", "app.example.com");
    assert_eq!(location(repeated).await, (302, Some(login.to_owned())), "which of two hosts is the gateway's?");
}

#[tokio::test]
async fn a_login_path_is_built_on_the_forwarded_host_if_it_is_listed() {
    let tacit =
        trusting().set("gateway.return_hosts", "app.example.com").set("gateway.login_url", "/login").start().await;
    for (proto, scheme) in [("https", "https"), ("http", "http"), ("wss", "https"), ("ws", "http"), ("HTTPS", "https")]
    {
        let mut request = navigation(&tacit, "/verify", "app.example.com:81").build().unwrap();
        request.headers_mut().insert("x-forwarded-proto", proto.parse().unwrap());
        let answer = tacit.http.execute(request).await.unwrap();
        let way_back = format!("{scheme}%3A%2F%2Fapp.example.com%3A81%2Fa%2Fb%3Fc%3Dd%26e%3D%2526");
        let expected = format!("{scheme}://app.example.com:81/login?return_to={way_back}");
        assert_eq!(header(&answer, "location"), Some(expected.as_str()), "{proto}");
    }
    let fallback = Some(format!("{}/login", tacit.url));
    assert_eq!(location(navigation(&tacit, "/verify", "evil.example")).await, (302, fallback.clone()));
    let mut request = navigation(&tacit, "/verify", "app.example.com").build().unwrap();
    request.headers_mut().insert("x-forwarded-proto", "javascript".parse().unwrap());
    let answer = tacit.http.execute(request).await.unwrap();
    assert_eq!(header(&answer, "location"), fallback.as_deref());
}

#[tokio::test]
async fn forwarded_headers_of_strangers_choose_nothing() {
    let tacit = trusting().set("server.trusted_proxies", "192.0.2.1").start().await;
    let login = Some(format!("{}/login", tacit.url));
    assert_eq!(location(navigation(&tacit, "/verify", "localhost:9000")).await, (302, login.clone()), "no way back");
    // The request's own method counts, not the one that a stranger names.
    let post = navigation(&tacit, "/verify", "localhost").header("sec-fetch-mode", "navigate").build().unwrap();
    let mut post = post;
    post.headers_mut().insert("x-forwarded-method", "POST".parse().unwrap());
    assert_eq!(tacit.http.execute(post).await.unwrap().status(), 302);
    // X-Original-* are nobody's.
    let original = trusting().start().await;
    let request = original.get("/verify").header("accept", "text/html").header("x-original-url", "http://localhost/x");
    assert_eq!(location(request).await, (302, Some(format!("{}/login", original.url))));
}
