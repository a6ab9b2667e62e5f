use reqwest::Method;

use super::{browser, header, page};
use crate::app::Tacit;

async fn language(tacit: &Tacit, accept: &str) -> String {
    let answer = browser(tacit, Method::GET, "/login").header("accept-language", accept).send().await.unwrap();
    let named = header(&answer, "content-language").to_owned();
    let html = page(answer).await;
    assert!(html.contains(&format!("<html lang=\"{named}\">")), "{accept}");
    named
}

#[tokio::test]
async fn pages_speak_the_language_that_the_browser_asks_for() {
    let tacit = Tacit::start().await;
    for (accept, expected) in [
        ("ja", "ja"),
        ("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", "ko"),
        ("fr-CH, fr;q=0.9, ja;q=0.5, *;q=0.1", "ja"),
        ("en;q=0.3, KO;q=0.9", "ko"),
        ("ja;q=0, ko;q=0.1", "ko"),
        ("fr, de", "en"),
        ("*", "en"),
        ("*, ja;q=0.5", "en"),
        ("jax, kok", "en"),
        (";;q=,,q=9;ja;;", "en"),
        ("ja;q=nonsense, ko;q=0.2", "ko"),
        ("", "en"),
    ] {
        assert_eq!(language(&tacit, accept).await, expected, "{accept}");
    }
}

#[tokio::test]
async fn refusals_are_told_in_the_persons_language() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    for (language, wrong, taken, elsewhere) in [
        ("en", "The name or the password is wrong.", "This username is taken.", "another site"),
        ("ja", "名前またはパスワードが違います。", "このユーザー名はすでに使われています。", "別のサイト"),
        ("ko", "이름 또는 비밀번호가 올바르지 않습니다.", "이미 사용 중인 사용자 이름입니다.", "다른 사이트"),
    ] {
        let send = async |path: &str, site: &str| {
            let sent = browser(&tacit, Method::POST, path).header("accept-language", language);
            let sent = sent.header("sec-fetch-site", site).form(&[("username", "ada"), ("password", "battery horse")]);
            page(sent.send().await.unwrap()).await
        };
        assert!(send("/login", "same-origin").await.contains(wrong), "{language}");
        assert!(send("/register", "same-origin").await.contains(taken), "{language}");

        let mut request = browser(&tacit, Method::POST, "/login").header("accept-language", language).build().unwrap();
        request.headers_mut().insert("sec-fetch-site", "cross-site".parse().unwrap());
        let body = "username=ada&password=x";
        request.headers_mut().insert("content-type", "application/x-www-form-urlencoded".parse().unwrap());
        *request.body_mut() = Some(body.into());
        let answer = tacit.http.execute(request).await.unwrap();
        assert_eq!(answer.status(), 403);
        assert!(page(answer).await.contains(elsewhere), "{language}");
    }
}
