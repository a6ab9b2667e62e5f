//! Cookies that somebody else put into the jar: tossed from a sibling host, planted before the sign-in, kept after the end.

use reqwest::Response;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::assert_refused_everywhere;
use crate::app::{Home, PASSWORD, Setup, Tacit};
use crate::jar::{ACCESS, Jar, REFRESH, set_cookies};
use crate::shapes::part;

const SECURE_ACCESS: &str = "__Host-Http-tacit-access";
const SECURE_REFRESH: &str = "__Host-Http-tacit-refresh";

async fn behind_https() -> Tacit {
    Setup::default().set("server.public_url", "https://auth.example.com").start().await
}

async fn get(tacit: &Tacit, cookie: &str) -> Response {
    let value = HeaderValue::from_bytes(cookie.as_bytes()).expect("a header");
    tacit.get("/me").header("cookie", value).send().await.unwrap()
}

async fn name_of(answer: Response) -> Value {
    answer.json::<Value>().await.unwrap()["username"].take()
}

#[tokio::test]
async fn a_cookie_that_a_sibling_host_may_set_is_never_read_in_the_place_of_ours() {
    let tacit = behind_https().await;
    let jar = tacit.new_session("eve").await;
    let (access, refresh) = (jar.get(SECURE_ACCESS).unwrap(), jar.get(SECURE_REFRESH).unwrap());
    assert_eq!(get(&tacit, &format!("{SECURE_REFRESH}={refresh}")).await.status(), 200);
    // Browsers guard names that begin with __Host-. Whoever trims, folds or decodes a name undoes that.
    for (token, name) in [(access, SECURE_ACCESS), (refresh, SECURE_REFRESH)] {
        let bare = name.strip_prefix("__Host-Http-").unwrap();
        for disguise in [
            format!("\u{2000}{name}"),
            format!("\u{a0}{name}"),
            format!("\u{85}{name}"),
            format!("\u{3000}{name}"),
            format!("\u{feff}{name}"),
            format!("{name}\u{2009}"),
            format!("{name}\u{a0}"),
            name.to_lowercase(),
            name.to_uppercase(),
            format!("\"{name}\""),
            format!("${name}"),
            format!("$Version=1, {name}"),
            format!("%5F%5FHost-Http-{bare}"),
            format!("__Host-{bare}"),
            format!("__Secure-{bare}"),
            format!("__Host-Http-{bare}[]"),
            format!("__Host-Http-{}", bare.replace('-', "_")),
            bare.to_owned(),
        ] {
            let answer = get(&tacit, &format!("{disguise}={token}")).await;
            assert_eq!(answer.status(), 401, "{disguise:?} counts as {name}");
            assert!(set_cookies(&answer).is_empty(), "{disguise:?}");
        }
        // A cookie without a name, whose value begins like one of ours.
        assert_eq!(get(&tacit, &format!("={name}={token}")).await.status(), 401);
    }
}

#[tokio::test]
async fn of_two_peoples_cookies_one_person_is_signed_in_whatever_their_order() {
    let tacit = Tacit::start().await;
    let (ada, eve) = (tacit.new_session("ada").await, tacit.new_session("eve").await);
    let access = |jar: &Jar| format!("{ACCESS}={}", jar.get(ACCESS).unwrap());
    let refresh = |jar: &Jar| format!("{REFRESH}={}", jar.refresh());
    // The access cookie decides, and nothing of the other's session is used or renewed.
    for cookie in [
        format!("{}; {}", access(&eve), refresh(&ada)),
        format!("{}; {}", refresh(&ada), access(&eve)),
        format!("{}; {}; {}", refresh(&ada), refresh(&eve), access(&eve)),
    ] {
        let answer = get(&tacit, &cookie).await;
        assert!(set_cookies(&answer).is_empty());
        assert_eq!(name_of(answer).await, json!("eve"));
    }
    // Of two refresh cookies it is the same one in every order, and the cookies that come back are that one's.
    let mut winners = Vec::new();
    for cookie in [format!("{}; {}", refresh(&ada), refresh(&eve)), format!("{}; {}", refresh(&eve), refresh(&ada))] {
        let answer = get(&tacit, &cookie).await;
        let mut jar = Jar::default();
        jar.apply(&answer);
        let winner = name_of(answer).await;
        let owner = if winner == json!("eve") { &eve } else { &ada };
        assert_eq!(part(jar.get(ACCESS).unwrap(), 1)["sid"], part(owner.get(ACCESS).unwrap(), 1)["sid"]);
        winners.push(winner);
    }
    assert_eq!(winners[0], winners[1], "the order decides who is signed in");
}

