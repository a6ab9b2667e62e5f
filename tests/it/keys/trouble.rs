//! A directory of keys that is broken: what starts refuses, and what runs goes on with the keys it has.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{
    access_token, generate, index, index_path, keys_dir, new_signing, pem_path, rotate, signed_by, token_by,
    wait_published,
};
use crate::access_tokens::{accepted, assert_invalid};
use crate::app::{Home, LIMIT, Tacit, eventually, tacit_command};
use crate::clients::create;
use crate::command_line::{done, fails, text};
use crate::forge::encode;
use crate::introspect::introspect;
use crate::shapes::part;

const FAILURES: &str = "tacit_signing_keys_failures_total";

/// Starts the service, which has to refuse; what it said.
fn refuses_to_start(home: &Home) -> String {
    let mut child = tacit_command(home, None)
        .args(["serve", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary");
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().expect("a child").is_none() {
        if Instant::now() > deadline {
            child.kill().expect("a child");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let Output { status, stderr, .. } = child.wait_with_output().expect("an end");
    assert_eq!(status.code(), Some(2), "{}", text(&stderr));
    text(&stderr).to_owned()
}

/// Breaks a directory in one way or another, given the path of the index and of the signing key; which file is to blame.
type Break = fn(&Path, &Path) -> Blame;

enum Blame {
    Index,
    Pem,
}

fn cut(path: &Path) {
    let text = fs::read(path).unwrap();
    fs::write(path, &text[..text.len() / 2]).unwrap();
}

const BREAKS: [(&str, Break); 9] = [
    ("half an index", |index, _| {
        cut(index);
        Blame::Index
    }),
    ("an empty index", |index, _| {
        fs::write(index, "").unwrap();
        Blame::Index
    }),
    ("an index of something else", |index, _| {
        fs::write(index, r#"{"keys":[{"kty":"OKP"}]}"#).unwrap();
        Blame::Index
    }),
    ("an index that is a directory", |index, _| {
        fs::remove_file(index).unwrap();
        fs::create_dir(index).unwrap();
        Blame::Index
    }),
    ("an index that is too large", |index, _| {
        fs::write(index, " ".repeat(1_000_000)).unwrap();
        Blame::Index
    }),
    ("an index that lets a stranger sign", |index, _| {
        let text = fs::read_to_string(index).unwrap();
        let kid = text.split('"').nth(3).unwrap().to_owned();
        fs::write(index, text.replacen(&kid, &"A".repeat(43), 1)).unwrap();
        Blame::Index
    }),
    ("a missing key", |_, pem| {
        fs::remove_file(pem).unwrap();
        Blame::Pem
    }),
    ("half a key", |_, pem| {
        cut(pem);
        Blame::Pem
    }),
    ("another key", |_, pem| {
        let other = aws_lc_rs::signature::Ed25519KeyPair::generate().unwrap().to_pkcs8v1().unwrap();
        fs::write(pem, pem::encode(&pem::Pem::new("PRIVATE KEY", other.as_ref()))).unwrap();
        Blame::Pem
    }),
];

#[test]
fn a_service_refuses_to_start_on_broken_keys_and_names_the_file_and_the_remedy() {
    for (how, break_it) in BREAKS {
        let home = Home::new();
        let kid = new_signing(&home, "EdDSA");
        let blamed = match break_it(&index_path(&home), &pem_path(&home, &kid)) {
            Blame::Index => "keys/index.json".to_owned(),
            Blame::Pem => format!("keys/{kid}.pem"),
        };
        for complaint in [refuses_to_start(&home), fails(&home, &["config", "check"], "", 2)] {
            assert!(complaint.contains(&blamed), "{how}: {complaint}");
            assert!(complaint.contains("restore it") || complaint.contains("give it back"), "{how}: {complaint}");
            assert!(!complaint.contains("PRIVATE"), "{how}: {complaint}");
        }
        fails(&home, &["keys", "rotate"], "", 2);
    }
}

#[tokio::test]
async fn a_running_service_keeps_its_keys_says_why_once_and_takes_the_next_good_ones() {
    futures_util::future::join_all(BREAKS.map(|(how, break_it)| survive(how, break_it))).await;
}

async fn survive(how: &str, break_it: Break) {
    let tacit = Tacit::start().await;
    let home = &tacit.home;
    tacit.register("ada").await;
    let kid = new_signing(home, "EdDSA");
    let token = token_by(&tacit, "ada", "EdDSA").await;
    assert_eq!(tacit.metric(FAILURES).await, 0.0);
    let whole = home.directory.path().join("whole");
    copy(&keys_dir(home), &whole);

    break_it(&index_path(home), &pem_path(home, &kid));
    assert!(eventually(async || tacit.metric(FAILURES).await >= 3.0).await, "{how}: {}", tacit.log());
    assert_eq!(tacit.log().matches("the keys stay as they are").count(), 1, "{how}: {}", tacit.log());
    assert_eq!(signed_by(&access_token(&tacit, "ada").await).1, kid, "{how}");
    assert!(accepted(&tacit, &token).await, "{how}");

    fs::remove_dir_all(keys_dir(home)).unwrap();
    copy(&whole, &keys_dir(home));
    let again = async || tacit.log().contains("the signing keys can be read again");
    assert!(eventually(again).await, "{how}: {}", tacit.log());
    generate(home, "ES256");
    wait_published(&tacit, 2).await;
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

#[tokio::test]
async fn a_directory_that_goes_away_takes_no_key_along() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let kid = new_signing(&tacit.home, "ES256");
    let token = token_by(&tacit, "ada", "ES256").await;
    fs::remove_dir_all(keys_dir(&tacit.home)).unwrap();
    assert!(eventually(async || tacit.metric(FAILURES).await >= 2.0).await);
    assert!(tacit.log().contains("index.json is gone"), "{}", tacit.log());
    assert!(accepted(&tacit, &token).await);
    assert_eq!(signed_by(&access_token(&tacit, "ada").await).1, kid);
}

#[tokio::test]
async fn a_flood_of_unknown_keys_reads_the_directory_once_a_second_at_most() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let token = access_token(&tacit, "ada").await;
    fs::create_dir_all(keys_dir(&tacit.home)).unwrap();
    fs::write(index_path(&tacit.home), "broken").unwrap();
    assert!(eventually(async || tacit.metric(FAILURES).await >= 1.0).await);
    let (before, begun) = (tacit.metric(FAILURES).await, Instant::now());
    for number in 0..500 {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": format!("{number:043}")});
        let rest = token.split_once('.').unwrap().1;
        assert_invalid(&tacit, &format!("{}.{rest}", encode(header.to_string())), "unknown").await;
    }
    // Four polls and one look a second; begun seconds count.
    let most = 5.0 * (begun.elapsed().as_secs_f64() + 2.0);
    let read = tacit.metric(FAILURES).await - before;
    assert!(read <= most && most < 400.0, "{read} readings, expected {most} at most");
}

/// Whoever opens a file waits for as long as this lives, as on a volume that hangs: the kernel keeps it for a lease's
/// holder.
#[cfg(target_os = "linux")]
struct Hanging(Child);

#[cfg(target_os = "linux")]
impl Hanging {
    fn file(path: &Path) -> Self {
        // 1024 is F_SETLEASE, and 1 F_WRLCK. It says so when it has the file.
        let script = "$SIG{IO} = 'IGNORE'; open(F, '+<', $ARGV[0]) or die; \
            for (1..500) { last if $held = fcntl(F, 1024, 1); select(undef, undef, undef, 0.01) } \
            if ($held) { $| = 1; print 'h'; sleep 40 }";
        let mut command = Command::new("perl");
        let mut child = command.args(["-e", script]).arg(path).stdout(Stdio::piped()).spawn().expect("perl");
        let said = child.stdout.take().map(|mut out| std::io::Read::read(&mut out, &mut [0]));
        assert_eq!(said.expect("a pipe").expect("a byte"), 1, "no lease");
        Self(child)
    }
}

#[cfg(target_os = "linux")]
impl Drop for Hanging {
    fn drop(&mut self) {
        self.0.kill().and_then(|()| self.0.wait()).expect("perl's end");
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_volume_that_hangs_holds_up_nobody_while_unknown_keys_are_named() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let token = access_token(&tacit, "ada").await;
    generate(&tacit.home, "EdDSA");
    wait_published(&tacit, 1).await;
    let client = create(&tacit.home, "api", &[]);
    let hanging = Hanging::file(&index_path(&tacit.home));
    let begun = Instant::now();
    let forged = (0..400).map(|number| {
        let header = json!({"alg": "EdDSA", "typ": "at+jwt", "kid": format!("{number:043}")});
        format!("{}.{}", encode(header.to_string()), token.split_once('.').unwrap().1)
    });
    let flood = forged.map(async |forged: String| {
        assert_invalid(&tacit, &forged, "unknown").await;
        assert_eq!(introspect(&tacit, &client, &forged).await["active"], false);
        assert!(accepted(&tacit, &token).await);
        assert_eq!(tacit.get("/healthz").send().await.unwrap().status(), 200);
    });
    futures_util::future::join_all(flood).await;
    // Half a second for one of them after the other would be three minutes.
    assert!(begun.elapsed() < LIMIT, "{:?}", begun.elapsed());
    drop(hanging);
    generate(&tacit.home, "EdDSA");
    wait_published(&tacit, 2).await;
}

#[tokio::test]
async fn a_key_that_others_can_read_is_a_warning() {
    let home = Home::new();
    let kid = new_signing(&home, "EdDSA");
    let check = || {
        let output = crate::app::run(&home, &["config", "check"], "");
        assert!(output.status.success());
        text(&output.stderr).to_owned()
    };
    assert!(!check().contains("tokens.keys_dir"), "{}", check());
    fs::set_permissions(pem_path(&home, &kid), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(check().contains(&kid) && check().contains("chmod 600"), "{}", check());
    let tacit = crate::app::Setup::default().start_in(home.clone()).await;
    assert!(tacit.log().contains("configuration_warning") && tacit.log().contains(&kid), "{}", tacit.log());
}

#[test]
fn what_looks_like_a_lost_index_or_directory_is_a_warning() {
    let home = Home::new();
    new_signing(&home, "EdDSA");
    fs::remove_file(index_path(&home)).unwrap();
    let check = |arguments: &[&str]| {
        let output = crate::app::run(&home, &[&["config", "check"], arguments].concat(), "");
        assert!(output.status.success());
        text(&output.stderr).to_owned()
    };
    assert!(check(&[]).contains("index.json is missing beside PEM files"), "{}", check(&[]));
    let elsewhere = ["--set", "tokens.keys_dir=/nowhere/keys"];
    assert!(check(&elsewhere).contains("tacit keys generate"), "{}", check(&elsewhere));
}

#[test]
fn a_broken_key_can_be_dropped_by_force() {
    let home = Home::new();
    let broken = new_signing(&home, "EdDSA");
    let good = new_signing(&home, "ES256");
    fs::remove_file(pem_path(&home, &broken)).unwrap();
    let complaint = fails(&home, &["keys", "list"], "", 2);
    assert!(complaint.contains(&broken) && complaint.contains("retire --force"), "{complaint}");
    done(&home, &["keys", "retire", "--force", &broken], "");
    assert_eq!(index(&home)["signing"], json!(good));
    done(&home, &["keys", "list"], "");
    rotate(&home, "HS256");
}

#[tokio::test]
async fn an_operator_is_told_that_a_tokens_key_is_gone() {
    let tacit = Tacit::start().await;
    tacit.register("ada").await;
    let issuer = format!("tokens.issuer={}", tacit.url);
    let explain = |token: &str| {
        let output = crate::app::run(&tacit.home, &["--set", &issuer, "token", "explain", token], "");
        text(&output.stdout).to_owned()
    };
    let kid = new_signing(&tacit.home, "EdDSA");
    let token = token_by(&tacit, "ada", "EdDSA").await;
    assert_eq!(part(&token, 0)["kid"], json!(kid));
    let said = explain(&token);
    assert!(said.contains(&format!("the key {kid} of EdDSA, which signs")) && said.contains("It is good."), "{said}");
    rotate(&tacit.home, "HS256");
    assert!(explain(&token).contains("which still verifies"), "{}", explain(&token));
    done(&tacit.home, &["keys", "retire", "--force", &kid], "");
    assert!(explain(&token).contains("tokens.keys_dir"), "{}", explain(&token));
}
