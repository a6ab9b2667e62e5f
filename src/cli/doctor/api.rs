//! What reaches the API, where a path answers with the request headers that it got.

use super::client::{Answer, NoAnswer};
use super::gateway::{Gateway, Place, Session};
use super::report::{Report, named};
use crate::routers::{ACCESS_COOKIES, DEVICE_COOKIES, IDENTITY_HEADERS, REFRESH_COOKIES};

/// Characters that some server reads as a hyphen in a header's name.
const SEPARATORS: [char; 4] = ['-', '_', '.', '~'];

/// Other names that an API may read; only by pattern can a gateway clear them all.
const OTHERS: [&str; 4] = ["X-Auth-User", "X-Auth-Email", "X-Auth-Foo", "X_Auth_Foo"];

/// What was seen on all paths.
#[derive(Default)]
struct Seen {
    forged: Vec<String>,
    others: Vec<String>,
    authorization: Vec<String>,
    cookies: Vec<String>,
    other_cookies: Vec<String>,
    identity: Vec<String>,
    bearer: Vec<String>,
}

/// Sends what only the gateway may say, and looks for it in the echo.
pub(super) fn echo(gateway: &Gateway, places: &[Place], session: Option<&Session>, report: &mut Report) {
    let mut seen = Seen::default();
    for place in places.iter().filter(|place| place.is_echo) {
        let path = &place.path;
        let Some(probe) = Probe::new(gateway, place, session) else {
            report.skip("what reaches the API", format!("{path} asks to sign in; use --user NAME"));
            continue;
        };
        match probe.look(&mut seen) {
            Ok(None) => {}
            Ok(Some(status)) => {
                let why = format!("{path} answers {status} and not with the headers it got");
                report.skip("what reaches the API", why);
            }
            Err(no_answer) => report.skip("what reaches the API", format!("{path}: no answer: {no_answer}")),
        }
    }
    seen.report(report);
}

/// One echo, with a session if it is guarded.
struct Probe<'a> {
    gateway: &'a Gateway,
    path: &'a str,
    session: Option<&'a Session>,
}

impl<'a> Probe<'a> {
    fn new(gateway: &'a Gateway, place: &'a Place, session: Option<&'a Session>) -> Option<Self> {
        let session = session.filter(|_| place.is_guarded);
        (session.is_some() || !place.is_guarded).then_some(Self { gateway, path: &place.path, session })
    }

    fn send(&self, headers: &[(&str, &str)]) -> Result<Answer, NoAnswer> {
        let cookies = self.session.map(Session::cookies).unwrap_or_default();
        let mut question = self.gateway.client.get(self.path).header("Cookie", cookies);
        for (name, value) in headers {
            question = question.header(name, *value);
        }
        question.send()
    }

    /// Looks at everything; the status of an answer that is no echo.
    fn look(&self, seen: &mut Seen) -> Result<Option<u16>, NoAnswer> {
        let control = self.send(&[("X-Doctor", &self.gateway.nonce)])?;
        if !control.body.contains(&self.gateway.nonce) {
            return Ok(Some(control.status));
        }
        self.look_for_forged_names(seen)?;
        self.look_for_authorization(seen)?;
        self.look_for_cookies(seen)?;
        self.look_for_identity(&control, seen)?;
        Ok(None)
    }

    /// Whether the API got to see a value under this name.
    fn arrives(&self, name: &str, value: &str) -> Result<bool, NoAnswer> {
        Ok(self.send(&[(name, value)])?.body.contains(value))
    }

    fn look_for_forged_names(&self, seen: &mut Seen) -> Result<(), NoAnswer> {
        let forged = format!("forged-{}", self.gateway.nonce);
        for name in IDENTITY_HEADERS.iter().flat_map(|name| twins(name)) {
            if self.arrives(&name, &forged)? {
                seen.forged.push(format!("{name} on {}", self.path));
            }
        }
        for name in OTHERS {
            if self.arrives(name, &forged)? {
                seen.others.push(format!("{name} on {}", self.path));
            }
        }
        Ok(())
    }

    fn look_for_authorization(&self, seen: &mut Seen) -> Result<(), NoAnswer> {
        for scheme in ["Basic", "Bearer"] {
            let value = format!("{scheme} forged{}", self.gateway.nonce);
            if self.arrives("Authorization", &value)? {
                seen.authorization.push(format!("{scheme} on {}", self.path));
            }
        }
        Ok(())
    }

    fn look_for_cookies(&self, seen: &mut Seen) -> Result<(), NoAnswer> {
        let nonce = &self.gateway.nonce;
        let (ours, kept) = self.session.map_or_else(
            || (format!("{}=x{nonce}; {}=y{nonce}", ACCESS_COOKIES[0], REFRESH_COOKIES[0]), String::new()),
            |session| (session.cookies(), session.refresh.value.clone()),
        );
        let names = || ACCESS_COOKIES.iter().chain(&REFRESH_COOKIES).chain(&DEVICE_COOKIES);
        let forged: Vec<String> = names().map(|name| format!("{name}=z")).collect();
        let orders = [
            format!("doctor-a=a{nonce}; {ours}; doctor-b=b{nonce}"),
            format!("{ours}; {}=z; doctor-a=a{nonce}; doctor-b=b{nonce}", DEVICE_COOKIES[0]),
            format!("doctor-a=a{nonce};doctor-b=b{nonce};{}", ours.replace("; ", ";")),
            format!("{ours}; doctor-a=a{nonce}; {}; doctor-b=b{nonce}", forged.join("; ")),
        ];
        for (position, line) in orders.iter().enumerate() {
            let answer = self.gateway.client.get(self.path).header("Cookie", line).send()?;
            let body = &answer.body;
            let passed =
                names().any(|name| body.contains(&format!("{name}="))) || !kept.is_empty() && body.contains(&kept);
            if passed {
                seen.cookies.push(self.path.to_owned());
            } else if position == 0 && !(body.contains(&format!("a{nonce}")) && body.contains(&format!("b{nonce}"))) {
                seen.other_cookies.push(self.path.to_owned());
            }
        }
        Ok(())
    }