#[tokio::test]
async fn garbage_under_our_names_hides_a_good_cookie_only_behind_four_of_it_and_clears_nothing() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let garbage = format!("{REFRESH}=rt1_{}; {ACCESS}=a.b.c", "A".repeat(90));
    let good = format!("{REFRESH}={}; {ACCESS}={}", jar.refresh(), jar.get(ACCESS).unwrap());
    for before in 0..=3 {
        for after in 0..=3 {
            let all = [vec![garbage.clone(); before], vec![good.clone()], vec![garbage.clone(); after]].concat();
            assert_eq!(get(&tacit, &all.join("; ")).await.status(), 200, "{before} before, {after} after");
        }
    }
    let hidden = [vec![garbage.clone(); 4], vec![good]].concat().join("; ");
    let answer = get(&tacit, &hidden).await;
    assert_eq!((answer.status().as_u16(), set_cookies(&answer).len()), (401, 0), "a flood of cookies signs nobody out");
}

#[tokio::test]
async fn a_planted_refresh_cookie_ends_at_the_sign_in_and_leads_nobody_into_the_new_session() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    tacit.register("eve").await;
    let json = json!({"username": "ada", "password": PASSWORD});
    let form = [("username", "ada"), ("password", PASSWORD)];
    let new = [("username", "bob"), ("password", PASSWORD)];
    let page = |path: &str| tacit.post(path).header("accept", "text/html");
    for (request, why) in [
        (tacit.post("/login").json(&json), "JSON"),
        (page("/login").form(&form), "the page's form"),
        (page("/register").form(&new), "a registration on the page"),
    ] {
        let planted = tacit.log_in("eve").await;
        let answer = request.header("cookie", planted.header()).send().await.unwrap();
        assert!([200, 303].contains(&answer.status().as_u16()), "{why}: {}", answer.status());
        let mut victim = planted.clone();
        victim.apply(&answer);
        let claims = |jar: &Jar| part(jar.get(ACCESS).unwrap(), 1);
        assert_ne!(claims(&victim)["sid"], claims(&planted)["sid"], "{why}");
        assert_ne!(claims(&victim)["sub"], claims(&planted)["sub"], "{why}");
        for jar in [planted.clone(), planted.without_access()] {
            assert_refused_everywhere(&tacit, "cookie", &jar.header(), why).await;
        }
        assert_eq!(tacit.get_with("/me", &victim).await.status(), 200, "{why}");
    }
}

#[tokio::test]
async fn a_new_password_gives_a_new_session_so_that_who_knew_the_old_one_is_out() {
    let tacit = Tacit::start().await;
    let known = tacit.new_session("ada").await;
    let change = json!({"current_password": PASSWORD, "new_password": "another battery of horses"});
    let answer = tacit.post("/me/password").header("cookie", known.header()).json(&change).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    for jar in [known.clone(), known.without_access()] {
        assert_refused_everywhere(&tacit, "cookie", &jar.header(), "the session before the change").await;
    }
}

#[tokio::test]
async fn cookies_that_were_cleared_stay_dead_when_replayed_also_elsewhere_and_after_a_restart() {
    let home = Home::new();
    let replica = || {
        let setup = Setup::default().set("tokens.issuer", "http://tacit.test");
        setup.set("tokens.secret", crate::forge::SECRET).set("sessions.secret", crate::forge::OTHER_SECRET)
    };
    let (mut one, other) = (replica().start_in(home.clone()).await, replica().start_in(home.clone()).await);
    one.register("ada").await;
    let mut ended = Vec::new();
    for path in ["/logout", "/logout/all"] {
        let mut jar = one.log_in("ada").await;
        let kept = jar.clone();
        jar.apply(&one.post_with(path, &jar).await);
        assert_eq!(jar.header(), "", "{path} clears the jar");
        ended.push(kept);
    }
    let dead = async |tacit: &Tacit, why: &str| {
        for jar in &ended {
            assert_refused_everywhere(tacit, "cookie", &jar.header(), why).await;
            assert_refused_everywhere(tacit, "cookie", &jar.without_access().header(), why).await;
            let bearer = format!("Bearer {}", jar.get(ACCESS).unwrap());
            assert_refused_everywhere(tacit, "authorization", &bearer, why).await;
        }
    };
    dead(&one, "where it ended").await;
    let known = async || {
        let last = ended.last().expect("a jar");
        other.get_with("/me", last).await.status() == 401
    };
    assert!(crate::app::eventually(known).await);
    dead(&other, "at the other replica").await;
    one.kill();
    dead(&replica().start_in(home.clone()).await, "after a restart").await;
}
