//! `tacit doctor URL`: looks at a live gateway as a client, and says what is wrong with it.

mod api;
mod client;
mod cookies;
mod gateway;
mod mounts;
mod pages;
mod report;

use clap::Args;
use url::{Host, Url};

use self::client::{Client, NoAnswer};
use self::gateway::{Gateway, Place, nonce};
use self::report::Report;
use super::{Failure, read_password_once};

/// What is to be looked at.
#[derive(Args)]
pub(super) struct Arguments {
    /// Where people come in, like https://app.example.com; with `server.base_path`, if it is set.
    url: String,
    /// Sign in as this user, to see more; the password comes from the prompt or standard input.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// A path of the API that answers with the request headers it got, to see what reaches it; may be repeated.
    #[arg(long, value_name = "PATH")]
    echo: Vec<String>,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (url, base) = parse(&arguments.url)?;
    if let Some(path) = arguments.echo.iter().find(|path| !path.starts_with('/')) {
        return Err(Failure::Usage(format!("--echo {path}: expected a path that begins with /")));
    }
    let credentials = match &arguments.user {
        Some(name) => Some((name.clone(), read_password_once()?)),
        None => None,
    };
    let gateway = Gateway {
        client: Client::new(url.origin().ascii_serialization()),
        is_https: url.scheme() == "https",
        is_loopback: is_loopback(&url),
        base,
        credentials,
        nonce: nonce(),
    };
    examine(&gateway, &arguments.url, &arguments.echo)?.conclude(arguments.json)
}

/// An origin, and the path below which Tacit is.
fn parse(text: &str) -> Result<(Url, String), Failure> {
    let usage = || Failure::Usage(format!("{text}: expected a URL like https://app.example.com"));
    let url = Url::parse(text).map_err(|_| usage())?;
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !plain {
        return Err(usage());
    }
    let base = url.path().trim_end_matches('/').to_owned();
    Ok((url, base))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn examine(gateway: &Gateway, url: &str, echo: &[String]) -> Result<Report, Failure> {
    let mut report = Report { url: url.to_owned(), ..Report::default() };
    let report = &mut report;
    let seen = pages::sign_in_page(gateway, report).and_then(|is_ours| Ok((is_ours, look_around(gateway, echo)?)));
    let (is_ours, (nowhere, places)) = match seen {
        Ok(seen) => seen,
        Err(no_answer) => {
            let mend = "look whether the gateway runs, and whether the address is right";
            report.grave("unreachable", format!("{url} does not answer: {no_answer}."), mend);
            return Ok(std::mem::take(report));
        }
    };
    // A password is for Tacit only.
    let session = if is_ours { cookies::sign_in(gateway, report)? } else { None };
    let session = session.as_ref();
    mounts::verify(gateway, &nowhere, session, report);
    checked("/metrics and /readyz", mounts::operations(gateway, session, report), report);
    let mut all = places;
    if let Some(session) = session
        && nowhere.is_guarded
    {
        checked("cross-site requests", api::cross_site(gateway, &nowhere, session, report), report);
    }
    all.push(nowhere);
    if all.iter().any(|place| place.is_guarded) {
        checked("the way to the sign-in page", pages::way_in(gateway, &all, report), report);
    } else {
        report.skip("the way to the sign-in page", "no guarded path is known; name one with --echo PATH");
    }
    if session.is_some() {
        cookies::refresh(gateway, &all, report);
    }
    api::echo(gateway, &all, session, report);
    if let Some(session) = session
        && let Err(no_answer) = gateway.sign_out(session)
    {
        report.skip("signing out", format!("no answer: {no_answer}"));
    }
    tell_what_is_beyond(gateway, session.is_some(), &all, report);
    Ok(std::mem::take(report))
}

/// Which paths are guarded: one that nobody has, and those that the operator names.
fn look_around(gateway: &Gateway, echo: &[String]) -> Result<(Place, Vec<Place>), NoAnswer> {
    let nowhere = gateway.look_at(&gateway.nowhere(), false)?;
    let places = echo.iter().map(|path| gateway.look_at(path, true)).collect::<Result<_, _>>()?;
    Ok((nowhere, places))
}

/// A check that got no answer was not made.
fn checked(what: &'static str, outcome: Result<(), NoAnswer>, report: &mut Report) {
    if let Err(no_answer) = outcome {
        report.skip(what, format!("no answer: {no_answer}"));
    }
}

/// Whatever was not looked at is said.
fn tell_what_is_beyond(gateway: &Gateway, signed_in: bool, places: &[Place], report: &mut Report) {
    if !signed_in {
        let why = if gateway.credentials.is_some() { "signing in did not work" } else { "use --user NAME" };
        report.skip("whether both cookies arrive, uncached; requests of other sites", why);
    } else if !places.iter().any(|place| place.is_guarded) {
        let why = "no guarded path is known; name one with --echo PATH";
        report.skip("whether both cookies of a silent refresh arrive, uncached; requests of other sites", why);
    }
    if !places.iter().any(|place| place.is_echo) {
        let why = "use --echo PATH, with a path of the API that answers with the request headers it got";
        report.skip("forged headers, and our cookies, on their way to the API", why);
    }
    report.skip(
        "late answers, retries, cookies on a refusal, Tacit being away",
        "they cannot be brought about from outside; compare with the example in examples/gateways",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_web_addresses_are_taken() {
        assert_eq!(parse("https://a.example/auth/").ok().map(|(_, base)| base).as_deref(), Some("/auth"));
        assert_eq!(parse("http://localhost:80").ok().map(|(_, base)| base).as_deref(), Some(""));
        for text in
            ["localhost:8080", "a.example", "ftp://a.example", "https://a.example?x", "https://u:p@a.example", ""]
        {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
