//! The `oauth2` crate as a client: every grant, refreshes at once, introspection, revocation.

use std::collections::HashSet;

use futures_util::future::join_all;
use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicRequestTokenError, BasicTokenResponse};
use oauth2::{
    AccessToken, AuthType, ClientId, ClientSecret, HttpRequest, HttpResponse, IntrospectionUrl, RefreshToken,
    ResourceOwnerPassword, ResourceOwnerUsername, RevocationUrl, Scope, StandardRevocableToken,
    TokenIntrospectionResponse, TokenResponse, TokenUrl,
};
use reqwest::Client;

use crate::app::{PASSWORD, Tacit};
use crate::clients::{Credentials, create};

type Refused = BasicRequestTokenError<reqwest::Error>;
type Program = BasicClient<
    oauth2::EndpointNotSet,
    oauth2::EndpointNotSet,
    oauth2::EndpointSet,
    oauth2::EndpointSet,
    oauth2::EndpointSet,
>;

/// A program of this id. It revokes over https only, so its addresses are such; [`send`] takes the TLS away.
fn program(tacit: &Tacit, id: &str) -> Program {
    let at = |path: &str| format!("{}{path}", tacit.url.replace("http://", "https://"));
    BasicClient::new(ClientId::new(id.to_owned()))
        .set_token_uri(TokenUrl::new(at("/token")).unwrap())
        .set_introspection_url(IntrospectionUrl::new(at("/introspect")).unwrap())
        .set_revocation_url(RevocationUrl::new(at("/revoke")).unwrap())
}

/// The program of a client with a secret.
fn confidential(tacit: &Tacit, client: &Credentials, way: AuthType) -> Program {
    program(tacit, &client.id).set_client_secret(ClientSecret::new(client.secret.clone())).set_auth_type(way)
}

async fn send(http: Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let (parts, body) = request.into_parts();
    let url = parts.uri.to_string().replace("https://", "http://");
    let answer = http.request(parts.method, url).headers(parts.headers).body(body).send().await?;
    let (status, headers) = (answer.status(), answer.headers().clone());
    let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    Ok(response)
}

async fn sign_in(tacit: &Tacit, program: &Program, password: &str) -> Result<BasicTokenResponse, Refused> {
    let http = |request| send(tacit.http.clone(), request);
    let (name, password) =
        (ResourceOwnerUsername::new("ada".to_owned()), ResourceOwnerPassword::new(password.to_owned()));
    program.exchange_password(&name, &password).request_async(&http).await
}

async fn refresh(tacit: &Tacit, program: &Program, token: &RefreshToken) -> Result<BasicTokenResponse, Refused> {
    let http = |request| send(tacit.http.clone(), request);
    program.exchange_refresh_token(token).request_async(&http).await
}

async fn is_active(tacit: &Tacit, program: &Program, token: &AccessToken) -> bool {
    let http = |request| send(tacit.http.clone(), request);
    program.introspect(token).request_async(&http).await.unwrap().active()
}

async fn status_of_me(tacit: &Tacit, token: &BasicTokenResponse) -> u16 {
    tacit.get("/me").bearer_auth(token.access_token().secret()).send().await.unwrap().status().as_u16()
}

fn code(refused: Result<BasicTokenResponse, Refused>) -> BasicErrorResponseType {
    match refused {
        Err(BasicRequestTokenError::ServerResponse(response)) => response.error().clone(),
        other => panic!("not an error of RFC 6749: {other:?}"),
    }
}

