//! A file system without any room left under the embedded database, and with room again.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use super::disk::{fill, post};
use super::is_root;
use super::witness::assert_none_lost;
use crate::app::{Home, Setup, eventually};
use crate::database;
use crate::jar::set_cookies;

/// Room for the schema and some dozen users.
const SIZE: &str = "2m";

/// What the test fills by itself, and gives back when there is to be room again.
const BALLAST: usize = 1 << 20;

/// A small file system in a mount namespace of its own: nobody else sees it, and it goes with its holder.
struct SmallDisk {
    holder: Child,
    folder: PathBuf,
}

impl SmallDisk {
    fn mount(folder: &Path) -> Self {
        std::fs::create_dir(folder).expect("a folder");
        // Whoever is not root is it in a user namespace.
        let namespaces: &[&str] = if is_root() { &["--mount"] } else { &["--mount", "--user", "--map-root-user"] };
        let mount = format!("mount -t tmpfs -o size={SIZE} tacit \"$0\" && echo mounted && exec cat");
        let mut holder = Command::new("unshare")
            .args(namespaces)
            .args(["/bin/bash", "-c", &mount])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare: install the package `util-linux`");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().expect("a pipe")).read_line(&mut said).expect("a line");
        assert_eq!(
            said, "mounted\n",
            "a small file system needs root's CAP_SYS_ADMIN, or unprivileged user namespaces"
        );
        Self { holder, folder: folder.to_owned() }
    }

    /// A line of shell that takes a service into the namespace.
    fn enter(&self) -> String {
        let user = if is_root() { "" } else { "--user --preserve-credentials" };
        let (holder, folder) = (self.holder.id(), self.folder.display());
        let service = format!("/bin/bash -c 'cd {folder}/.. && exec \"$0\" \"$@\"' \"$0\" \"$@\"");
        format!("exec nsenter --target {holder} {user} --mount {service}")
    }

    /// A file in it, as seen from here.
    fn file(&self, name: &str) -> PathBuf {
        let folder = self.folder.strip_prefix("/").expect("an absolute path");
        Path::new("/proc").join(self.holder.id().to_string()).join("root").join(folder).join(name)
    }

    /// Writes until nothing fits any more.
    fn use_up(&self) {
        let written = std::io::copy(&mut std::io::repeat(0), &mut File::create(self.file("rest")).expect("a file"));
        assert_eq!(written.expect_err("it ends").kind(), std::io::ErrorKind::StorageFull);
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[tokio::test]
async fn a_file_system_without_room_is_503_until_there_is_some_and_loses_nothing_that_was_answered() {
    if database::is_postgres() {
        return; // The disk is then PostgreSQL's.
    }
    let home = Home::new();
    let disk = SmallDisk::mount(&home.directory.path().join("disk"));
    let mut ballast = File::create(disk.file("ballast")).expect("a file");
    ballast.write_all(&vec![0; BALLAST]).expect("room");
    let setup = || {
        let url = format!("sqlite://{}", disk.folder.join("tacit.db").display());
        // Every refresh rotates.
        let windows = Setup::default().set("sessions.grace", "1ms").set("sessions.emit_deadline", "2s");
        windows.set("database.url", &url).shell(&disk.enter())
    };
    let mut tacit = setup().start_in(Arc::clone(&home)).await;
    let witnesses = fill(&tacit).await;
    disk.use_up();
    let jar = witnesses[0].jar.as_ref().unwrap();
    // The journal may have room inside for a few small writes yet.
    assert!(eventually(async || tacit.get_with("/protected", &jar.without_access()).await.status() == 503).await);
    assert!(tacit.log().contains("database or disk is full"), "{}", tacit.log());
    for _ in 0..5 {
        let answer = tacit.get_with("/protected", &jar.without_access()).await;
        assert!(answer.headers().contains_key("retry-after"));
        assert_eq!((answer.status().as_u16(), set_cookies(&answer)), (503, vec![]));
        assert_eq!(post(&tacit, "/register", "one-more").await.status(), 503);
        assert_eq!(post(&tacit, "/login", "user-0").await.status(), 503);
        for path in ["/protected", "/verify"] {
            assert_eq!(tacit.get_with(path, jar).await.status(), 200, "a valid access token needs no room: {path}");
        }
    }

    // Room again, and the same process goes on.
    std::fs::remove_file(disk.file("ballast")).expect("the ballast");
    drop(ballast);
    assert!(eventually(async || post(&tacit, "/register", "one-more").await.status() == 201).await, "{}", tacit.log());
    assert_none_lost(&tacit, &witnesses).await;
    // And what it held only in memory does not matter.
    tacit.kill();
    let tacit = setup().start_in(Arc::clone(&home)).await;
    assert_none_lost(&tacit, &witnesses).await;
    tacit.log_in("one-more").await;
}
