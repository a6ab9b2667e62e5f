// Signing in, the account page, and what they look like.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";

import { PASSWORD, SHOTS, register, signIn, startBrowser, startTacit, until } from "./harness.mjs";

let tacit;
let browser;

before(async () => {
  tacit = await startTacit();
  browser = await startBrowser();
});
after(async () => {
  await browser?.close();
  await tacit?.stop();
});

// A new profile's page, on which nothing may break the page's own policy or throw.
async function open(options = {}) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.troubles = [];
  page.on("pageerror", (error) => page.troubles.push(String(error)));
  page.on("console", (message) => {
    const text = message.text();
    if (message.type() === "error" && !text.includes("Failed to load resource")) page.troubles.push(text);
  });
  return page;
}

async function done(page) {
  assert.deepEqual(page.troubles, []);
  await page.context().close();
}

test("a person signs in on the page, is led back, and no cookie is visible to scripts", async () => {
  await register(tacit, "ada");
  const page = await open();
  await page.goto(`${tacit.url}/account`);
  assert.equal(page.url(), `${tacit.url}/login?return_to=/account`);
  assert.equal(await page.evaluate(() => document.activeElement.id), "username");
  await page.fill("#username", "ada");
  await page.fill("#password", "wrong horse battery");
  await page.keyboard.press("Enter");
  await page.waitForSelector("[role=alert]");
  assert.equal(await page.textContent("[role=alert]"), "The name or the password is wrong.");
  assert.equal(await page.inputValue("#username"), "ada");
  assert.equal(await page.evaluate(() => document.activeElement.id), "password");
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${tacit.url}/account`);
  assert.match(await page.textContent(".who"), /ada/);
  const cookies = await page.context().cookies();
  assert.deepEqual(cookies.map((cookie) => [cookie.name, cookie.httpOnly, cookie.sameSite]).sort(), [
    ["tacit-access", true, "Lax"],
    ["tacit-device", true, "Lax"],
    ["tacit-refresh", true, "Lax"],
  ]);
  assert.equal(await page.evaluate(() => document.cookie), "");
  const html = await page.content();
  for (const cookie of cookies) assert.ok(!html.includes(cookie.value));
  await page.goto(`${tacit.url}/login`);
  assert.equal(page.url(), `${tacit.url}/account`);
  await page.goto(tacit.url);
  assert.equal(page.url(), `${tacit.url}/account`);
  await page.click("form[action='/logout'] button");
  await page.waitForURL(`${tacit.url}/login`);
  // What is left signs nobody in: it tells the throttle that somebody did here.
  assert.deepEqual((await page.context().cookies()).map((cookie) => cookie.name), ["tacit-device"]);
  await done(page);
});

test("without JavaScript a person registers, signs out and signs in", async () => {
  const page = await open({ javaScriptEnabled: false });
  await page.goto(`${tacit.url}/login`);
  await page.click("a[href='/register']");
  await page.fill("#username", "plain");
  await page.fill("#password", PASSWORD);
  await page.click("button");
  await page.waitForURL(`${tacit.url}/account`);
  // A browser that is told to run no script still parses as one that does: the text is there, and not laid out.
  assert.match(await page.textContent("noscript"), /need JavaScript/);
  assert.ok(!(await page.isVisible("#password-form")));
  await page.click("form[action='/logout'] button");
  await page.waitForURL(`${tacit.url}/login`);
  await signIn(page, tacit, "plain");
  assert.equal(page.url(), `${tacit.url}/account`);
  await done(page);
});

// Goes to a field as a person without a mouse does, and writes over what stands there.
async function typeInto(page, id, text) {
  const focused = () => page.evaluate(() => document.activeElement.id);
  for (let presses = 0; (await focused()) !== id && presses < 20; presses += 1) await page.keyboard.press("Tab");
  assert.equal(await focused(), id, `${id} cannot be reached by Tab`);
  await page.keyboard.press("Control+A");
  await page.keyboard.type(text);
}

test("the password is changed, by keyboard alone", async () => {
  await register(tacit, "kay");
  const page = await open();
  const other = await open();
  await signIn(other, tacit, "kay");
  await page.goto(`${tacit.url}/account`);
  await typeInto(page, "username", "kay");
  await typeInto(page, "password", PASSWORD);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${tacit.url}/account`);
  await page.waitForSelector("#devices li:nth-child(2)");
  await typeInto(page, "current_password", "wrong horse battery");
  await typeInto(page, "new_password", "better horse battery staple");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#password-error:not(:empty)");
  assert.equal(await page.textContent("#password-error"), "The current password is wrong.");
  assert.equal(await page.evaluate(() => document.activeElement.id), "current_password");
  await typeInto(page, "current_password", PASSWORD);
  await typeInto(page, "new_password", "password1");
  await page.keyboard.press("Enter");
  await until(async () => /too easy/.test(await page.textContent("#password-error")), "it is called weak");
  assert.equal(await page.getAttribute("#new_password", "aria-invalid"), "true");
  await typeInto(page, "new_password", "better horse battery staple");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#password-done:not(:empty)");
  assert.equal(await page.inputValue("#new_password"), "");
  assert.equal(await page.textContent("#password-error"), "");
  await until(() => other.url().includes("/login"), "the other device is signed out");
  await page.reload();
  await page.waitForSelector("#devices li");
  assert.equal(page.url(), `${tacit.url}/account`);
  await done(page);
  await done(other);
});

