//! A real gateway, started from its example file, between the test and an API, with Tacit beside it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use reqwest::{Method, RequestBuilder};
use tempfile::TempDir;

use super::trusting;
use super::upstream::Upstream;
use crate::app::{LIMIT, Setup, Tacit};
use crate::jar::Jar;

/// How often a start is tried again when somebody took the port meanwhile.
const STARTS: usize = 3;

/// What an example is filled with.
pub struct Addresses {
    /// Where browsers come in, as a URL.
    pub site: String,
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

/// A port that nobody listens on, different at every call of a run. The system gives none of these to whoever asks for any,
/// so that nobody takes it before the gateway does.
pub fn free_port() -> u16 {
    const PORTS: std::ops::Range<u32> = 10_000..32_000;
    static CALLS: AtomicU32 = AtomicU32::new(0);
    // Runs at the same time begin elsewhere.
    let first = std::process::id().wrapping_mul(997);
    (0..1000)
        .map(|_| PORTS.start + first.wrapping_add(CALLS.fetch_add(1, Ordering::Relaxed)) % (PORTS.end - PORTS.start))
        .map(|port| u16::try_from(port).unwrap())
        .find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok())
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

/// Where Tacit answers gateways.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Listeners {
    /// On its only listener.
    One,
    /// On `server.internal_listen`, as is recommended.
    Two,
}

/// How a gateway is to be started.
pub struct Setting<'a> {
    kind: &'a Kind,
    listeners: Listeners,
    scheme: &'static str,
    tacit: Setup,
    settings: Vec<(String, String)>,
    /// What to write in the example, instead of what stands there.
    edits: Vec<(String, String)>,
}

impl<'a> Setting<'a> {
    /// With the example as it is.
    pub fn of(kind: &'a Kind, listeners: Listeners) -> Self {
        let tacit = match listeners {
            Listeners::One => trusting(),
            Listeners::Two => trusting().set("server.internal_listen", "127.0.0.1:0"),
        };
        Self { kind, listeners, scheme: "http", tacit, settings: Vec::new(), edits: Vec::new() }
    }

    /// With other words in the example; it has to have those that are replaced.
    pub fn edit(mut self, from: &str, to: &str) -> Self {
        self.edits.push((from.to_owned(), to.to_owned()));
        self
    }

    /// An answer is late much sooner.
    pub fn hasty(self) -> Self {
        let (from, to) = self.kind.late;
        self.edit(from, to)
    }

    /// Browsers come in by TLS, with a certificate in certificate.pem and key.pem; the edits make the gateway use it.
    pub fn https(mut self) -> Self {
        self.scheme = "https";
        self
    }

    /// A setting of Tacit's; wins over those of the harness.
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((key.to_owned(), value.to_owned()));
        self
    }

    /// Starts Tacit, the API and the gateway, and waits until they answer.
    pub async fn start(self) -> Front {
        let Self { kind, listeners, scheme, tacit, settings, edits } = self;
        let upstream = Upstream::start().await;
        let port = free_port();
        let url = format!("{scheme}://localhost:{port}");
        let mut setup = tacit.set("server.public_url", &url);
        for (key, value) in &settings {
            setup = setup.set(key, value);
        }
        let tacit = setup.start().await;
        assert_eq!(tacit.internal == tacit.url, listeners == Listeners::One);
        let plain = |url: &str| url.split_once("://").expect("a URL").1.replace("localhost", "127.0.0.1");
        let listen = format!("127.0.0.1:{port}");
        let addresses = Addresses {
            site: url.clone(),
            tacit: plain(&tacit.url),
            internal: plain(&tacit.internal),
            upstream: upstream.address.to_string(),
            listen,
        };
        let gateway = Gateway::spawn(kind, &addresses, &edits);
        let mut front = Front { tacit, upstream, url, gateway };
        for _ in 1..STARTS {
            if front.is_up().await {
                return front;
            }
            assert!(front.output().contains("in use"), "{}: {}", kind.name, front.output());
            front.gateway = Gateway::spawn(kind, &addresses, &edits);
        }
        assert!(front.is_up().await, "{}: {}", kind.name, front.output());
        front
    }
}

impl Front {
    /// Waits until the gateway answers; false if it ended instead.
    async fn is_up(&mut self) -> bool {
        let deadline = std::time::Instant::now() + LIMIT;
        while std::time::Instant::now() < deadline {
            // The harness speaks no TLS; there a listener is enough.
            let up = match self.url.strip_prefix("https://localhost") {
                None => self.get("/public/up").send().await.is_ok_and(|answer| answer.status() == 200),
                Some(port) => tokio::net::TcpStream::connect(format!("127.0.0.1{port}")).await.is_ok(),
            };
            if up {
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

    /// The directory that the gateway runs in.
    pub fn directory(&self) -> &Path {
        self.gateway.directory.path()
    }

    /// What the gateway printed.
    pub fn output(&self) -> String {
        self.gateway.output()
    }
}

impl Gateway {
    fn spawn(kind: &Kind, addresses: &Addresses, edits: &[(String, String)]) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let sources = kind.files.iter().map(|file| {
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gateways").join(file);
            let name = source.file_name().expect("a name").to_owned();
            (name, fs::read_to_string(&source).expect("the example"))
        });
        let mut files: Vec<_> = sources.collect();
        for (from, to) in edits {
            let known = files.iter().any(|(_, text)| text.contains(from.as_str()));
            assert!(known, "{}: no example says {from}", kind.name);
            for (_, text) in &mut files {
                *text = text.replace(from.as_str(), to);
            }
        }
        if addresses.site.starts_with("https") {
            make_certificate(directory.path());
        }
        for (name, text) in files {
            fs::write(directory.path().join(name), fill(&text, addresses)).expect("a file");
        }
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

/// A certificate for localhost that vouches for itself.
pub fn make_certificate(directory: &Path) {
    let settings = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = extensions\n[name]\nCN = localhost\n\
                    [extensions]\nsubjectAltName = DNS:localhost\nbasicConstraints = critical, CA:FALSE\n";
    fs::write(directory.join("openssl.cnf"), settings).expect("a file");
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-config", "openssl.cnf", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(directory)
        .output()
        .expect("openssl: apt-get install openssl");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn fill(text: &str, addresses: &Addresses) -> String {
    let mut text = text.to_owned();
    let (host, port) = addresses.listen.split_once(':').expect("a port");
    let values = [
        ("SITE", addresses.site.as_str()),
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
