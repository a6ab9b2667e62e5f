//! What every gateway keeps, whichever it is: the checks, and the tests that run each of them.

mod cookies;
mod identity;
mod paths;
mod refusals;
mod traffic;

use reqwest::Response;
use serde_json::Value;

pub use self::cookies::*;
pub use self::identity::*;
pub use self::paths::*;
pub use self::refusals::*;
pub use self::traffic::*;
use crate::jar::set_cookies;

/// The tests of one gateway.
macro_rules! contract {
    ($kind:expr) => {
        $crate::contract::contract! { $kind, $crate::front::Listeners::One; kept }
    };
    ($kind:expr, $listeners:expr; $module:ident) => {
        $crate::contract::contract! { $kind, $listeners; $module;
            both_cookies_arrive_whatever_the_api_answers,
            forged_identity_headers_never_reach_the_api,
            our_cookies_never_reach_the_api_and_others_do,
            bodies_arrive_whole,
            a_websocket_works,
            events_arrive_one_by_one,
            nothing_is_open_when_tacit_is_away,
            a_refusal_passes_with_the_clearing_cookies,
            a_401_says_why,
            a_navigation_lands_on_the_login_page_and_comes_back,
            verify_is_unknown_from_outside,
            fifty_parallel_requests_with_one_expired_cookie_rotate_once,
            a_route_for_one_role_refuses_others,
            a_path_spelled_otherwise_gets_around_nothing,
            a_slow_route_never_rotates,
            preflights_and_public_paths_are_not_asked_about,
            an_unsafe_request_of_another_site_is_refused,
            a_websocket_of_another_site_is_refused,
            the_api_is_never_asked_twice,
        }
    };
    ($kind:expr, $listeners:expr; $module:ident; $($check:ident,)+) => {
        mod $module {
            #[tokio::test]
            async fn cookies_are_dropped_from_an_answer_that_comes_late() {
                let front = $crate::front::Setting::of(&$kind, $listeners).hasty().start().await;
                $crate::contract::cookies_are_dropped_from_an_answer_that_comes_late(front).await;
            }
            $(
                #[tokio::test]
                async fn $check() {
                    let front = $crate::front::Setting::of(&$kind, $listeners).start().await;
                    $crate::contract::$check(front).await;
                }
            )+
        }
    };
}
pub(super) use contract;

/// The header lines that the API saw, all values of a name.
fn seen<'a>(echo: &'a Value, name: &str) -> Vec<&'a str> {
    let lines = echo["headers"].as_array().expect("headers");
    lines.iter().filter(|line| line[0] == name).map(|line| line[1].as_str().expect("text")).collect()
}

async fn echo(answer: Response) -> Value {
    assert_eq!(answer.status(), 200, "{answer:?}");
    answer.json().await.expect("what the API saw")
}

fn ours(answer: &Response) -> Vec<String> {
    set_cookies(answer).into_iter().filter(|cookie| cookie.starts_with("tacit-")).collect()
}
