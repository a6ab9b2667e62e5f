//! What a gateway must keep to itself: /verify and all its mounts, and what is for operators.

use super::client::{Answer, NoAnswer};
use super::gateway::{Gateway, Place, Session, leaks};
use super::report::{Report, named};
use crate::routers::{Listener, Policy, routes};

/// Asks for every mount of /verify, in every spelling that something on the way might read as one.
pub(super) fn verify(gateway: &Gateway, nowhere: &Place, session: Option<&Session>, report: &mut Report) {
    let role = session.map_or("user", |session| session.role.as_str());
    let cookies = session.map(Session::cookies).unwrap_or_default();
    let (mut reached, mut unclear, mut silent) = (Vec::new(), Vec::new(), Vec::new());
    for route in routes().iter().filter(|route| matches!(route.policy, Policy::Gateway(_))) {
        let mount = sample(route.path, role);
        for path in spellings(&mount) {
            let path = gateway.own(&path);
            // Hanging up on an odd spelling is an answer too; the others are asked all the same.
            let Ok(answer) = gateway.client.get(&path).header("Cookie", &cookies).send() else {
                silent.push(path);
                continue;
            };
            let canonical = path == gateway.own(&mount);
            match judge(&answer, session.is_some(), nowhere) {
                Verdict::Verify => reached.push(path),
                Verdict::Unclear if canonical => unclear.push(path),
                Verdict::Unclear | Verdict::Another => {}
            }
        }
    }
    let mend = "answer 404 to /verify and all below it before any other rule, on the path as it is after decoding; and set \
                server.internal_listen, so that Tacit's public listener does not know /verify at all";
    if !reached.is_empty() {
        let what = format!(
            "{}: /verify can be asked from outside. A script on a page could read a fresh token there, and on some mounts both \
             cookies.",
            named(&reached)
        );
        report.grave("verify-reachable", what, mend);
    } else if !unclear.is_empty() {
        let what = format!(
            "{}: answered like any guarded path, where 404 is right. Without a session it cannot be told whether Tacit \
             answered; run again with --user NAME.",
            named(&unclear)
        );
        report.serious("verify-unclear", what, mend);
    }
    if !silent.is_empty() {
        report.skip("some spellings of /verify", format!("no answer at {}", named(&silent)));
    }
    if session.is_none() && nowhere.is_guarded {
        report.skip("other spellings of /verify, like //verify", "every path asks to sign in; use --user NAME");
    }
}

enum Verdict {
    /// /verify itself.
    Verify,
    /// It, or a guard in front of any path.
    Unclear,
    Another,
}

fn judge(answer: &Answer, signed_in: bool, nowhere: &Place) -> Verdict {
    let is_yes = answer.status == 200 && answer.body.is_empty() && answer.header("cache-control").contains("no-store");
    if !leaks(answer).is_empty() || signed_in && is_yes {
        Verdict::Verify
    } else if signed_in || !answer.asks_to_sign_in() {
        Verdict::Another
    } else if nowhere.is_guarded {
        Verdict::Unclear
    } else {
        Verdict::Verify
    }
}

/// A path of a route's pattern.
fn sample(pattern: &str, role: &str) -> String {
    let mut path = String::new();
    for part in pattern.split_inclusive('}') {
        let (text, parameter) = part.split_once('{').unwrap_or((part, ""));
        path.push_str(text);
        path.push_str(match parameter {
            "" => "",
            "role}" => role,
            // One that takes the rest of the path takes its slash too.
            rest if rest.contains(':') => "/x",
            _ => "x",
        });
    }
    path
}

/// A path in all the ways that some gateway, or what is behind it, may read as the same.
fn spellings(path: &str) -> Vec<String> {
    let bare = path.trim_start_matches('/');
    let mut capital = bare.to_owned();
    let first = capital.drain(..1).next().unwrap_or_default();
    vec![
        path.to_owned(),
        format!("{path}/"),
        format!("{path}?x=1"),
        format!("{path};x"),
        format!("/{path}"),
        format!("/.{path}"),
        format!("/x/..{path}"),
        format!("/login/..{path}"),
        format!("/login/%2e%2e{path}"),
        format!("/login/%2E%2E%2F{bare}"),
        format!("/login;/..{path}"),
        format!("/login/..;{path}"),
        format!("/%2f{bare}"),
        format!("/%{:02x}{capital}", u32::from(first)),
        format!("/{}{capital}", first.to_ascii_uppercase()),
        path.to_ascii_uppercase(),
    ]
}

/// Asks for what only operators should see.
pub(super) fn operations(gateway: &Gateway, session: Option<&Session>, report: &mut Report) -> Result<(), NoAnswer> {
    let cookies = session.map(Session::cookies).unwrap_or_default();
    let mut reached = Vec::new();
    let internal = |route: &crate::routers::Route| {
        route.listener == Listener::Internal && !matches!(route.policy, Policy::Gateway(_))
    };
    for route in routes().iter().filter(|route| internal(route)) {
        for path in [route.path.to_owned(), format!("/{}", route.path), format!("{}/", route.path)] {
            let path = gateway.own(&path);
            let answer = gateway.client.get(&path).header("Cookie", &cookies).send()?;
            if is_for_operators(&answer) {
                reached.push(path);
            }
        }
    }
    if !reached.is_empty() {
        let what = format!(
            "{}: answers from outside. It tells strangers how many sign in, fail and are throttled, and how the database is.",
            named(&reached)
        );
        let mend = "do not route it to Tacit, and set server.internal_listen: then it answers there only";
        report.serious("operations-reachable", what, mend);
    }
    Ok(())
}

/// /metrics begins its comments so, and /readyz has this member, or this code.
fn is_for_operators(answer: &Answer) -> bool {
    let signs: [(&[u16], &str); 3] =
        [(&[200], "# HELP tacit_"), (&[200], "\"revocation_poll_age\""), (&[503], "not_ready")];
    signs.iter().any(|(statuses, sign)| statuses.contains(&answer.status) && answer.body.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_become_paths_that_they_match() {
        assert_eq!(sample("/verify", "user"), "/verify");
        assert_eq!(sample("/verify/nginx/role/{role}", "admin"), "/verify/nginx/role/admin");
        assert_eq!(sample("/verify/envoy{rest:.*}", "user"), "/verify/envoy/x");
        assert_eq!(sample("/verify/x/{a}/role/{role}", "user"), "/verify/x/x/role/user");
    }

    #[test]
    fn spellings_are_all_different() {
        let all = spellings("/verify");
        for expected in
            ["/verify", "/verify/", "//verify", "/%76erify", "/Verify", "/VERIFY", "/./verify", "/x/../verify"]
        {
            assert!(all.iter().any(|path| path == expected), "{expected}");
        }
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }
}
