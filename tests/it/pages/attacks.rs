use reqwest::Method;

use super::{ACCEPT, header, open_with, page, send_form};
use crate::app::{PASSWORD, Tacit};
use crate::jar::{Jar, set_cookies};

const HOSTILE: [&str; 4] = [
    "<script>alert(1)<\u{2f}script>",
    "\"><img src=x onmouseover=alert(1)>",
    "\" autofocus onfocus=alert(1) x=\"",
    "&lt;b&gt;{{7*7}}",
];

#[tokio::test]
async fn a_hostile_name_is_text_wherever_it_is_shown() {
    let tacit = Tacit::start().await;
    for name in HOSTILE {
        let html = page(send_form(&tacit, "/login", &[("username", name), ("password", "x")]).await).await;
        assert!(!html.contains(name), "{name} in {html}");
        let email = format!("\"{name}\"");
        let sent = [("username", name), ("email", &email), ("password", "short")];
        let html = page(send_form(&tacit, "/register", &sent).await).await;
        assert!(!html.contains(name), "{name} in {html}");

        let name = name.replace('/', "");
        let mut jar = Jar::default();
        jar.apply(&send_form(&tacit, "/register", &[("username", &name), ("password", PASSWORD)]).await);
        let html = page(open_with(&tacit, "/account", &jar).await).await;
        assert!(!html.contains(&name) && html.contains("alert(1)") | html.contains("7*7"), "{name} in {html}");
    }
}

#[tokio::test]
async fn a_hostile_way_back_is_text_in_the_page() {
    let tacit = Tacit::start().await;
    let query = form_urlencoded::Serializer::new("/login?".to_owned())
        .append_pair("return_to", "/x?\"><script>alert(1)</script>")
        .finish();
    let html = page(super::open(&tacit, &query).await).await;
    assert!(!html.contains("<script>") && html.contains("return_to="), "{html}");
}

#[tokio::test]
async fn forms_of_other_sites_are_refused_with_a_page_and_change_nothing() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let fields = [("username", "ada"), ("password", PASSWORD)];
    let other_port =
        format!("http://localhost:{}", 1 + tacit.url.rsplit(':').next().unwrap().parse::<u16>().unwrap() % 60_000);
    let origins = ["http://evil.localhost", "https://localhost", "null", &other_port, "http://localhost.evil.example"];
    for path in ["/login", "/register", "/logout"] {
        for origin in origins {
            for site in [Some("cross-site"), Some("same-site"), None] {
                let mut sent = tacit.post(path).header("accept", ACCEPT).header("origin", origin);
                if let Some(site) = site {
                    sent = sent.header("sec-fetch-site", site);
                }
                let answer = sent.header("cookie", jar.header()).form(&fields).send().await.unwrap();
                assert_eq!(answer.status(), 403, "{path} {origin} {site:?}");
                assert!(set_cookies(&answer).is_empty());
                assert!(header(&answer, "access-control-allow-origin").is_empty());
                page(answer).await;
            }
        }
    }
    assert_eq!(tacit.get_with("/me", &jar).await.status(), 200, "still signed in");
}

#[tokio::test]
async fn a_bearer_token_of_a_program_opens_the_page_too_and_a_bad_one_does_not() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let token = tacit.token("ada").await["access_token"].as_str().unwrap().to_owned();
    let answer = tacit.get("/account").bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let answer = tacit.request(Method::GET, "/account").bearer_auth("a.b.c").send().await.unwrap();
    assert!(answer.status().is_redirection());
}