test("a device that is ended elsewhere shows the sign-in page within about a second", async () => {
  await register(tacit, "dee");
  const phone = await open({ userAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0" });
  const desk = await open();
  await phone.addInitScript(() => {
    window.pauses = [];
    const wait = window.setTimeout;
    window.setTimeout = (work, pause) => {
      window.pauses.push(pause);
      return wait(work, pause);
    };
  });
  await signIn(phone, tacit, "dee");
  await signIn(desk, tacit, "dee");
  const row = desk.locator("#devices li", { hasText: "Firefox on Linux" });
  await row.waitFor();
  assert.equal(await desk.locator("#devices li").count(), 2);
  assert.match(await row.textContent(), /127\.0\.0\.1/);
  // How long a busy machine takes says nothing; how long the page waits before it asks again does.
  let pauses = [];
  await until(async () => (pauses = await phone.evaluate(() => window.pauses)).length >= 2, "the phone asks again");
  assert.ok(pauses.every((pause) => pause <= 1000), `it waits ${pauses} ms`);
  const asked = [];
  phone.on("response", (answer) => {
    if (answer.url().endsWith("/me")) asked.push(answer.status());
  });
  const ended = desk.waitForResponse((answer) => answer.request().method() === "DELETE");
  await row.getByRole("button", { name: "Sign out Firefox on Linux" }).click();
  await ended;
  asked.length = 0;
  await until(() => phone.url() === `${tacit.url}/login?return_to=/account`, "the phone shows the sign-in page");
  // One may have been on its way.
  assert.ok(asked.length <= 2 && asked.at(-1) === 401, `${asked}`);
  await until(async () => (await desk.locator("#devices li").count()) === 1, "the list is short");
  assert.equal(await desk.evaluate(() => document.activeElement.id), "devices-heading");
  assert.equal(await desk.textContent("#devices-done"), "The device is signed out.");

  await signIn(phone, tacit, "dee");
  await desk.reload();
  await desk.click("#end-others");
  await until(() => phone.url().includes("/login"), "all others are signed out");
  await signIn(phone, tacit, "dee");
  await desk.click("#end-all");
  await until(() => desk.url().includes("/login"), "signed out everywhere");
  await until(() => phone.url().includes("/login"), "the phone too");
  await done(phone);
  await done(desk);
});

test("a tab whose browser signed in anew goes on, as whoever that was", async () => {
  await register(tacit, "first");
  await register(tacit, "second");
  const page = await open();
  await signIn(page, tacit, "first");
  await page.waitForSelector("#devices li");
  // What a second tab of the same browser does: sign out, and in as somebody else.
  const answer = await page.context().request.post(`${tacit.url}/login`, {
    data: { username: "second", password: PASSWORD },
  });
  assert.equal(answer.status(), 200);
  await until(async () => /second/.test(await page.textContent(".who").catch(() => "")), "the page shows the new person");
  assert.equal(page.url(), `${tacit.url}/account`);
  await done(page);
});

test("a request that a newer sign-in superseded is repeated once, and no more", async () => {
  await register(tacit, "rep");
  const page = await open();
  await signIn(page, tacit, "rep");
  await page.waitForSelector("#devices li");
  let superseded = 1;
  let answered = 0;
  await page.route("**/me", async (route) => {
    if (superseded > 0) {
      superseded -= 1;
      await route.fulfill({ status: 401, json: { status: 401, code: "session_superseded" } });
    } else {
      answered += 1;
      await route.continue();
    }
  });
  await until(() => answered > 1, "the page goes on asking");
  assert.equal(page.url(), `${tacit.url}/account`);
  // Twice in a row it goes to the sign-in page, which leads back, since the session is good.
  const left = page.waitForRequest(`${tacit.url}/login?return_to=/account`);
  superseded = 2;
  await left;
  assert.equal(superseded, 0);
  await page.waitForURL(`${tacit.url}/account`);
  await done(page);
});

test("the page asks about its session each second while somebody looks, and not at all otherwise", async () => {
  await register(tacit, "see");
  const page = await open();
  await page.addInitScript(() => {
    let looking = "visible";
    Object.defineProperty(document, "visibilityState", { get: () => looking });
    window.look = (state) => {
      looking = state;
      document.dispatchEvent(new Event("visibilitychange"));
    };
  });
  await signIn(page, tacit, "see");
  await page.waitForSelector("#devices li");
  let asked = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/me")) asked += 1;
  });
  const began = Date.now();
  await until(() => asked >= 3, "three questions");
  assert.ok(Date.now() - began > 1500, "not more than about one each second");
  await page.evaluate(() => window.look("hidden"));
  asked = 0;
  const listed = [];
  page.on("request", (request) => {
    if (request.url().endsWith("/sessions")) listed.push(request);
  });
  await new Promise((wait) => setTimeout(wait, 3000));
  assert.ok(asked <= 1, `${asked} questions of a hidden page`);
  await page.evaluate(() => window.look("visible"));
  await until(() => asked >= 2 && listed.length === 1, "it asks again, and for the devices too");
  await done(page);
});

