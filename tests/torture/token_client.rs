//! A client that keeps its refresh token itself: several unsynchronised workers, one store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use futures_util::future::join_all;
use serde_json::Value;

use crate::app::PASSWORD;
use crate::world::{World, below, is_sound, pause};

/// One session after the other.
pub async fn live(world: Arc<World>) {
    while world.goes_on() {
        let Some(username) = world.register().await else {
            pause(300).await;
            continue;
        };
        let form = [("grant_type", "password"), ("username", username.as_str()), ("password", PASSWORD)];
        let Some(answer) = world.token(&form).await else { continue };
        let body: Value = answer.json().await.unwrap_or_default();
        let Some(token) = body["refresh_token"].as_str() else {
            world.tally.wrong(format!("a sign-in at /token was refused: {body}"));
            continue;
        };
        let store = Mutex::new(token.to_owned());
        let beyond = AtomicBool::new(false);
        for _ in 0..5 + below(20) {
            join_all((0..=below(4)).map(|_| refresh(&world, &store, &beyond))).await;
            if beyond.load(Ordering::Relaxed) || !world.goes_on() {
                break;
            }
            pause(2500).await;
        }
        if beyond.load(Ordering::Relaxed) {
            world.tally.beyond();
        }
    }
}

async fn refresh(world: &World, store: &Mutex<String>, beyond: &AtomicBool) {
    pause(300).await;
    let token = store.lock().expect("a store").clone();
    let attached = Instant::now();
    let answer = world.token(&[("grant_type", "refresh_token"), ("refresh_token", &token)]).await;
    if let Some(answer) = answer {
        let status = answer.status().as_u16();
        let body: Value = answer.json().await.unwrap_or_default();
        pause(300).await;
        if let Some(token) = body["refresh_token"].as_str() {
            token.clone_into(&mut store.lock().expect("a store"));
        }
        if status != 200 && is_sound(attached) && !beyond.load(Ordering::Relaxed) {
            world.tally.wrong(format!("a client at /token was answered with {status} {body}"));
            beyond.store(true, Ordering::Relaxed);
        }
    }
    if !is_sound(attached) {
        beyond.store(true, Ordering::Relaxed);
    }
}
