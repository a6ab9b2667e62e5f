//! `tokens.keys_dir` as Kubernetes mounts a Secret: read-only, every file a link through `..data`, which is swapped.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{generate, keys_dir, new_signing, pem_path, rotate, signed_by, token_by, wait_published, wait_signing};
use crate::access_tokens::{accepted, assert_invalid};
use crate::app::{Home, Setup, eventually};
use crate::command_line::done;

/// What the kubelet makes of the operator's directory, in its own order: new files, the swap, new links, old links.
struct Mount {
    path: PathBuf,
    home: Arc<Home>,
}

impl Mount {
    fn new(home: &Arc<Home>) -> Self {
        let path = home.directory.path().join("mount");
        fs::create_dir(&path).unwrap();
        let mount = Self { path, home: home.clone() };
        mount.update("..2026_01");
        mount
    }

    fn update(&self, name: &str) {
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let (files, data) = (self.path.join(name), self.path.join("..data"));
        let old = fs::read_link(&data).ok();
        mode(&self.path, 0o755);
        fs::create_dir(&files).unwrap();
        let mut wanted = BTreeSet::new();
        for file in fs::read_dir(keys_dir(&self.home)).unwrap() {
            let file = file.unwrap();
            // As `kubectl create secret generic --from-file` of the index and the PEM files.
            if file.file_name() != "index.lock" {
                fs::copy(file.path(), files.join(file.file_name())).unwrap();
                mode(&files.join(file.file_name()), 0o440);
                wanted.insert(file.file_name());
            }
        }
        mode(&files, 0o555);
        symlink(name, self.path.join("..data_tmp")).unwrap();
        fs::rename(self.path.join("..data_tmp"), &data).unwrap();
        for file in wanted.iter().filter(|file| !self.links().contains(*file)) {
            symlink(Path::new("..data").join(file), self.path.join(file)).unwrap();
        }
        for file in self.links().difference(&wanted) {
            fs::remove_file(self.path.join(file)).unwrap();
        }
        if let Some(old) = old {
            mode(&self.path.join(&old), 0o755);
            fs::remove_dir_all(self.path.join(old)).unwrap();
        }
        mode(&self.path, 0o555);
    }

    /// What an application sees.
    fn links(&self) -> BTreeSet<std::ffi::OsString> {
        let names = fs::read_dir(&self.path).unwrap().map(|file| file.unwrap().file_name());
        names.filter(|name| !name.to_str().unwrap().starts_with("..")).collect()
    }
}

#[tokio::test]
async fn keys_that_are_mounted_as_a_secret_are_followed_as_it_is_swapped() {
    let home = Home::new();
    let first = generate(&home, "EdDSA");
    let mount = Mount::new(&home);
    let tacit = Setup::default().set("tokens.keys_dir", mount.path.to_str().unwrap()).start_in(home.clone()).await;
    tacit.register("ada").await;
    wait_published(&tacit, 1).await;
    rotate(&home, "EdDSA");
    mount.update("..2026_02");
    let token = token_by(&tacit, "ada", "EdDSA").await;
    assert_eq!(signed_by(&token).1, first);

    new_signing(&home, "ES256");
    mount.update("..2026_03");
    wait_signing(&tacit, "ES256").await;
    assert!(accepted(&tacit, &token).await, "{}", tacit.log());

    done(&home, &["keys", "retire", "--force", &first], "");
    assert!(!pem_path(&home, &first).exists());
    mount.update("..2026_04");
    assert!(eventually(async || !accepted(&tacit, &token).await).await, "{}", tacit.log());
    assert_invalid(&tacit, &token, "a retired key").await;
    wait_published(&tacit, 1).await;
    assert_eq!(mount.links().len(), 2, "the service only reads: {:?}", mount.links());
    assert!(!tacit.log().contains("event=configuration_warning key=tokens.keys_dir"), "{}", tacit.log());
}
