// What pages of other origins, and scripts on our own, try in vain.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { join } from "node:path";

import {
  PASSWORD,
  SHOTS,
  projectFolder,
  register,
  signIn,
  startBehindCaddy,
  startBrowser,
  startSite,
  startTacit,
} from "./harness.mjs";

// Every mount that the product has.
const MOUNTS = [...readFileSync(projectFolder("src/routers/mod.rs"), "utf8").matchAll(/route\("(\/verify[^"]*)"/g)].map(
  ([, path]) => path.replace("{role}", "user").replace("{scope}", "read").replace("{rest:.*}", "/x?y=1"),
);

let tacit;
let browser;
let site;

before(async () => {
  tacit = await startTacit({ "oauth.role_scopes": "user=read" });
  browser = await startBrowser();
  site = await startSite({ pages: { "/": "<!DOCTYPE html><title>another site</title>" } });
});
after(async () => {
  await browser?.close();
  await site?.stop();
  await tacit?.stop();
});

const sessionsOf = async (context) => (await (await context.request.get(`${tacit.url}/sessions`)).json()).sessions;

// Another host, another port of our own host (the same site!), and another name of this machine.
for (const host of ["evil.localhost", "localhost", "127.0.0.1"]) {
  test(`a page on ${host} at another port reads nothing and changes nothing`, async () => {
    const victim = `victim-${host}`;
    const thief = `thief-${host}`;
    await register(tacit, victim);
    await register(tacit, thief);
    const context = await browser.newContext();
    const page = await context.newPage();
    await signIn(page, tacit, victim);
    await page.goto("about:blank");
    const before = await context.cookies();
    const [session] = await sessionsOf(context);
    const evil = await context.newPage();
    await evil.goto(site.origin(host));

    const attempts = await evil.evaluate(
      async ({ url, id, thief, victim, password }) => {
        const json = { "Content-Type": "application/json" };
        const credentials = JSON.stringify({ username: thief, password });
        const change = JSON.stringify({ current_password: password, new_password: "stolen horse battery" });
        const form = (name) => new URLSearchParams({ username: name, password });
        const requests = [
          ["/me", {}],
          ["/sessions", {}],
          ["/protected", {}],
          ["/account", {}],
          ["/verify", {}],
          ["/login", { method: "POST", headers: json, body: credentials }],
          ["/login", { method: "POST", body: credentials }],
          ["/login", { method: "POST", body: form(thief), headers: { Accept: "text/html" } }],
          ["/token", { method: "POST", body: form(thief) }],
          ["/logout", { method: "POST" }],
          ["/logout", { method: "POST", body: form(victim), headers: { Accept: "text/html" } }],
          ["/logout/all", { method: "POST" }],
          ["/logout/others", { method: "POST" }],
          ["/refresh", { method: "POST" }],
          ["/me/password", { method: "POST", headers: json, body: change }],
          ["/me/password", { method: "POST", body: change }],
          ["/me", { method: "PATCH", headers: json, body: change }],
          [`/sessions/${id}`, { method: "DELETE" }],
          ["/register", { method: "POST", body: form("evil-made"), headers: { Accept: "text/html" } }],
        ];
        const read = [];
        for (const [path, options] of requests) {
          for (const mode of ["cors", "no-cors"]) {
            const got = await fetch(url + path, { credentials: "include", ...options, mode }).catch(() => null);
            if (got && got.type !== "opaque") read.push(`${options.method ?? "GET"} ${path} ${mode}: ${got.type}`);
          }
        }
        return read;
      },
      { url: tacit.url, id: session.id, thief, victim, password: PASSWORD },
    );
    assert.deepEqual(attempts, [], "answers that the page could read");

    // Forms need no permission to be sent.
    for (const enctype of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
      for (const path of ["/login", "/logout", "/register", "/me/password", "/logout/all"]) {
        await evil.goto(site.origin(host));
        const answered = evil.waitForResponse((answer) => answer.url() === tacit.url + path);
        await evil.evaluate(
          ({ action, enctype, fields }) => {
            const form = Object.assign(document.createElement("form"), { action, enctype, method: "post" });
            for (const [name, value] of Object.entries(fields)) {
              form.append(Object.assign(document.createElement("input"), { name, value }));
            }
            document.body.append(form);
            form.submit();
          },
          { action: tacit.url + path, enctype, fields: { username: thief, password: PASSWORD } },
        );
        const status = (await answered).status();
        await evil.waitForURL(tacit.url + path);
        assert.ok([401, 403, 415].includes(status), `${enctype} ${path}: ${status}`);
      }
    }

    // What the person sees of it.
    await evil.goto(site.origin(host));
    await evil.evaluate((action) => {
      const form = Object.assign(document.createElement("form"), { action, method: "post" });
      document.body.append(form);
      form.submit();
    }, `${tacit.url}/logout`);
    await evil.waitForURL(`${tacit.url}/logout`);
    assert.match(await evil.textContent("[role=alert]"), /another site/);
    await evil.screenshot({ path: join(SHOTS, "refused-en-light-wide.png") });

    // No frame, and no window whose text could be read.
    await evil.goto(site.origin(host));
    const seen = await evil.evaluate(async (url) => {
      const frame = Object.assign(document.createElement("iframe"), { src: `${url}/account` });
      const loaded = new Promise((done) => (frame.onload = done));
      document.body.append(frame);
      await loaded;
      try {
        return frame.contentWindow.document.body.textContent;
      } catch (error) {
        return error.name;
      }
    }, tacit.url);
    assert.equal(seen, "SecurityError");
    const frame = evil.frames().find((candidate) => candidate !== evil.mainFrame());
    assert.ok(!(await frame.content()).includes(victim), "the account page stands in a frame");

    assert.deepEqual(await context.cookies(), before, "no cookie was set, changed or cleared");
    const sessions = await sessionsOf(context);
    assert.deepEqual(sessions.map(({ id }) => id), [session.id]);
    const again = await (await browser.newContext()).newPage();
    await signIn(again, tacit, victim);
    assert.equal(again.url(), `${tacit.url}/account`, "the password is what it was");
    await again.context().close();
    await context.close();
  });
}

