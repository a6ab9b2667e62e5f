// What nginx cannot say in its own words. Needs njs 0.7 or newer.

// sessions.emit_deadline, in seconds: a late answer must not deliver a successor.
const EMIT_SECONDS = 15;

const OURS = /^(__Host-Http-)?tacit-(access|refresh|device)\s*=/;

// Whatever a server may read as X-Auth-Something.
const IDENTITY = /^x[^a-z0-9]auth/i;

// What the configuration sets or clears, as a list; anything else of the kind is refused.
const LISTED = [
    "x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session", "x-auth-user", "x-auth-email", "x-auth-groups",
    "x-auth-token", "x-auth-set-cookie-1", "x-auth-set-cookie-2", "x-auth-error",
];

// The Cookie header without our cookies; empty: no header.
function otherCookies(r) {
    const pairs = (r.headersIn.Cookie || "").split(";").map((pair) => pair.trim());
    return pairs.filter((pair) => pair && !OURS.test(pair)).join("; ");
}

// "1" if the client sends an identity header that nothing would clear.
function isForged(r) {
    return r.rawHeadersIn.some((line) => IDENTITY.test(line[0]) && !LISTED.includes(line[0].toLowerCase())) ? "1" : "";
}

// Adds what Tacit sets to the API's own cookies: the access cookie first. No cache may keep such an answer.
function addCookies(r) {
    const ours = [r.variables.tacit_cookie_1, r.variables.tacit_cookie_2].filter((cookie) => cookie);
    if (ours.length == 0 || Number(r.variables.request_time) >= EMIT_SECONDS) {
        return;
    }
    r.headersOut["Set-Cookie"] = (r.headersOut["Set-Cookie"] || []).concat(ours);
    r.headersOut["Cache-Control"] = "private, no-store";
}

export default { otherCookies, isForged, addCookies };
