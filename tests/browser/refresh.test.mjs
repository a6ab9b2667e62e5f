// Silent refresh as a real browser does it: parallel requests, tabs, a single-page app, Swagger UI.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { PASSWORD, projectFolder, register, signIn, startBrowser, startSite, startTacit, until } from "./harness.mjs";

// Lifetimes that let a test see several of them. The protocol promises that nobody is signed out as long as an answer is in
// the jar within three quarters of the window; a machine that stands still for longer proves nothing, and is asked again.
const SHORT = { "tokens.access_ttl": "6s", "sessions.grace": "4s", "sessions.emit_deadline": "1s" };
const PROMISED = 3_000;
const ROUNDS = 4;
// Sign-ins after a round that the machine was too slow for, before the test gives up.
const ATTEMPTS = 4;

let browser;
before(async () => {
  browser = await startBrowser();
});
after(() => browser?.close());

// Sends 20 requests at once; their statuses, and how they were refreshed.
const burst = (page) =>
  page.evaluate(async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => fetch("/me", { cache: "no-store" })));
    return answers.map((answer) => [answer.status, answer.headers.get("x-auth-refresh")]);
  });

// A rotation whose answer was late goes out without its cookies, and the next refresh is reissued: as good.
const RENEWED = ["rotated", "reissued"];

// Waits until the access token has run out and the browser has dropped its cookie.
const expiry = (context) =>
  until(async () => !(await context.cookies()).some((cookie) => cookie.name === "tacit-access"), "the cookie is dropped");

// Rounds with one sign-in; the number of the round for which the machine was too slow, or undefined.
async function rounds(tacit, context) {
  const tabs = [await context.newPage(), await context.newPage()];
  await signIn(tabs[0], tacit, "ada", "/login?return_to=/docs");
  await tabs[1].goto(`${tacit.url}/docs`);
  assert.ok((await context.cookies()).some((cookie) => cookie.name === "tacit-access"), "signed in");
  for (let round = 0; round < ROUNDS; round += 1) {
    await expiry(context);
    const began = performance.now();
    const answers = (await Promise.all(tabs.map(burst))).flat();
    // What is in the jar in time is all there now. Whatever came later, the session may not have survived it.
    if (performance.now() - began > PROMISED) return round;
    assert.equal(answers.length, 40);
    assert.deepEqual(answers.filter(([status]) => status !== 200), [], `in round ${round}`);
    assert.ok(answers.some(([, verdict]) => RENEWED.includes(verdict)), `nothing was renewed in round ${round}`);
  }
  return undefined;
}

test("20 parallel requests in each of two tabs, over several lifetimes of the access token, never fail", async (t) => {
  const tacit = await startTacit(SHORT);
  t.after(tacit.stop);
  await register(tacit, "ada");
  const slow = [];
  while (slow.length < ATTEMPTS) {
    const context = await browser.newContext();
    const round = await rounds(tacit, context);
    await context.close();
    if (round === undefined) return;
    slow.push(round);
    t.diagnostic(`round ${round} took longer than ${PROMISED} ms: beginning again`);
  }
  assert.fail(`this machine was too slow ${ATTEMPTS} times, in rounds ${slow}: nothing is proved`);
});

test("the single-page app needs one rule: 401 means the login page", async (t) => {
  const folder = projectFolder("examples/spa");
  let tacit;
  const site = await startSite({ folder, rewrite: (text) => text.replace("http://localhost:8080", tacit.url) });
  t.after(site.stop);
  const origin = site.origin("localhost");
  tacit = await startTacit({ ...SHORT, "cross_site.allowed_origins": origin });
  t.after(tacit.stop);
  await register(tacit, "spa");
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(origin);
  await page.waitForURL(/\/login\?return_to=/);
  await page.fill("#username", "spa");
  await page.fill("#password", PASSWORD);
  await page.click("button");
  await page.waitForURL(`${origin}/`);
  await until(async () => (await page.textContent("#hello")) === "Hello, spa!", "the app knows who it is");
  for (let round = 0; round < 2; round += 1) {
    await expiry(context);
    const answered = page.waitForResponse(`${tacit.url}/protected`);
    await page.click("#load");
    assert.ok(RENEWED.includes((await answered).headers()["x-auth-refresh"]));
  }
  await until(async () => /protected content, spa/.test(await page.textContent("#answer")), "it sees what is protected");
  assert.equal(await page.evaluate(() => document.cookie), "");
  await page.click("#sign-out");
  await page.waitForURL(/\/login\?return_to=/);
  assert.deepEqual((await context.cookies()).map((cookie) => cookie.name), ["tacit-device"]);
  await context.close();
});

test("Swagger UI signs in through /token and calls what is protected", async (t) => {
  const tacit = await startTacit();
  t.after(tacit.stop);
  await register(tacit, "dev");
  const page = await browser.newPage();
  const troubles = [];
  page.on("console", (message) => message.text().includes("Content Security Policy") && troubles.push(message.text()));
  await page.goto(`${tacit.url}/docs`);
  await page.click(".btn.authorize");
  await page.fill("#oauth_username", "dev");
  await page.fill("#oauth_password", PASSWORD);
  const signedIn = page.waitForResponse(`${tacit.url}/token`);
  await page.locator(".auth-container", { hasText: "OAuth2" }).locator("button.authorize").click();
  assert.equal((await signedIn).status(), 200);
  await page.locator(".auth-container", { hasText: "OAuth2" }).locator("button", { hasText: "Logout" }).waitFor();
  await page.click(".btn-done");
  await page.click("#operations-accounts-show_me .opblock-summary-control");
  await page.click("#operations-accounts-show_me .try-out__btn");
  const answered = page.waitForResponse(`${tacit.url}/me`);
  await page.click("#operations-accounts-show_me .execute");
  assert.equal((await (await answered).json()).username, "dev");
  assert.deepEqual(troubles, []);
  await page.context().close();
});