test("a script on our own page finds no token at /verify and its mounts, nor anywhere else", async () => {
  await register(tacit, "own");
  const context = await browser.newContext();
  const page = await context.newPage();
  await signIn(page, tacit, "own");
  const tokens = (await context.cookies()).map((cookie) => cookie.value);
  const isForNginx = (path) => path.startsWith("/verify/nginx");
  const hidden = MOUNTS.filter(isForNginx);
  const mounts = MOUNTS.filter((path) => !isForNginx(path));
  assert.ok(hidden.length >= 6 && mounts.length >= 7, MOUNTS.join(" "));
  const others = ["/me", "/sessions", "/protected", "/account", "/login", "/openapi.json", "/metrics"];
  const answers = await page.evaluate(async (paths) => {
    const found = {};
    for (const path of paths) {
      for (const method of ["GET", "HEAD", "POST", "PUT"]) {
        const answer = await fetch(path, { method, cache: "no-store" });
        found[`${method} ${path}`] = [answer.status, [...answer.headers].flat().join("\n"), await answer.text()];
      }
    }
    const login = await fetch("/login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ username: "own", password: "correct horse battery staple" }),
    });
    found["POST /login as JSON"] = [login.status, [...login.headers].flat().join("\n"), await login.text()];
    return found;
  }, [...mounts, ...hidden, ...others]);
  tokens.push(...(await context.cookies()).map((cookie) => cookie.value));
  for (const [request, [status, headers, body]] of Object.entries(answers)) {
    const path = request.split(" ")[1];
    if (mounts.includes(path)) assert.equal(status, 200, request);
    if (hidden.includes(path)) assert.equal(status, 404, request);
    assert.ok(!/x-auth-set-cookie|set-cookie/i.test(headers), request);
    assert.ok(!/authorization\nbearer/i.test(headers), request);
    for (const token of tokens) assert.ok(!headers.includes(token) && !body.includes(token), `${request} tells a token`);
    assert.ok(!/eyJ[\w-]+\.[\w-]+\.|rt1_/.test(headers + body), request);
  }
  assert.equal(answers["POST /login as JSON"][0], 200);
  assert.equal(await page.evaluate(() => document.cookie), "");
  await context.close();
});

