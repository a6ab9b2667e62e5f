// Prerendering. A browser that is driven from outside prerenders nothing, so here the pages drive themselves and report.

import assert from "node:assert/strict";
import { test } from "node:test";

import { PASSWORD, startFront, startLoneBrowser, until } from "./harness.mjs";

const SHORT = { "tokens.access_ttl": "6s", "sessions.grace": "4s", "sessions.emit_deadline": "1s" };
const RULES = { prerender: [{ urls: ["/account"], eagerness: "immediate" }] };
const EXPIRED = 6200; // milliseconds

// Signs in, waits until the access token has run out, and goes on.
const BEGIN = `<!DOCTYPE html><title>begin</title><script type="module">
  const post = (path) => fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ username: "pre", password: "${PASSWORD}" }),
  });
  await post("/register");
  await post("/login");
  setTimeout(() => location.replace("/start"), ${EXPIRED});
</script>`;

// Prerenders the account page, and goes there once that is done.
const START = `<!DOCTYPE html><title>start</title><script type="speculationrules">${JSON.stringify(RULES)}</script>
<script type="module">
  while (!(await (await fetch("/is-prerendered", { cache: "no-store" })).json())) {
    await new Promise((done) => setTimeout(done, 50));
  }
  location.assign("/account");
</script>`;

// What the account page of the test says of itself, before it is shown and afterwards.
const PROBE = `
  const report = async () => {
    const { activationStart } = performance.getEntriesByType("navigation")[0];
    const devices = document.querySelectorAll("#devices li").length;
    const body = { hidden: document.prerendering, activationStart, path: location.pathname, devices };
    await fetch("/report", { method: "POST", body: JSON.stringify(body) });
  };
  if (document.prerendering) document.addEventListener("prerenderingchange", report);
  new MutationObserver(report).observe(document.getElementById("devices"), { childList: true });
`;

test("a page prerendered after the access token ran out is the page, and not the sign-in form", async (t) => {
  const asked = [];
  const reports = [];
  const front = await startFront({
    settings: SHORT,
    pages: { "/begin": BEGIN, "/start": START, "/probe.js": PROBE },
    answer(request, response) {
      if (request.url === "/is-prerendered") {
        response.end(JSON.stringify(reports.length > 0));
        return true;
      }
      if (request.url === "/report") {
        request.toArray().then((chunks) => {
          reports.push(JSON.parse(Buffer.concat(chunks).toString()));
          response.end();
        });
        return true;
      }
      if (request.url === "/account") {
        const { cookie = "", "sec-purpose": purpose } = request.headers;
        asked.push({ purpose, hadAccess: cookie.includes("tacit-access="), hadRefresh: cookie.includes("tacit-refresh=") });
      }
      return false;
    },
    change: (request, text) =>
      request.url === "/account" ? text.replace("</head>", `<script defer src="/probe.js"></script></head>`) : text,
  });
  t.after(front.stop);
  t.after(startLoneBrowser(`${front.url}/begin`));
  await until(() => reports.some(({ activationStart }) => activationStart > 0), "the page is shown", 30_000);
  assert.equal(asked.length, 1, "the page was asked for once");
  assert.match(asked[0].purpose, /prerender/);
  assert.deepEqual([asked[0].hadAccess, asked[0].hadRefresh], [false, true], "it had to be refreshed");
  assert.ok(reports[0].hidden && reports[0].devices === 1, "it was ready before it was shown");
  const shown = reports.find(({ activationStart }) => activationStart > 0);
  assert.deepEqual([shown.path, shown.hidden, shown.devices], ["/account", false, 1]);
});