const LONG = "A rather long name, 안녕하세요 こんにちは, as people have them";
const LOOKS = [];
for (const language of ["en", "ja", "ko"]) {
  for (const colorScheme of ["light", "dark"]) {
    for (const [size, viewport] of [["wide", { width: 1100, height: 800 }], ["phone", { width: 360, height: 740 }]]) {
      if (language === "en" || size === "phone") LOOKS.push({ language, colorScheme, size, viewport });
    }
  }
}

test("every page in every look fits its window, and is photographed", async () => {
  await register(tacit, LONG);
  const elsewhere = await open({ userAgent: "python-requests/2.31.0" });
  await signIn(elsewhere, tacit, LONG);
  for (const { language, colorScheme, size, viewport } of LOOKS) {
    const page = await open({ colorScheme, viewport, locale: language });
    const photograph = async (name) => {
      const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${name} is ${overflow} px too wide in ${language}, ${size}`);
      const unnamed = await page.evaluate(() =>
        [...document.querySelectorAll("input:not([hidden]), button")].filter(
          (element) => !(element.labels?.length || element.textContent.trim() || element.ariaLabel),
        ).length,
      );
      assert.equal(unnamed, 0);
      await page.screenshot({ path: join(SHOTS, `${name}-${language}-${colorScheme}-${size}.png`), fullPage: true });
    };
    await page.goto(`${tacit.url}/login`);
    assert.equal(await page.evaluate(() => document.documentElement.lang), language);
    await photograph("login");
    await page.fill("#username", "ada");
    await page.fill("#password", "wrong");
    await page.click("button");
    await page.waitForSelector("[role=alert]");
    await photograph("login-refused");
    await page.goto(`${tacit.url}/register`);
    await photograph("register");
    await signIn(page, tacit, LONG);
    await page.waitForSelector("#devices li:nth-child(2)");
    await page.fill("#current_password", "wrong horse");
    await page.fill("#new_password", "wrong horse");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#password-error:not(:empty)");
    await photograph("account");
    await done(page);
  }
  await done(elsewhere);
});

test("text stands out from its ground in both colour schemes", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const page = await open({ colorScheme });
    await signIn(page, tacit, "nobody");
    const ratios = await page.evaluate(() => {
      const parse = (text) => text.match(/[\d.]+/g).map(Number);
      const luminance = ([r, g, b]) =>
        [r, g, b]
          .map((part) => part / 255)
          .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
          .reduce((sum, part, position) => sum + part * [0.2126, 0.7152, 0.0722][position], 0);
      const ground = (element) => {
        for (let node = element; node; node = node.parentElement) {
          const color = parse(getComputedStyle(node).backgroundColor);
          if (color.length === 3 || color[3] > 0) return color;
        }
        return [255, 255, 255];
      };
      return [...document.querySelectorAll("h1, p, a, label, button, input")].map((element) => {
        const [one, two] = [parse(getComputedStyle(element).color), ground(element)].map(luminance).sort((a, b) => b - a);
        return [element.tagName, (one + 0.05) / (two + 0.05)];
      });
    });
    assert.ok(ratios.length > 6);
    for (const [name, ratio] of ratios) assert.ok(ratio >= 4.5, `${name}: ${ratio} in ${colorScheme}`);
    await done(page);
  }
});
