//! Where a token is read from, and which of several counts.

use serde_json::{Value, json};

use crate::access_tokens::{NOT_A_TOKEN, NOT_GOOD, start, with};
use crate::forge;
use crate::problems;
use crate::shapes::part;

#[tokio::test]
async fn an_access_token_is_no_refresh_token() {
    let (tacit, token) = start().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    let answer = tacit.post("/token").form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 400);
    assert_eq!(answer.json::<Value>().await.unwrap()["error"], "invalid_grant");
    let refresh = tacit.get("/me").header("cookie", format!("tacit-refresh={token}")).send().await.unwrap();
    assert_eq!(problems::read(refresh).await.status, 401);
}

#[tokio::test]
async fn a_bearer_header_decides_alone_and_a_token_in_the_url_is_never_read() {
    let (tacit, token) = start().await;
    let jar = tacit.log_in("ada").await;
    let send = async |authorization: &str, path: &str| {
        let request = tacit.get(path).header("cookie", jar.header()).header("authorization", authorization);
        request.send().await.unwrap()
    };
    for bad in ["Bearer", "Bearer ", "Bearer nonsense", "bEaReR a.b.c", "Bearer \u{e9}"] {
        let answer = send(bad, "/me").await;
        assert!(!answer.headers().contains_key("set-cookie"));
        assert_eq!(problems::read(answer).await.status, 401, "{bad}");
    }
    for absent in ["", "Basic YTpi", "Token x", "Bearerx", "Digest username=a"] {
        assert_eq!(send(absent, "/me").await.status(), 200, "{absent}");
    }
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let answer = tacit.get("/me").header("authorization", format!("{scheme} {token}")).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{scheme}");
    }
    let twice =
        tacit.get("/me").header("authorization", format!("Bearer {token}")).header("authorization", "Basic YTpi");
    assert!(problems::read(twice.send().await.unwrap()).await.is(400, "bad_request"));
    for path in [format!("/me?access_token={token}"), format!("/me?token={token}")] {
        let problem = problems::read(tacit.get(&path).send().await.unwrap()).await;
        assert!(problem.is(401, "not_authenticated"));
        assert_eq!(
            (problem.detail.as_str(), &problem.headers["www-authenticate"]),
            ("Not authenticated", &"Bearer".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn an_access_cookie_speaks_for_itself_where_there_is_no_refresh_cookie() {
    let (tacit, token) = start().await;
    let claims = part(&token, 1);
    let expired = forge::sign(&forge::header(), &with(claims, "exp", json!(1)));
    let get = async |cookie: String| tacit.get("/me").header("cookie", cookie).send().await.unwrap();
    let problem = problems::read(get(format!("tacit-access={expired}")).await).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("token_expired", NOT_GOOD));
    let problem = problems::read(get("tacit-access=a.b.c".to_owned()).await).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_GOOD));
    let problem = problems::read(get("tacit-access=nonsense".to_owned()).await).await;
    assert_eq!((problem.code.as_str(), problem.detail.as_str()), ("invalid_token", NOT_A_TOKEN));
    let several = format!("tacit-access=a.b.c; tacit-access={expired}; tacit-access={token}");
    assert_eq!(get(several).await.status(), 200);
    let jar = tacit.log_in("ada").await;
    for bad in [expired.as_str(), "a.b.c", "nonsense"] {
        let answer = get(format!("tacit-access={bad}; tacit-refresh={}", jar.refresh())).await;
        assert_eq!(answer.status(), 200, "{bad} does not give way to the refresh cookie");
    }
}