    /// The real identity arrives, also when the client asks to have it removed on the way (RFC 9110, section 7.6.1).
    fn look_for_identity(&self, control: &Answer, seen: &mut Seen) -> Result<(), NoAnswer> {
        let Some(session) = self.session else { return Ok(()) };
        let removing = IDENTITY_HEADERS.join(", ");
        let removed = self.send(&[("Connection", &format!("close, {removing}, authorization"))])?;
        // Refusing the whole request keeps the promise too.
        let refused = removed.status == 400;
        if !control.body.contains(&session.user_id) {
            seen.identity.push(self.path.to_owned());
        } else if !refused && !removed.body.contains(&session.user_id) {
            seen.identity.push(format!("{} when the client lists them in Connection", self.path));
        }
        // A JWT begins so.
        if !control.body.contains("Bearer ey") {
            seen.bearer.push(self.path.to_owned());
        }
        Ok(())
    }
}

/// A header's name in all spellings that some server reads as the same.
fn twins(name: &str) -> Vec<String> {
    let mut all: Vec<String> = SEPARATORS.iter().map(|separator| name.replace('-', &separator.to_string())).collect();
    all.push(name.replacen('-', "_", 1));
    all.push(name.replacen("h-", "h_", 1));
    all
}

impl Seen {
    fn report(mut self, report: &mut Report) {
        self.cookies.dedup();
        if !self.forged.is_empty() {
            report.grave(
                "forged-identity",
                format!("The API gets what the client says: {}. So anybody can be anybody.", named(&self.forged)),
                "before asking /verify, clear every header whose name is X, any character but a letter or digit, and Auth; \
                 then set all four from /verify's answer, also when they are empty",
            );
        }
        if !self.authorization.is_empty() {
            report.grave(
                "forged-authorization",
                format!("The API gets the client's own Authorization: {}.", self.authorization.join(", ")),
                "set Authorization from /verify's answer, and clear it on paths that are not asked about",
            );
        }
        if !self.cookies.is_empty() {
            report.serious(
                "cookies-upstream",
                format!(
                    "{}: the API gets our cookies. Whoever reads its memory or its log is signed in.",
                    self.cookies.join(" ")
                ),
                "take our cookies out of the Cookie header on the way to the API, and leave the others",
            );
        }
        if !self.identity.is_empty() {
            report.serious(
                "identity-missing",
                format!("{}: the API does not learn who asks.", self.identity.join(", ")),
                "copy X-Auth-User-Id, X-Auth-Username, X-Auth-Roles and X-Auth-Session from /verify's answer, and set \
                 Connection anew",
            );
        }
        if !self.bearer.is_empty() {
            report.advise(
                "bearer-missing",
                format!("{}: the API gets no fresh Bearer token.", self.bearer.join(" ")),
                "copy Authorization from /verify's answer, and list the gateway in server.trusted_proxies: nobody else gets \
                 a token",
            );
        }
        if !self.others.is_empty() {
            report.advise(
                "other-identity-names",
                format!("The API gets other names of this kind from the client: {}.", named(&self.others)),
                "clear headers by pattern (nginx: the module headers-more, or njs), or make sure that the API reads none of them",
            );
        }
        if !self.other_cookies.is_empty() {
            report.advise(
                "other-cookies-lost",
                format!("{}: cookies that are not ours do not reach the API either.", self.other_cookies.join(" ")),
                "take out ours only",
            );
        }
    }
}

/// A page of another site must not change anything, whatever method it says that it has.
pub(super) fn cross_site(
    gateway: &Gateway,
    nowhere: &Place,
    session: &Session,
    report: &mut Report,
) -> Result<(), NoAnswer> {
    let question = gateway.client.post(&nowhere.path).header("Cookie", session.cookies());
    let question = question.header("Origin", "https://tacit-doctor.invalid").header("Sec-Fetch-Site", "cross-site");
    let answer = question.header("X-Forwarded-Method", "GET").send()?;
    if !matches!(answer.status, 401 | 403) {
        report.serious(
            "cross-site",
            format!("A POST from another site's page is answered {}, not 403.", answer.status),
            "tell /verify the request's own method in X-Forwarded-Method, over whatever the client sends there, and pass \
             Origin and Sec-Fetch-Site",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::twins;

    #[test]
    fn twins_are_what_servers_read_as_one_name() {
        let all = twins("x-auth-user-id");
        for expected in ["x-auth-user-id", "x_auth_user_id", "x.auth.user.id", "x_auth-user-id", "x-auth_user-id"] {
            assert!(all.iter().any(|name| name == expected), "{expected}");
        }
    }
}
