// Verifies Tacit's access tokens in this process: no request to Tacit for a request of yours.

import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { createRemoteJWKSet, errors, jwtVerify } from "jose";

/** This token is not good: 401. */
export class Refused extends Error {}

/** Whether a token is good cannot be known right now: 503, never yes. */
export class Unavailable extends Error {}

/** HS256: the secrets that Tacit signs and verifies with. Whoever has one can also make tokens. */
export function secretKeys(paths) {
  const keys = new Map();
  for (const path of paths) {
    const secret = Buffer.from(readFileSync(path, "utf8").trim());
    // Tacit names the key of a token in its header, by this.
    keys.set(createHmac("sha256", secret).update("tacit kid").digest("hex").slice(0, 16), secret);
  }
  const find = ({ kid }) => {
    const key = keys.get(kid);
    if (key === undefined) throw new Refused("an unknown key");
    return key;
  };
  return { algorithms: ["HS256"], find };
}

/** EdDSA and ES256: the public keys at /.well-known/jwks.json. They verify, and cannot make a token. */
export function publishedKeys(url) {
  // Fetched anew every five minutes, so that a retired key is forgotten, and for an unknown key at once, but only once a
  // second: anybody can name unknown keys.
  const set = createRemoteJWKSet(new URL(url), { cacheMaxAge: 300_000, cooldownDuration: 1_000 });
  const find = async (header, token) => {
    if (header.kid === undefined) throw new Refused("no key is named");
    try {
      return await set(header, token);
    } catch (error) {
      throw error instanceof errors.JWKSNoMatchingKey ? new Refused("an unknown key") : new Unavailable(error.message);
    }
  };
  // Each key says which one of these it is for, so a token cannot choose another.
  return { algorithms: ["EdDSA", "ES256"], find };
}

/** What Tacit ended before its time: it answers /revocations as soon as there is news. */
export class Revocations {
  // Each with the moment at which it was last listed.
  #sessions = new Map();
  #users = new Map();
  #heard = -Infinity;

  constructor(url, { clientId, clientSecret, wait = 30, maxAge = 60, keep = 1_020 }) {
    this.maxAge = maxAge;
    this.keep = keep;
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString("base64");
    this.#follow(`${url}?wait=${wait}`, { Authorization: `Basic ${basic}` }, (wait + 10) * 1_000);
  }

  async #follow(url, headers, timeout) {
    for (;;) {
      try {
        const answer = await fetch(url, { headers, signal: AbortSignal.timeout(timeout) });
        if (answer.status === 200) {
          this.#add(await answer.json());
          headers["If-None-Match"] = answer.headers.get("ETag");
        } else if (answer.status !== 304) {
          throw new Error(`/revocations answers ${answer.status}`);
        }
        this.#heard = performance.now();
        // Of several replicas one has news up to a second before the others, and each would answer at once.
        if (answer.status === 200) await sleep(250);
      } catch {
        await sleep(1_000);
      }
    }
  }

  /** What is not listed any more stays for a while: this may be the answer of a replica that knows less. */
  #add({ sessions, users }) {
    const at = performance.now();
    for (const { sid } of sessions) this.#sessions.set(sid, { at });
    for (const { sub, ver } of users) this.#users.set(sub, { at, ver: Math.max(ver, this.#users.get(sub)?.ver ?? 0) });
    for (const known of [this.#sessions, this.#users]) {
      for (const [id, listed] of known) if (at - listed.at >= this.keep * 1_000) known.delete(id);
    }
  }

  check({ sub, sid, ver }) {
    // Tacit is away: what was heard last counts for a while, and then nobody is let in.
    if (performance.now() - this.#heard > this.maxAge * 1_000) throw new Unavailable("revocations were not heard of");
    if (this.#sessions.has(sid)) throw new Refused("the session has ended");
    // Raised when a user is disabled, gets another role or another name.
    if (ver < (this.#users.get(sub)?.ver ?? 0)) throw new Refused("the user has changed");
  }
}

/** The claims of a good token of a user. */
export async function verify(token, { issuer, audience, keys, revocations }) {
  let verified;
  try {
    verified = await jwtVerify(token, keys.find, {
      algorithms: keys.algorithms,
      typ: "at+jwt",
      issuer,
      audience,
      // sid and ver are in the tokens of users, and not in those that a client gets for itself.
      requiredClaims: ["exp", "sub", "sid", "ver"],
    });
  } catch (error) {
    throw error instanceof errors.JOSEError ? new Refused(error.message) : error;
  }
  revocations.check(verified.payload);
  return verified.payload;
}
