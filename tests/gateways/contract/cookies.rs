//! Both cookies arrive in the browser, and none of them at the API.

use futures_util::future::join_all;

use super::{echo, ours, seen};
use crate::front::Front;
use crate::header;
use crate::jar::{ACCESS, set_cookies};

pub async fn both_cookies_arrive_whatever_the_api_answers(front: Front) {
    front.tacit.register("ada").await;
    for status in ["200", "404", "500", "304", "401", "204", "302"] {
        let jar = front.tacit.log_in("ada").await.without_access();
        let request = front.get(&format!("/api/status/{status}")).header("cookie", jar.header());
        let answer = request.header("if-none-match", "\"x\"").send().await.unwrap();
        assert_eq!(answer.status().as_str(), status);
        let cookies = ours(&answer);
        assert_eq!(cookies.len(), 2, "{status}: {answer:?}");
        assert!(cookies[0].starts_with("tacit-access=") && cookies[1].starts_with("tacit-refresh="), "{cookies:?}");
        assert!(cookies.iter().all(|cookie| cookie.ends_with("; HttpOnly; SameSite=Lax")), "{cookies:?}");
        assert!(set_cookies(&answer).contains(&"theme=dark; Path=/".to_owned()), "the API's own cookie");
        let cache: Vec<_> = answer.headers().get_all("cache-control").iter().collect();
        assert_eq!(cache, ["private, no-store"], "{status}");
        for leaked in ["authorization", "x-auth-user-id", "x-auth-set-cookie-1", "x-auth-set-cookie-2"] {
            assert_eq!(header(&answer, leaked), None, "for the API only: {leaked}");
        }
        // What arrived is good.
        let mut after = jar.clone();
        after.apply(&answer);
        assert_eq!(front.tacit.get_with("/me", &after).await.status(), 200);
        // Without a refresh the API's answer is as it made it.
        let answer = front.get_with("/api/status/200", &after).await;
        assert_eq!((header(&answer, "cache-control"), ours(&answer).len()), (Some("public, max-age=600"), 0));
    }
}

pub async fn cookies_are_dropped_from_an_answer_that_comes_late(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let answer = front.get_with("/api/late/2100", &jar).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(set_cookies(&answer), ["theme=dark; Path=/"], "ours are dropped, the API's own stays");
    let rotated = front.tacit.metric("tacit_refreshes_total{verdict=\"rotated\"}").await;
    assert!((rotated - 1.0).abs() < f64::EPSILON, "{rotated}");
    assert_eq!(front.get_with("/api/x", &jar).await.status(), 200, "the predecessor still authenticates");
}

pub async fn our_cookies_never_reach_the_api_and_others_do(front: Front) {
    let jar = front.tacit.new_session("ada").await;
    let (access, refresh) = (jar.get(ACCESS).unwrap(), jar.refresh());
    let lines = [
        format!("a=1; tacit-access={access}; b=2; tacit-refresh={refresh}; c=3"),
        format!("tacit-access={access}; tacit-refresh={refresh}; a=1; b=2; c=3"),
        format!("a=1;b=2;c=3;tacit-access={access};tacit-refresh={refresh}"),
        format!(
            "tacit-refresh=x; tacit-refresh={refresh}; a=1; tacit-access={access}; b=2; tacit-device=z; c=3; __Host-Http-tacit-access=y"
        ),
    ];
    for line in &lines {
        for path in ["/api/x", "/slow/x", "/public/x"] {
            let echo = echo(front.get(path).header("cookie", line).send().await.unwrap()).await;
            let cookie = seen(&echo, "cookie").join("; ");
            assert!(!cookie.contains("tacit") && !cookie.contains(refresh), "{path} {line}: {cookie}");
            let kept: Vec<&str> = cookie.split(';').map(str::trim).filter(|pair| !pair.is_empty()).collect();
            // A gateway that can only drop the whole header (many of ours) loses the others with it.
            assert!(kept == ["a=1", "b=2", "c=3"], "{path} {line}: {cookie}");
        }
    }
}

pub async fn fifty_parallel_requests_with_one_expired_cookie_rotate_once(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let answers = join_all((0..50).map(|_| front.get_with("/api/x", &jar))).await;
    let mut refresh_tokens = Vec::new();
    for answer in answers {
        let mut after = jar.clone();
        after.apply(&answer);
        if after.refresh() != jar.refresh() {
            refresh_tokens.push(after.refresh().to_owned());
        }
        let echo = echo(answer).await;
        assert_eq!(seen(&echo, "x-auth-username"), ["ada"]);
        assert!(after.get(ACCESS).is_some(), "each gets an access cookie");
    }
    assert_eq!(refresh_tokens.len(), 1, "one new refresh token");
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 1);
    let rotated = front.tacit.metric("tacit_refreshes_total{verdict=\"rotated\"}").await;
    assert!((rotated - 1.0).abs() < f64::EPSILON, "{rotated}");
}

pub async fn a_slow_route_never_rotates(front: Front) {
    let jar = front.tacit.new_session("ada").await.without_access();
    let answer = front.get_with("/slow/x", &jar).await;
    assert_eq!(ours(&answer), Vec::<String>::new());
    let echo = echo(answer).await;
    assert_eq!(seen(&echo, "x-auth-username"), ["ada"]);
    assert!(seen(&echo, "authorization")[0].starts_with("Bearer ey"));
    assert_eq!(front.tacit.home.database.number("SELECT generation AS value FROM sessions"), 0);
}
