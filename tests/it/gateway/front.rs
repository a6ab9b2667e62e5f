//! A real gateway, started from its example file, between the test and an API, with Tacit beside it.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use reqwest::{Method, RequestBuilder};
use tempfile::TempDir;

use super::trusting;
use super::upstream::Upstream;
use crate::app::{LIMIT, Tacit};
use crate::jar::Jar;

/// How often a start is tried again when somebody took the port meanwhile.
const STARTS: usize = 3;

/// What an example is filled with.
pub struct Addresses {
    pub listen: String,
    pub tacit: String,
    pub internal: String,
    pub upstream: String,
}

/// One kind of gateway.
pub struct Kind {
    pub name: &'static str,
    /// Programs, as paths or names; the first that exists is run.
    pub programs: fn() -> Vec<PathBuf>,
    /// What to install if there is none.
    pub package: &'static str,
    /// The example files, below examples/gateways.
    pub files: &'static [&'static str],
    /// Fifteen seconds, as the example says it, and one second instead: so that tests of late answers need not last.
    pub late: (&'static str, &'static str),
    /// The arguments, given the directory with the filled files and the addresses.
    pub arguments: fn(&Path, &Addresses) -> Vec<String>,
}

/// Everything between a browser and an API.
pub struct Front {
    pub tacit: Tacit,
    pub upstream: Upstream,
    /// Where browsers come in.
    pub url: String,
    gateway: Gateway,
}

struct Gateway {
    child: Child,
    directory: TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, different at every call of a run.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap();
    let given = given.get_or_insert_default();
    (0..1000)
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port())
        .find(|port| given.insert(*port))
        .expect("a free port")
}

/// Whether this run may do what only root may.
pub fn is_root(directory: &Path) -> bool {
    fs::metadata(directory).expect("a directory").uid() == 0
}

/// A program by its name, from where Debian installs them.
pub fn installed(name: &str) -> Vec<PathBuf> {
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"].iter().map(|at| Path::new(at).join(name)).collect()
}

impl Front {
    /// With the example as it is.
    pub async fn start(kind: &Kind) -> Self {
        Self::start_with(kind, false).await
    }

    /// With a gateway for which an answer is late much sooner.
    pub async fn start_hasty(kind: &Kind) -> Self {
        Self::start_with(kind, true).await
    }

    async fn start_with(kind: &Kind, hasty: bool) -> Self {
        let upstream = Upstream::start().await;
        let port = free_port();
        let url = format!("http://localhost:{port}");
        let tacit = trusting().set("server.public_url", &url).start().await;
        let plain = |url: &str| url.strip_prefix("http://").expect("a URL").replace("localhost", "127.0.0.1");
        let addresses = Addresses {
            listen: format!("127.0.0.1:{port}"),
            tacit: plain(&tacit.url),
            internal: plain(&tacit.internal),
            upstream: upstream.address.to_string(),
        };
        let gateway = Gateway::spawn(kind, &addresses, hasty);
        let mut front = Self { tacit, upstream, url, gateway };
        for _ in 1..STARTS {
            if front.is_up().await {
                return front;
            }
            assert!(front.output().contains("in use"), "{}: {}", kind.name, front.output());
            front.gateway = Gateway::spawn(kind, &addresses, hasty);
        }
        assert!(front.is_up().await, "{}: {}", kind.name, front.output());
        front
    }

    /// Waits until the gateway answers; false if it ended instead.
    async fn is_up(&mut self) -> bool {
        let deadline = std::time::Instant::now() + LIMIT;
        while std::time::Instant::now() < deadline {
            if self.get("/public/up").send().await.is_ok_and(|answer| answer.status() == 200) {
                return true;
            }
            if self.gateway.child.try_wait().expect("a child").is_some() {
                return false;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the gateway never came up: {}", self.gateway.output());
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.tacit.http.request(method, format!("{}{path}", self.url))
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// GET through the gateway with a jar's cookies.
    pub async fn get_with(&self, path: &str, jar: &Jar) -> reqwest::Response {
        self.get(path).header("cookie", jar.header()).send().await.expect("an answer")
    }

    /// What the gateway printed.
    pub fn output(&self) -> String {
        self.gateway.output()
    }
}

impl Gateway {
    fn spawn(kind: &Kind, addresses: &Addresses, hasty: bool) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut late = false;
        for file in kind.files {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gateways").join(file);
            let text = fs::read_to_string(&source).expect("the example");
            late |= text.contains(kind.late.0);
            let text = if hasty { text.replace(kind.late.0, kind.late.1) } else { text };
            let target = directory.path().join(source.file_name().expect("a name"));
            fs::write(target, fill(&text, addresses)).expect("a file");
        }
        assert!(late, "{}: no example says {}", kind.name, kind.late.0);
        let program = (kind.programs)().into_iter().find(|program| program.is_file());
        let Some(program) = program else {
            panic!("{} is not installed: {}", kind.name, kind.package);
        };
        let output = fs::File::create(directory.path().join("output")).expect("a file");
        let child = Command::new(program)
            .args((kind.arguments)(directory.path(), addresses))
            .current_dir(directory.path())
            .env_clear()
            .env("HOME", directory.path())
            .env("TMPDIR", directory.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().expect("a file"))
            .stderr(output)
            .spawn()
            .expect("the gateway");
        Self { child, directory }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.directory.path().join("output")).unwrap_or_default()
    }
}

fn fill(text: &str, addresses: &Addresses) -> String {
    let mut text = text.to_owned();
    let (host, port) = addresses.listen.split_once(':').expect("a port");
    let site = format!("http://localhost:{port}");
    let values = [
        ("SITE", site.as_str()),
        ("LISTEN", addresses.listen.as_str()),
        ("LISTEN_HOST", host),
        ("LISTEN_PORT", port),
        ("TACIT", &addresses.tacit),
        ("TACIT_HOST", addresses.tacit.split(':').next().unwrap()),
        ("TACIT_PORT", addresses.tacit.split(':').next_back().unwrap()),
        ("TACIT_INTERNAL", &addresses.internal),
        ("TACIT_INTERNAL_HOST", addresses.internal.split(':').next().unwrap()),
        ("TACIT_INTERNAL_PORT", addresses.internal.split(':').next_back().unwrap()),
        ("UPSTREAM", &addresses.upstream),
        ("UPSTREAM_HOST", addresses.upstream.split(':').next().unwrap()),
        ("UPSTREAM_PORT", addresses.upstream.split(':').next_back().unwrap()),
    ];
    for (name, value) in values {
        text = text.replace(&format!("${{{name}}}"), value).replace(&format!("{{${name}}}"), value);
    }
    text
}
