// Swagger UI at /docs: its Authorize dialog speaks the password flow, and its calls are signed in.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { PASSWORD, register, startBrowser, startTacit } from "./harness.mjs";

let tacit;
let browser;

before(async () => {
  tacit = await startTacit();
  browser = await startBrowser();
  await register(tacit, "ada");
});
after(async () => {
  await browser?.close();
  await tacit?.stop();
});

async function openDocs() {
  const page = await (await browser.newContext()).newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !text.includes("Failed to load resource")) page.troubles.push(text);
  });
  await page.goto(`${tacit.url}/docs`);
  await page.click(".scheme-container button.authorize");
  const form = page.locator(".dialog-ux .auth-container", { hasText: "OAuth2, password" });
  return { page, form };
}

async function authorize(form, { username = "ada", password = PASSWORD, clientId, location = "basic" }) {
  await form.locator("#oauth_username").fill(username);
  await form.locator("#oauth_password").fill(password);
  await form.locator("#password_type").selectOption(location);
  if (clientId) await form.locator("#client_id_password").fill(clientId);
  await form.locator("button.authorize").click();
}

// Tries GET /me out, as a person does; the status that the page shows, and the body.
async function execute(page) {
  const operation = page.locator("#operations-accounts-show_me");
  await operation.locator(".opblock-summary-control").click();
  await operation.locator("button.try-out__btn").click();
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url() === `${tacit.url}/me`),
    operation.locator("button.execute").click(),
  ]);
  const shown = await operation.locator(".live-responses-table .response .response-col_status").first().textContent();
  return { answer, shown: shown.trim() };
}

for (const given of [{}, { clientId: "swagger" }, { clientId: "swagger", location: "request-body" }]) {
  test(`somebody who authorizes sees who it is: ${JSON.stringify(given)}`, async () => {
    const { page, form } = await openDocs();
    await authorize(form, given);
    await form.locator("button", { hasText: "Logout" }).waitFor();
    await page.locator(".dialog-ux button.close-modal").click();
    const { answer, shown } = await execute(page);
    assert.deepEqual([answer.status(), shown], [200, "200"]);
    assert.match(await answer.request().headerValue("Authorization"), /^Bearer ey/);
    assert.equal((await answer.json()).username, "ada");
    // The flow signs in by token alone.
    assert.deepEqual(await page.context().cookies(), []);
    assert.deepEqual(page.troubles, []);
    await page.context().close();
  });
}

test("a wrong password is said in the dialog, and nobody is signed in", async () => {
  const { page, form } = await openDocs();
  await authorize(form, { password: "wrong horse battery" });
  assert.match(await form.locator(".errors").textContent(), /Incorrect username or password/);
  await page.locator(".dialog-ux button.close-modal").click();
  const { answer, shown } = await execute(page);
  assert.deepEqual([answer.status(), shown], [401, "401"]);
  await page.context().close();
});