#[tokio::test]
async fn the_oauth2_crate_signs_in_and_refreshes_in_every_way_of_authenticating() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "shop", &["--grant", "password", "--grant", "refresh_token"]);
    for program in [
        program(&tacit, "script"),
        confidential(&tacit, &client, AuthType::BasicAuth),
        confidential(&tacit, &client, AuthType::RequestBody),
    ] {
        let token = sign_in(&tacit, &program, PASSWORD).await.unwrap();
        assert!(token.expires_in().unwrap().as_secs() > 0);
        let renewed = refresh(&tacit, &program, token.refresh_token().unwrap()).await.unwrap();
        assert_ne!(renewed.refresh_token().unwrap().secret(), token.refresh_token().unwrap().secret());
        assert_eq!(status_of_me(&tacit, &renewed).await, 200);
        assert_eq!(code(sign_in(&tacit, &program, "wrong").await), BasicErrorResponseType::InvalidGrant);
    }
    let wrong = confidential(&tacit, &Credentials { secret: "wrong".to_owned(), ..client }, AuthType::BasicAuth);
    assert_eq!(code(sign_in(&tacit, &wrong, PASSWORD).await), BasicErrorResponseType::InvalidClient);
}

#[tokio::test]
async fn refreshes_of_the_oauth2_crate_at_once_all_work_and_nobody_is_logged_out() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "shop", &["--grant", "password", "--grant", "refresh_token"]);
    for program in [program(&tacit, "script"), confidential(&tacit, &client, AuthType::BasicAuth)] {
        for _ in 0..5 {
            let token = sign_in(&tacit, &program, PASSWORD).await.unwrap();
            let first = token.refresh_token().unwrap();
            let renewed: Vec<BasicTokenResponse> =
                join_all((0..8).map(|_| async { refresh(&tacit, &program, first).await.unwrap() })).await;
            let kept: HashSet<&String> =
                renewed.iter().filter_map(|token| Some(token.refresh_token()?.secret())).collect();
            assert!(kept.len() <= 2, "one successor, and the one presented: {kept:?}");
            for token in &renewed {
                assert_eq!(status_of_me(&tacit, token).await, 200);
                refresh(&tacit, &program, token.refresh_token().unwrap()).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_client_of_the_oauth2_crate_gets_a_token_of_its_own() {
    let tacit = Tacit::start().await;
    let client = create(&tacit.home, "shop", &["--grant", "client_credentials", "--scope", "read"]);
    let program = confidential(&tacit, &client, AuthType::BasicAuth);
    let http = |request| send(tacit.http.clone(), request);
    let ask = |scope: &str| program.exchange_client_credentials().add_scope(Scope::new(scope.to_owned()));
    let token = ask("read").request_async(&http).await.unwrap();
    assert_eq!(token.scopes(), Some(&vec![Scope::new("read".to_owned())]));
    assert!(token.refresh_token().is_none());
    assert!(is_active(&tacit, &program, token.access_token()).await);
    assert_eq!(code(ask("delete").request_async(&http).await), BasicErrorResponseType::InvalidScope);
}

#[tokio::test]
async fn what_the_oauth2_crate_revokes_is_inactive_and_refreshes_no_more() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let client = create(&tacit.home, "shop", &["--grant", "password", "--grant", "refresh_token"]);
    let program = confidential(&tacit, &client, AuthType::RequestBody);
    let http = |request| send(tacit.http.clone(), request);
    for by_refresh_token in [true, false] {
        let token = sign_in(&tacit, &program, PASSWORD).await.unwrap();
        assert!(is_active(&tacit, &program, token.access_token()).await);
        let told = program.introspect(token.access_token()).request_async(&http).await.unwrap();
        assert_eq!((told.username(), told.client_id().map(|id| id.as_str())), (Some("ada"), Some(client.id.as_str())));
        let revoked: StandardRevocableToken =
            if by_refresh_token { token.refresh_token().unwrap().into() } else { token.access_token().into() };
        program.revoke_token(revoked).unwrap().request_async(&http).await.unwrap();
        assert!(!is_active(&tacit, &program, token.access_token()).await);
        let refused = refresh(&tacit, &program, token.refresh_token().unwrap()).await;
        assert_eq!(code(refused), BasicErrorResponseType::InvalidGrant);
    }
}
