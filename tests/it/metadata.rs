//! GET /.well-known/oauth-authorization-server (RFC 8414), and the challenges of RFC 6750.

use serde_json::{Value, json};

use crate::app::{Home, Setup, Tacit};
use crate::problems;
use crate::shapes::part;

/// What `grant_type` may be.
const GRANTS: [&str; 3] = ["password", "refresh_token", "client_credentials"];

const PATH: &str = "/.well-known/oauth-authorization-server";

async fn metadata(tacit: &Tacit, url: &str) -> Value {
    let answer = tacit.http.get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    assert_eq!(answer.headers()["content-type"], "application/json; charset=utf-8");
    problems::assert_plain_security_headers(answer.headers());
    answer.json().await.expect("JSON")
}

#[tokio::test]
async fn the_metadata_names_what_there_is_and_every_endpoint_answers() {
    let tacit = Tacit::start().await;
    let url = tacit.url.clone();
    let told = metadata(&tacit, &format!("{url}{PATH}")).await;
    let (secret, any) =
        (json!(["client_secret_basic", "client_secret_post"]), ["none", "client_secret_basic", "client_secret_post"]);
    let expected = json!({
        "issuer": url,
        "jwks_uri": format!("{url}/.well-known/jwks.json"),
        "token_endpoint": format!("{url}/token"),
        "token_endpoint_auth_methods_supported": any,
        "grant_types_supported": GRANTS,
        "response_types_supported": ["none"],
        "introspection_endpoint": format!("{url}/introspect"),
        "introspection_endpoint_auth_methods_supported": secret,
        "revocation_endpoint": format!("{url}/revoke"),
        "revocation_endpoint_auth_methods_supported": any,
        "service_documentation": format!("{url}/docs"),
    });
    assert_eq!(told, expected);
    for name in ["token_endpoint", "introspection_endpoint", "revocation_endpoint"] {
        // No form: the endpoint is there and says so.
        assert_eq!(tacit.http.post(told[name].as_str().unwrap()).send().await.unwrap().status(), 415, "{name}");
    }
    tacit.register("ada").await;
    let token = tacit.token("ada").await;
    assert_eq!(part(token["access_token"].as_str().unwrap(), 1)["iss"], told["issuer"]);
}

#[tokio::test]
async fn a_grant_that_is_switched_off_is_not_offered() {
    let tacit = Setup::default().set("oauth.password_grant", "false").start().await;
    let told = metadata(&tacit, &format!("{}{PATH}", tacit.url)).await;
    let offered: Vec<&str> = GRANTS.into_iter().filter(|grant| *grant != "password").collect();
    assert_eq!(told["grant_types_supported"], json!(offered));
}

#[tokio::test]
async fn below_a_base_path_it_also_stands_where_the_standard_looks_for_it() {
    let tacit = Setup::default().set("server.base_path", "/auth/v1").start().await;
    let bare = tacit.url.strip_suffix("/auth/v1").expect("the base path").to_owned();
    let own = metadata(&tacit, &format!("{}{PATH}", tacit.url)).await;
    assert_eq!(own["issuer"], json!(tacit.url));
    assert_eq!(own["token_endpoint"], json!(format!("{}/token", tacit.url)));
    assert_eq!(tacit.http.get(own["jwks_uri"].as_str().unwrap()).send().await.unwrap().status(), 200);
    for url in [format!("{bare}{PATH}/auth/v1"), format!("{bare}{PATH}/auth/v1/")] {
        assert_eq!(metadata(&tacit, &url).await, own);
        let head = tacit.http.head(&url).send().await.unwrap();
        assert_eq!(head.status(), 200);
        let post = problems::read(tacit.http.post(&url).send().await.unwrap()).await;
        assert!(post.is(405, "method_not_allowed") && post.headers["allow"] == "GET, HEAD", "{post:?}");
    }
    for path in [PATH.to_owned(), format!("{PATH}/auth"), format!("{PATH}/auth/v1/x")] {
        assert_eq!(tacit.http.get(format!("{bare}{path}")).send().await.unwrap().status(), 404, "{path}");
    }
}

#[tokio::test]
async fn an_issuer_of_ones_own_is_named_and_the_endpoints_stay() {
    let tacit = Setup::default().set("tokens.issuer", "https://id.example").spawn_in(Home::new());
    let told = metadata(&tacit, &format!("{}{PATH}", tacit.url)).await;
    assert_eq!(
        (&told["issuer"], &told["token_endpoint"]),
        (&json!("https://id.example"), &json!(format!("{}/token", tacit.url)))
    );
}
