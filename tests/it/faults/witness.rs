//! Clients that remember what they were told, to hold it against what is so after a fault.

use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::join_all;
use reqwest::{Client, Response};
use serde_json::json;

use crate::app::{PASSWORD, Tacit, refreshed};
use crate::jar::{Jar, REFRESH, set_cookies};

/// Witnesses that are asked at once: each needs a connection.
const AT_ONCE: usize = 20;

/// Answers with success.
#[derive(Debug, Default)]
pub struct Told {
    pub registrations: AtomicU32,
    pub sign_ins: AtomicU32,
    pub rotations: AtomicU32,
}

impl Told {
    pub fn sum(&self) -> u32 {
        [&self.registrations, &self.sign_ins, &self.rotations].map(|count| count.load(Ordering::Relaxed)).iter().sum()
    }

    /// Every kind was told at least once: a load without any proves nothing.
    pub fn has_all(&self) -> bool {
        [&self.registrations, &self.sign_ins, &self.rotations].iter().all(|count| count.load(Ordering::Relaxed) > 0)
    }
}

/// The verdict of a refresh that is 200, and says that the row had lost the generation of the token.
const LOST_COMMIT: &str = "fast-forward";

/// More users than any of these tests needs until its fault comes.
const USERS: u32 = 10_000;

/// A user and what a client of his holds.
pub struct Witness {
    username: String,
    /// As the last answer that arrived left it; `None` if the sign-in's never did.
    pub jar: Option<Jar>,
    /// The fault came before all was done.
    cut_off: bool,
}

impl Witness {
    /// Registers, signs in and refreshes so often, or until nobody answers or 503 does; `None`: nothing was told.
    pub async fn press_on(tacit: (&Client, &str), username: String, refreshes: u32, told: &Told) -> Option<Self> {
        let (http, url) = tacit;
        let sent = json!({"username": username, "password": PASSWORD});
        let registered = served(http.post(format!("{url}/register")).json(&sent).send().await)?;
        assert_eq!(registered.status(), 201);
        told.registrations.fetch_add(1, Ordering::Relaxed);
        let mut witness = Self { username, jar: None, cut_off: true };
        let answer = http.post(format!("{url}/login")).json(&sent).send().await;
        let Some(answer) = served(answer) else { return Some(witness) };
        assert_eq!(answer.status(), 200);
        told.sign_ins.fetch_add(1, Ordering::Relaxed);
        let mut jar = Jar::default();
        jar.apply(&answer);
        witness.jar = Some(jar.clone());
        for _ in 0..refreshes {
            let asked = http.get(format!("{url}/protected")).header("cookie", jar.without_access().header());
            let Some(answer) = served(asked.send().await) else { return Some(witness) };
            assert_eq!((answer.status().as_u16(), refreshed(&answer) == Some(LOST_COMMIT)), (200, false));
            // An access token alone is no promise about the row.
            if set_cookies(&answer).iter().any(|cookie| cookie.starts_with(REFRESH)) {
                told.rotations.fetch_add(1, Ordering::Relaxed);
            }
            jar.apply(&answer);
            witness.jar = Some(jar.clone());
        }
        witness.cut_off = false;
        Some(witness)
    }

    /// One user after the other registers, signs in and refreshes, until the fault comes.
    pub async fn press_on_until_cut_off(tacit: &Tacit, name: &str, told: &Told) -> Vec<Self> {
        let mut witnesses = Vec::new();
        for number in 0..USERS {
            let witness = Self::press_on((&tacit.http, &tacit.url), format!("{name}-{number}"), 1, told).await;
            let cut_off = witness.as_ref().is_none_or(|witness| witness.cut_off);
            witnesses.extend(witness);
            if cut_off {
                return witnesses;
            }
        }
        panic!("the fault never came: {told:?}");
    }

    /// What of the things that this witness was told is not so.
    async fn lost(&self, tacit: &Tacit) -> Option<String> {
        let name = &self.username;
        let Some(jar) = &self.jar else {
            let sent = json!({"username": name, "password": PASSWORD});
            let status = tacit.post("/login").json(&sent).send().await.expect("an answer").status();
            return (status != 200).then(|| format!("the user {name}: {status}"));
        };
        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        let (status, verdict) = (answer.status(), refreshed(&answer));
        // A fast-forward is 200 too, and says that the row lost the generation of the token.
        (status != 200 || verdict == Some("fast-forward"))
            .then(|| format!("the session of {name}: {status} {verdict:?}"))
    }
}

/// Asserts that everything the witnesses were told is so; a service that noticed lost commits itself has said so.
pub async fn assert_none_lost(tacit: &Tacit, witnesses: &[Witness]) {
    let mut lost = Vec::new();
    for some in witnesses.chunks(AT_ONCE) {
        lost.extend(join_all(some.iter().map(|witness| witness.lost(tacit))).await.into_iter().flatten());
    }
    assert_eq!(lost, Vec::<String>::new(), "{} of {} witnesses", lost.len(), witnesses.len());
    assert!(!tacit.log().contains("session_fast_forward"), "{}", tacit.log());
}

/// An answer to go on with.
fn served(answer: reqwest::Result<Response>) -> Option<Response> {
    let answer = answer.ok()?;
    if answer.status() != 503 {
        return Some(answer);
    }
    assert!(answer.headers().contains_key("retry-after"));
    assert_eq!(set_cookies(&answer), Vec::<String>::new());
    None
}
