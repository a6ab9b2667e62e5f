use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::{assert_well_again, health, kilobytes, open_files};
use crate::app::{LIMIT, Tacit};
use crate::raw;

const TOKENS: usize = 100_000;
const CONNECTIONS: usize = 8;
const AT_ONCE: usize = 10;

/// A token of the right shape, another one for each number, whose MAC is not ours.
fn forged(good: &[u8], number: usize) -> String {
    let mut bytes = good.to_vec();
    bytes[17..25].copy_from_slice(&number.to_be_bytes());
    format!("rt1_{}", BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// Presents these over one connection, some at a time; how many were refused.
async fn present(tacit: &Tacit, tokens: Vec<String>) -> usize {
    let mut stream = raw::connect(tacit).await;
    let mut refused = 0;
    for some in tokens.chunks(AT_ONCE) {
        let cookies =
            some.iter().map(|token| format!("HEAD /me HTTP/1.1\r\nHost: x\r\nCookie: tacit-refresh={token}\r\n\r\n"));
        stream.write_all(cookies.collect::<String>().as_bytes()).await.unwrap();
        let mut answers = Vec::new();
        let ends = |answers: &[u8]| answers.windows(4).filter(|bytes| bytes == b"\r\n\r\n").count();
        while ends(&answers) < some.len() {
            assert!(timeout(LIMIT, stream.read_buf(&mut answers)).await.expect("answers in time").unwrap() > 0);
        }
        let answers = String::from_utf8(answers).unwrap();
        assert!(!answers.contains("set-cookie"), "{answers}");
        refused += answers.matches("HTTP/1.1 401").count();
    }
    refused
}

#[tokio::test]
async fn a_hundred_thousand_forged_refresh_tokens_ask_no_database_and_harm_nobody() {
    let tacit = Tacit::start().await;
    let jar = tacit.new_session("ada").await;
    let good = BASE64_URL_SAFE_NO_PAD.decode(jar.refresh().strip_prefix("rt1_").unwrap()).unwrap();
    let (files, before) = (open_files(&tacit), kilobytes(&tacit, "VmRSS"));
    // Whatever asks for a session now is answered with 503.
    tacit.home.database.execute("ALTER TABLE sessions RENAME TO sessions_away");
    let share = TOKENS / CONNECTIONS;
    let tokens = |part: usize| (part * share + 1..=(part + 1) * share).map(|number| forged(&good, number)).collect();
    let presenting = join_all((0..CONNECTIONS).map(|part| present(&tacit, tokens(part))));
    let (refused, _) = tokio::join!(presenting, health(&tacit));
    assert_eq!(refused.iter().sum::<usize>(), TOKENS);
    tacit.home.database.execute("ALTER TABLE sessions_away RENAME TO sessions");
    let grown = kilobytes(&tacit, "VmHWM").saturating_sub(before);
    assert!(grown < 50_000, "{grown} kB");
    assert_eq!(tacit.get_with("/me", &jar.without_access()).await.status(), 200);
    assert_well_again(&tacit, files).await;
}
