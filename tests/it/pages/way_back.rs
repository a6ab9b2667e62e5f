use super::{browser, directive, location, open, open_with, page, sign_in};
use crate::app::{Setup, Tacit};
use crate::jar::set_cookies;
use reqwest::Method;

fn query(way_back: &str) -> String {
    form_urlencoded::Serializer::new("/login?".to_owned()).append_pair("return_to", way_back).finish()
}

#[tokio::test]
async fn a_person_comes_back_to_where_he_was() {
    let tacit = Setup::default().set("gateway.return_hosts", "app.localhost,shop.example").start().await;
    tacit.register("ada").await;
    for (way_back, arrives) in [
        ("/docs", "/docs"),
        ("/a/../docs?x=1&y=/2#part", "/docs?x=1&y=/2#part"),
        ("/%0d%0aSet-Cookie:x", "/%0d%0aSet-Cookie:x"),
        ("http://app.localhost:3000/x?y", "http://app.localhost:3000/x?y"),
        ("HTTPS://Shop.Example", "https://shop.example/"),
        ("https://shop.example:8443/a%20b", "https://shop.example:8443/a%20b"),
        ("/안녕", "/%EC%95%88%EB%85%95"),
    ] {
        let answer = sign_in(&tacit, &query(way_back), "ada").await;
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, arrives), "{way_back}");
    }
    let own = format!("{}/docs", tacit.url);
    assert_eq!(location(&sign_in(&tacit, &query(&own), "ada").await), own, "our own origin is always allowed");
}

#[tokio::test]
async fn a_way_back_to_anywhere_else_is_ignored() {
    let tacit = Setup::default().set("gateway.return_hosts", "localhost,shop.example").start().await;
    tacit.register("ada").await;
    for attack in [
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "\\evil.example",
        "/\t/evil.example",
        "/\r\n/evil.example",
        "/.//evil.example",
        "/x/..//evil.example",
        "/%2e//evil.example",
        "/x\r\nSet-Cookie: a=b",
        "\u{0}/x",
        " //evil.example",
        "https://evil.example",
        "https:evil.example",
        "https:/evil.example",
        "https://shop.example@evil.example/",
        "https://user@shop.example/",
        "https://user:pw@shop.example/",
        "https://shop.example.evil.example/",
        "https://evilshop.example/",
        "https://shop.example\\@evil.example",
        "https://evil.example#@shop.example",
        "https://evil.example?shop.example",
        "javascript:alert(1)",
        "JavaScript://shop.example/%0aalert(1)",
        "data:text/html,x",
        "ftp://shop.example/",
        "blob:https://shop.example/x",
        "docs",
        "",
        "?x",
        "http://",
    ] {
        let answer = sign_in(&tacit, &query(attack), "ada").await;
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/account"), "{attack:?}");
        let html = page(open(&tacit, &query(attack)).await).await;
        assert!(html.contains("action=\"/login\""), "{attack:?} in {html}");
    }
    let long = format!("/{}", "x".repeat(5000));
    assert_eq!(location(&sign_in(&tacit, &query(&long), "ada").await), "/account");
    let twice = "/login?return_to=/docs&return_to=https://shop.example/";
    assert_eq!(location(&sign_in(&tacit, twice, "ada").await), "/account");
    // Of a form only the query counts.
    let sent = [("username", "ada"), ("password", crate::app::PASSWORD), ("return_to", "/docs")];
    assert_eq!(location(&super::send_form(&tacit, "/login", &sent).await), "/account");
}

#[tokio::test]
async fn in_production_a_way_back_is_https() {
    let setup = Setup::default().set("server.public_url", "https://auth.shop.example");
    let tacit = setup.set("gateway.return_hosts", "shop.example").start().await;
    tacit.register("ada").await;
    for (way_back, arrives) in [
        ("http://shop.example/", "/account"),
        ("https://shop.example/", "https://shop.example/"),
        ("https://auth.shop.example/docs", "https://auth.shop.example/docs"),
    ] {
        let sent = browser(&tacit, Method::POST, &query(way_back)).header("origin", "https://auth.shop.example");
        let sent = sent.form(&[("username", "ada"), ("password", crate::app::PASSWORD)]);
        let answer = sent.send().await.unwrap();
        assert_eq!((answer.status().as_u16(), location(&answer)), (303, arrives), "{way_back}");
        assert!(set_cookies(&answer).iter().all(|cookie| cookie.starts_with("__Host-Http-tacit-")));
    }
    let answer = open(&tacit, "/login").await;
    assert_eq!(directive(&answer, "form-action"), ["'self'", "https://shop.example:*"]);
    assert_eq!(super::header(&answer, "strict-transport-security"), "max-age=31536000");
}

#[tokio::test]
async fn the_policy_lets_a_form_lead_to_every_allowed_place() {
    let tacit = Setup::default().set("gateway.return_hosts", "app.localhost,bad;host,[::1],*").start().await;
    let answer = open(&tacit, "/login").await;
    assert_eq!(directive(&answer, "form-action"), ["'self'", "https://app.localhost:*", "http://app.localhost:*"]);
}

#[tokio::test]
async fn somebody_signed_in_who_opens_the_sign_in_page_goes_on() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    // The refresh cookie alone says the same, and is not used up by it.
    for jar in [jar.clone(), jar.without_access()] {
        for path in ["/login", "/register"] {
            let answer = open_with(&tacit, path, &jar).await;
            assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/account"), "{path}");
            assert!(set_cookies(&answer).is_empty());
            let answer = open_with(&tacit, &format!("{path}?return_to=%2Fdocs"), &jar).await;
            assert_eq!((answer.status().as_u16(), location(&answer)), (303, "/docs"), "{path}");
        }
    }
    let answer = tacit.get_with("/me", &jar.without_access()).await;
    assert_eq!(crate::app::refreshed(&answer), Some("rotated"));
    // Once the session is over there is nothing to go on with.
    tacit.post_with("/logout", &jar).await;
    assert_eq!(open_with(&tacit, "/login", &jar).await.status(), 200);
    assert_eq!(open_with(&tacit, "/login", &jar.without_access()).await.status(), 200);
}
