// A whole single-page app's part of signing in: one function, one rule. There is no token in sight, and no timer.

const tacit = document.querySelector("meta[name=tacit]").content;
const show = (id, text) => (document.getElementById(id).textContent = text);

// 401 means: show the login page. It leads back here.
function goToLogin() {
  location.assign(`${tacit}/login?return_to=${encodeURIComponent(location.href)}`);
  return new Promise(() => {});
}

async function api(path, options = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const answer = await fetch(tacit + path, { credentials: "include", ...options });
    if (answer.status !== 401) return answer;
    // Another tab signed in anew while this request was under way; its cookies are here already.
    const { code } = await answer.json();
    if (code !== "session_superseded" || attempt > 0) return goToLogin();
  }
}

document.getElementById("load").addEventListener("click", async () => {
  const answer = await api("/protected");
  const { message, detail } = await answer.json();
  show("answer", message ?? detail);
});

document.getElementById("sign-out").addEventListener("click", async () => {
  await api("/logout", { method: "POST" });
  await goToLogin();
});

const me = await (await api("/me")).json();
show("hello", `Hello, ${me.username ?? me.email}!`);
