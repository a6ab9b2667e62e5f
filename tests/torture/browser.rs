//! An honest browser: several tabs, one jar, answers that are lost or late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::future::join_all;

use crate::jar::Jar;
use crate::world::{World, below, code, is_sound, pause};

/// Answers in a hundred that never arrive.
const LOST: u64 = 10;

struct Browser {
    world: Arc<World>,
    jar: Mutex<Jar>,
    /// A request took longer than the protocol allows: what happens to the session now proves nothing.
    beyond: AtomicBool,
}

/// One session after the other.
pub async fn live(world: Arc<World>) {
    while world.goes_on() {
        let Some(jar) = world.new_session().await else { continue };
        let browser = Browser { world: Arc::clone(&world), jar: Mutex::new(jar), beyond: AtomicBool::new(false) };
        for _ in 0..5 + below(20) {
            join_all((0..=below(5)).map(|_| browser.open_tab())).await;
            if browser.beyond.load(Ordering::Relaxed) || !world.goes_on() {
                break;
            }
            pause(2500).await;
        }
        if browser.beyond.load(Ordering::Relaxed) {
            world.tally.beyond();
        } else if below(2) == 0 {
            browser.sign_out().await;
        }
    }
}

impl Browser {
    /// One request, with the cookies the jar holds when it goes out.
    async fn open_tab(&self) {
        pause(300).await;
        let jar = self.jar.lock().expect("a jar").clone();
        let attached = Instant::now();
        let answer = self.world.refresh(&jar).await;
        let Some(answer) = answer else { return self.note_time(attached) };
        match answer.status().as_u16() {
            200 if below(100) < LOST => {}
            200 => {
                pause(300).await;
                self.jar.lock().expect("a jar").apply(&answer);
            }
            status => {
                self.note_time(attached);
                let code = code(answer).await;
                if !self.beyond.load(Ordering::Relaxed) {
                    self.world.tally.wrong(format!("a browser was answered with {status} {code}"));
                    self.beyond.store(true, Ordering::Relaxed);
                }
            }
        }
        self.note_time(attached);
    }

    fn note_time(&self, attached: Instant) {
        if !is_sound(attached) {
            self.beyond.store(true, Ordering::Relaxed);
        }
    }

    /// Nothing brings a session back that was signed out.
    async fn sign_out(&self) {
        let jar = self.jar.lock().expect("a jar").clone();
        let Some(answer) = self.world.log_out(&jar).await else { return };
        if answer.status() != 200 {
            return self.world.tally.wrong(format!("a sign-out was answered with {}", answer.status()));
        }
        self.world.tally.ended(session_of(&jar));
        for _ in 0..3 {
            if let Some(answer) = self.world.refresh(&jar).await
                && answer.status() != 401
            {
                self.world.tally.lost(format!("a session that was signed out was answered with {}", answer.status()));
            }
            pause(300).await;
        }
    }
}

/// The session's id, which a refresh token holds behind the key's id.
fn session_of(jar: &Jar) -> String {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(&jar.refresh()["rt1_".len()..]).expect("base64url");
    uuid::Uuid::from_slice(&bytes[1..17]).expect("an id").to_string()
}
