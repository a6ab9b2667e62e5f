//! What anybody sees without a session: the sign-in page, its transport, and how one gets there.

use url::Url;

use super::client::NoAnswer;
use super::gateway::{Gateway, Place};
use super::report::Report;

/// The pages are Tacit's, whole, and on a safe transport; whether /login is Tacit's at all. An error here means that
/// nothing can be examined.
pub(super) fn sign_in_page(gateway: &Gateway, report: &mut Report) -> Result<bool, NoAnswer> {
    let path = gateway.own("/login");
    let page = gateway.client.get(&path).header("Accept", "text/html").send()?;
    let assets = gateway.own("/assets/tacit/");
    let is_ours = page.status == 200 && page.body.contains(&assets);
    if is_ours {
        let files = page.body.split('"').filter(|part| part.starts_with(&assets));
        let mut missing = Vec::new();
        for file in files {
            if gateway.client.get(file).send()?.status != 200 {
                missing.push(file);
            }
        }
        if !missing.is_empty() {
            report.serious(
                "assets-not-routed",
                format!("{}: the sign-in page's style and script are missing.", missing.join(" ")),
                "route /assets/tacit/* to Tacit's public listener, without asking /verify",
            );
        }
    } else {
        report.serious(
            "login-not-routed",
            format!("{path} answers {} and is not Tacit's sign-in page.", page.status),
            "route /login, /logout, /register, /account, /refresh, /me, /sessions and /assets/tacit/* to Tacit's public \
             listener, without asking /verify; if server.base_path is set, it belongs into the URL given here",
        );
    }
    if !gateway.is_https && !gateway.is_loopback {
        report.grave(
            "plain-http",
            "Passwords and cookies travel in the clear.",
            "serve https only, redirect http to it, and set server.public_url to the https address",
        );
    }
    if gateway.is_https && is_ours && !page.has("strict-transport-security") {
        report.serious(
            "no-hsts",
            format!("{path} comes without Strict-Transport-Security, so a browser may be led to plain http."),
            "Tacit sends it when server.public_url is https: set that, and do not take the header away",
        );
    }
    Ok(is_ours)
}

/// Somebody who is not signed in: a person is led to the sign-in page and back, a script is told 401.
pub(super) fn way_in(gateway: &Gateway, places: &[Place], report: &mut Report) -> Result<(), NoAnswer> {
    let (mut redirected, mut stranded, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for place in places.iter().filter(|place| place.is_guarded) {
        let path = place.path.as_str();
        let fetch = gateway.client.get(path).header("Sec-Fetch-Mode", "cors").header("Accept", "application/json");
        if fetch.send()?.is_redirect() {
            redirected.push(path);
        }
        let person = gateway.client.get(path).header("Sec-Fetch-Mode", "navigate").header("Accept", "text/html");
        let answer = person.send()?;
        if !answer.is_redirect() {
            stranded.push(path);
        } else if !leads_back(answer.header("location"), gateway.is_https, path) {
            lost.push(format!("{path} leads to {}", answer.header("location")));
        }
    }
    if !redirected.is_empty() {
        report.serious(
            "fetch-redirected",
            format!("{}: a script that is not signed in gets a redirect, and cannot tell it from an answer.", redirected.join(" ")),
            "pass on Tacit's own answer: it redirects only a person who navigates, and answers 401 to anybody else; so it \
             needs the browser's Sec-Fetch-Mode, Accept and Upgrade headers",
        );
    }
    if !stranded.is_empty() {
        report.advise(
            "no-way-to-sign-in",
            format!("{}: a person who is not signed in sees an error instead of the sign-in page.", stranded.join(" ")),
            "pass on Tacit's redirect; on nginx, turn 401 with a Location into 302, as the example does",
        );
    }
    if !lost.is_empty() {
        report.advise(
            "way-back-lost",
            format!("{}: after signing in a person does not come back there.", lost.join(", ")),
            "list the gateway in server.trusted_proxies and its host in gateway.return_hosts, and send /verify \
             X-Forwarded-Proto, X-Forwarded-Host and X-Forwarded-Uri as the browser's request has them",
        );
    }
    Ok(())
}

/// Whether a sign-in page's address brings a person back to a path of this site, by the same scheme.
fn leads_back(location: &str, is_https: bool, path: &str) -> bool {
    let Ok(base) = Url::parse("http://relative.invalid/") else { return false };
    let Ok(login) = base.join(location) else { return false };
    let back = login.query_pairs().find(|(name, _)| name == "return_to").and_then(|(_, back)| base.join(&back).ok());
    back.is_some_and(|back| {
        let target = back.query().map_or_else(|| back.path().to_owned(), |query| format!("{}?{query}", back.path()));
        target == path && (!is_https || back.scheme() == "https" || back.host_str() == base.host_str())
    })
}

#[cfg(test)]
mod tests {
    use super::leads_back;

    #[test]
    fn a_way_back_needs_the_path_and_the_scheme() {
        let to = |back: &str| format!("https://a.example/login?return_to={back}");
        assert!(leads_back(&to("https%3A%2F%2Fa.example%2Fx%3Fy%3D1"), true, "/x?y=1"));
        assert!(leads_back(&to("%2Fx"), true, "/x"));
        assert!(!leads_back(&to("http%3A%2F%2Fa.example%2Fx"), true, "/x"));
        assert!(!leads_back(&to("https%3A%2F%2Fa.example%2Fverify"), true, "/x"));
        assert!(!leads_back("https://a.example/login", true, "/x"));
    }
}
