// A built binary and a Chromium for one test file, and the small servers that play other sites.

import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const target = resolve(process.env.CARGO_TARGET_DIR ?? join(root, "target"));
const binary = resolve(process.env.TACIT_BINARY ?? join(target, "release/tacit"));
const { chromium } = createRequire(join(target, "browser/"))("playwright-core");

export const PASSWORD = "correct horse battery staple";
export const SHOTS = join(target, "screenshots");
mkdirSync(SHOTS, { recursive: true });

// Starts the service on a free port; `settings` are `section.key`.
export async function startTacit(settings = {}) {
  const home = mkdtempSync(join(tmpdir(), "tacit-browser-"));
  const all = { "passwords.bcrypt_cost": "4", "server.workers": "2", ...settings };
  const sets = Object.entries(all).flatMap(([key, value]) => ["--set", `${key}=${value}`]);
  const child = spawn(binary, [...sets, "serve", "--listen", "127.0.0.1:0"], {
    cwd: home,
    env: {},
    stdio: ["ignore", "pipe", "ignore"],
  });
  const ended = new Promise((done) => child.once("exit", done));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    new Promise((done) => lines.once("line", done)),
    ended.then((code) => Promise.reject(new Error(`the service did not start: ${code}`))),
  ]);
  lines.on("line", () => {});
  const url = first.replace("Tacit listens on ", "");
  await until(async () => (await fetch(`${url}/readyz`).catch(() => ({ ok: false }))).ok, "the service is ready");
  const stop = async () => {
    child.kill("SIGKILL");
    await ended;
    rmSync(home, { recursive: true, force: true });
  };
  return { url, port: new URL(url).port, stop };
}

export async function register(tacit, username) {
  const answer = await fetch(`${tacit.url}/register`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username, password: PASSWORD }),
  });
  if (answer.status !== 201) throw new Error(`registering ${username}: ${answer.status}`);
}

const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export function startBrowser() {
  return chromium.launch({ executablePath: CHROMIUM, headless: true, args: FLAGS });
}

// A Chromium that nobody holds by the hand: it opens `url`, and what happens then is up to that page.
export function startLoneBrowser(url) {
  const profile = mkdtempSync(join(tmpdir(), "tacit-profile-"));
  const flags = [...FLAGS, "--headless=new", "--disable-dev-shm-usage", `--user-data-dir=${profile}`];
  // A process group of its own, so that all of its processes end together.
  const child = spawn(CHROMIUM, [...flags, url], { stdio: "ignore", detached: true });
  const ended = new Promise((done) => child.once("exit", done));
  return async () => {
    process.kill(-child.pid, "SIGKILL");
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
}

// Signs in on the page, and is where that leads to; or on the page again, if it was refused.
export async function signIn(page, tacit, username, path = "/login") {
  await page.goto(tacit.url + path);
  await page.fill("#username", username);
  await page.fill("#password", PASSWORD);
  const posted = (answer) => answer.request().method() === "POST" && new URL(answer.url()).pathname.endsWith("/login");
  const answered = page.waitForResponse(posted);
  await page.click("button[type=submit]");
  // On a busy machine the old page is still there when the click is done.
  if ((await answered).status() === 303) await page.waitForURL((url) => !url.pathname.endsWith("/login"));
  await page.waitForLoadState();
}

// Asks again and again, for twenty seconds.
export async function until(holds, what, limit = 20_000) {
  const deadline = Date.now() + limit;
  while (Date.now() < deadline) {
    if (await holds()) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error(`not within ${limit} ms: ${what}`);
}

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css" };

// Another site: files by path, as text or from a folder; `rewrite` changes a page's text.
export async function startSite({ pages = {}, folder, rewrite = (text) => text }) {
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    let text = pages[path];
    if (text === undefined && folder) {
      try {
        text = readFileSync(join(folder, path === "/" ? "index.html" : path), "utf8");
      } catch {
        text = undefined;
      }
    }
    if (text === undefined) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(path)] ?? TYPES[".html"];
    response.writeHead(200, { "Content-Type": type }).end(rewrite(text));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  const stop = () => {
    server.closeAllConnections();
    return new Promise((done) => server.close(done));
  };
  return { port, origin: (host) => `http://${host}:${port}`, stop };
}

export const projectFolder = (path) => join(root, path);

// A gateway that puts pages of its own and a Tacit on one origin. Tacit is started behind it, with that origin.
//
// `answer` may take a request by returning true; `change` rewrites the text of what Tacit answers.
export async function startFront({ pages = {}, settings = {}, answer = () => false, change = (_, text) => text }) {
  let tacit;
  const server = createServer((request, response) => {
    const path = request.url.split("?")[0];
    if (pages[path] !== undefined) {
      response.writeHead(200, { "Content-Type": TYPES[extname(path)] ?? TYPES[".html"] }).end(pages[path]);
      return;
    }
    if (answer(request, response)) return;
    const { method, headers } = request;
    const upstream = httpRequest(tacit.url + request.url, { method, headers }, async (got) => {
      const chunks = await got.toArray();
      const sent = Buffer.from(change(request, Buffer.concat(chunks).toString()));
      const { "content-length": _, "transfer-encoding": __, ...rest } = got.headers;
      response.writeHead(got.statusCode, { ...rest, "content-length": sent.length }).end(sent);
    });
    upstream.on("error", () => response.destroy());
    request.pipe(upstream);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://localhost:${server.address().port}`;
  tacit = await startTacit({ ...settings, "server.public_url": url });
  const stop = async () => {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    await tacit.stop();
  };
  return { url, stop };
}

// Tacit behind a real Caddy, from examples/gateways, which it trusts; and an API behind both, which answers `api` to all.
export async function startBehindCaddy(settings = {}) {
  const api = "what the API says";
  const upstream = createServer((_, response) => response.end(api));
  await new Promise((done) => upstream.listen(0, "127.0.0.1", done));
  const port = await freePort();
  const url = `http://localhost:${port}`;
  const trusting = { ...settings, "server.public_url": url, "server.trusted_proxies": "127.0.0.1" };
  const tacit = await startTacit(trusting);
  const home = mkdtempSync(join(tmpdir(), "tacit-caddy-"));
  const address = `127.0.0.1:${tacit.port}`;
  const env = {
    HOME: home,
    SITE: url,
    LISTEN_HOST: "127.0.0.1",
    TACIT: address,
    TACIT_INTERNAL: address,
    UPSTREAM: `127.0.0.1:${upstream.address().port}`,
  };
  const file = projectFolder("examples/gateways/caddy/Caddyfile");
  const caddy = spawn("/usr/bin/caddy", ["run", "--adapter", "caddyfile", "--config", file], { env, stdio: "ignore" });
  const ended = new Promise((done) => caddy.once("exit", done));
  const stop = async () => {
    caddy.kill("SIGKILL");
    await ended;
    upstream.closeAllConnections();
    await new Promise((done) => upstream.close(done));
    await tacit.stop();
    rmSync(home, { recursive: true, force: true });
  };
  await until(async () => (await fetch(`${url}/public/`).catch(() => ({ ok: false }))).ok, "Caddy answers");
  return { url, tacit, api, stop };
}

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
