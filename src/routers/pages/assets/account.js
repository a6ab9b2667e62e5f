// The account page: the password, the devices, and leaving once the session is over. No token ever comes here.
"use strict";
(() => {
  const main = document.getElementById("account");
  const { base, user } = main.dataset;
  const { say, errors } = JSON.parse(main.dataset.texts);
  const $ = (id) => document.getElementById(id);
  const ONE_SECOND = 1000;
  const LONGEST_PAUSE = 30 * ONE_SECOND;
  const FORGOTTEN_AFTER = 10 * 60 * ONE_SECOND;
  let leaving = false;

  const leave = () => {
    leaving = true;
    location.replace(`${base}/login?return_to=${base}/account`);
    return new Promise(() => {}); // nothing goes on behind it
  };

  // Asks the service; 401 means: to the sign-in page.
  async function call(method, path, body) {
    for (let attempt = 0; ; attempt += 1) {
      const answer = await fetch(base + path, {
        method,
        cache: "no-store",
        headers: body ? { "Content-Type": "application/json" } : {},
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(20 * ONE_SECOND),
      });
      const told = await answer.json().catch(() => ({}));
      if (answer.ok) return told;
      // A newer sign-in in this browser took the session's place: its cookies are here already.
      if (told.code === "session_superseded" && attempt === 0) continue;
      if (answer.status === 401 && told.code !== "invalid_credentials") return leave();
      throw Object.assign(new Error(told.code), told);
    }
  }

  const sentence = (error) => {
    // A request that got no answer, or none of ours (a DOMException has a number there).
    if (typeof error.code !== "string") return say.offline;
    // English tells the reasons apart; the sentences of the other languages hold for all of them.
    if (error.code === "weak_password" && document.documentElement.lang === "en") return `${error.detail}.`;
    return errors[error.code] ?? errors.internal_error;
  };

  const time = (element, text) => {
    element.dateTime = text;
    const format = { dateStyle: "medium", timeStyle: "short" };
    element.textContent = new Intl.DateTimeFormat(document.documentElement.lang, format).format(new Date(text));
  };

  // Runs what a button or form asks for, one at a time, and says how it ended.
  async function act(button, error, done, work, message) {
    if (button.getAttribute("aria-disabled") === "true") return false;
    button.setAttribute("aria-disabled", "true");
    error.textContent = "";
    done.textContent = "";
    try {
      await work();
      done.textContent = message;
      return true;
    } catch (problem) {
      error.textContent = sentence(problem);
      return false;
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }

  function show(session) {
    const item = $("device").content.firstElementChild.cloneNode(true);
    const part = (name) => item.querySelector(`[data-${name}]`);
    const label = session.label || say.unknownDevice;
    part("label").textContent = label;
    part("browser").textContent = session.user_agent ?? "";
    part("address").textContent = session.ip ?? "";
    time(part("seen"), session.last_refreshed_at > session.created_at ? session.last_refreshed_at : session.created_at);
    time(part("created"), session.created_at);
    part("current").hidden = !session.current;
    const end = part("end");
    if (session.current) {
      end.remove();
    } else {
      end.setAttribute("aria-label", say.signOutDevice.replace("{}", () => label));
      end.addEventListener("click", () => endOne(end, session.id));
    }
    return item;
  }

  async function list() {
    const { sessions } = await call("GET", "/sessions");
    sessions.sort((one, other) => other.current - one.current);
    $("devices").replaceChildren(...sessions.map(show));
    $("end-others").hidden = sessions.length < 2;
  }

  async function onDevices(button, work, message) {
    const good = await act(button, $("devices-error"), $("devices-done"), work, message);
    // The button may be gone: the keyboard goes on from the heading.
    if (good) $("devices-heading").focus();
  }

  const endOne = (button, id) =>
    onDevices(
      button,
      async () => {
        // Somebody else may have ended it already, which is as good.
        await call("DELETE", `/sessions/${id}`).catch((error) => {
          if (error.code !== "not_found") throw error;
        });
        await list();
      },
      say.deviceEnded,
    );

  $("end-others").addEventListener("click", (event) =>
    onDevices(event.currentTarget, () => call("POST", "/logout/others").then(list), say.othersEnded),
  );
  $("end-all").addEventListener("click", (event) =>
    onDevices(event.currentTarget, () => call("POST", "/logout/all").then(leave), ""),
  );

  $("password-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.currentTarget;
    const { current_password, new_password } = form.elements;
    const sent = { current_password: current_password.value, new_password: new_password.value };
    let wrong = null;
    const work = async () => {
      try {
        await call("POST", "/me/password", sent);
      } catch (error) {
        wrong = error.code === "invalid_credentials" ? current_password : new_password;
        throw error;
      }
      form.reset();
      await list();
    };
    const button = form.querySelector("button");
    await act(button, $("password-error"), $("password-done"), work, say.passwordChanged);
    for (const field of [current_password, new_password]) {
      if (field === wrong) field.setAttribute("aria-invalid", "true");
      else field.removeAttribute("aria-invalid");
    }
    wrong?.focus();
  });

  // Each second, while somebody looks at the page: is this session still good, and still this person's?
  let touched = Date.now();
  let pause = ONE_SECOND;
  async function watch() {
    const looking = document.visibilityState === "visible" && Date.now() - touched < FORGOTTEN_AFTER;
    if (looking && !leaving) {
      try {
        const me = await call("GET", "/me");
        if (me.id !== user) location.reload();
        pause = ONE_SECOND;
      } catch {
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
    }
    setTimeout(watch, pause);
  }
  const touch = () => {
    touched = Date.now();
  };
  for (const kind of ["pointerdown", "pointermove", "keydown", "focus"]) addEventListener(kind, touch, { passive: true });
  document.addEventListener("visibilitychange", () => {
    touch();
    if (document.visibilityState === "visible") refresh();
  });

  const refresh = () =>
    list().catch((error) => {
      $("devices-error").textContent = sentence(error);
    });

  for (const section of document.querySelectorAll("[data-script]")) section.hidden = false;
  for (const element of document.querySelectorAll(".who time")) {
    const format = { dateStyle: "medium" };
    const shown = new Intl.DateTimeFormat(document.documentElement.lang, format).format(new Date(element.dateTime));
    element.textContent = shown;
  }
  refresh();
  setTimeout(watch, pause);
})();