// There the peer of Tacit is the gateway, which would get every token: that the page gets none is the gateway's work.
test("a script on a page behind a gateway reaches no mount of /verify, however it spells it", async () => {
  const front = await startBehindCaddy({ "oauth.role_scopes": "user=read" });
  try {
    await register(front, "ada");
    const context = await browser.newContext();
    const page = await context.newPage();
    await signIn(page, front, "ada");
    const spellings = (path) => [
      path,
      path.replace(/\?|$/, "/$&"),
      path.replace("/verify", "/%76erif%79"),
      path.replace("/verify", "/public/..%2fverify"),
      `/login/%2e%2e${path}`,
      `/public//../..${path}`,
      `/./${path}`,
      `/verify${path.slice("/verify".length).replaceAll("/", "%2F")}`,
    ];
    const paths = MOUNTS.flatMap(spellings);
    const reached = await page.evaluate(async (paths) => {
      const found = {};
      for (const path of paths) {
        for (const method of ["GET", "POST"]) {
          const answer = await fetch(location.origin + path, { method, cache: "no-store" });
          found[`${method} ${path}`] = [answer.status, [...answer.headers].flat().join("\n"), await answer.text()];
        }
      }
      return found;
    }, paths);
    const tokens = (await context.cookies()).map((cookie) => cookie.value);
    assert.ok(tokens.length >= 2);
    for (const [request, [status, headers, body]] of Object.entries(reached)) {
      if (MOUNTS.includes(request.split(" ")[1])) assert.equal(status, 404, request);
      assert.ok(!/^(authorization|x-auth-.*)$/im.test(headers), `${request}: ${headers}`);
      // No answer of Tacit's: what Caddy passes on is the API's.
      assert.ok(status === 404 || status === 400 || body === front.api, `${request}: ${status} ${body}`);
      for (const token of tokens) assert.ok(!headers.includes(token) && !body.includes(token), `${request} tells a token`);
      assert.ok(!/eyJ[\w-]+\.[\w-]+\.|rt1_/.test(headers + body), request);
    }
    // The mounts are there for the gateway: without its 404, each would answer.
    const cookie = (await context.cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    for (const mount of MOUNTS) {
      const answer = await fetch(front.tacit.url + mount, { headers: { cookie } });
      assert.equal(answer.status, 200, mount);
      assert.match(answer.headers.get("authorization"), /^Bearer ey/);
    }
    await context.close();
  } finally {
    await front.stop();
  }
});

test("scripts that get into a page are not run: neither inline nor from elsewhere", async () => {
  const page = await browser.newPage();
  await page.goto(`${tacit.url}/login`);
  const ran = await page.evaluate(async (elsewhere) => {
    const inline = document.createElement("script");
    inline.textContent = "window.ran = true";
    document.body.append(inline);
    const button = document.querySelector("button");
    button.setAttribute("onclick", "window.ran = true");
    button.type = "button";
    button.click();
    const foreign = Object.assign(document.createElement("script"), { src: elsewhere });
    const refused = new Promise((done) => (foreign.onerror = done));
    document.body.append(foreign);
    await refused;
    return window.ran ?? false;
  }, site.origin("127.0.0.1"));
  assert.equal(ran, false);
  await page.context().close();
});
