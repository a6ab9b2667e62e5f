// A protected route in plain Node.js. Settings come from the environment; ../README.md has them all.

import { createServer } from "node:http";

import { Refused, Revocations, Unavailable, publishedKeys, secretKeys, verify } from "./tacit.mjs";

const { env } = process;
const issuer = env.TACIT_ISSUER ?? "http://localhost:8080";
const rules = {
  issuer,
  audience: env.TACIT_AUDIENCE ?? "tacit",
  keys: env.TACIT_SECRET_FILES
    ? secretKeys(env.TACIT_SECRET_FILES.split(","))
    : publishedKeys(env.TACIT_JWKS_URL ?? `${issuer}/.well-known/jwks.json`),
  revocations: new Revocations(env.TACIT_REVOCATIONS_URL ?? `${issuer}/revocations`, {
    clientId: env.TACIT_CLIENT_ID,
    clientSecret: env.TACIT_CLIENT_SECRET,
    wait: Number(env.TACIT_FEED_WAIT ?? 30),
    maxAge: Number(env.TACIT_FEED_MAX_AGE ?? 60),
    keep: Number(env.TACIT_FEED_KEEP ?? 1_020),
  }),
};

function answer(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json; charset=utf-8", ...headers });
  response.end(JSON.stringify(body));
}

/** Who asks, or undefined after the refusal was sent (RFC 6750, section 3). */
async function signedIn(request, response) {
  const [, token] = /^Bearer +([^ ]+)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (token === undefined) {
    answer(response, 401, { detail: "Not authenticated" }, { "WWW-Authenticate": "Bearer" });
    return undefined;
  }
  try {
    return await verify(token, rules);
  } catch (error) {
    if (error instanceof Refused) {
      // Why is nobody else's business.
      const challenge = { "WWW-Authenticate": 'Bearer error="invalid_token"' };
      answer(response, 401, { detail: "Invalid or expired token" }, challenge);
    } else if (error instanceof Unavailable) {
      answer(response, 503, { detail: "Try again" }, { "Retry-After": "1" });
    } else {
      answer(response, 500, { detail: "Something went wrong" });
    }
    return undefined;
  }
}

const server = createServer(async (request, response) => {
  if (request.method !== "GET" || request.url !== "/hello") {
    answer(response, 404, { detail: "Not found" });
    return;
  }
  const user = await signedIn(request, response);
  if (user) answer(response, 200, { user_id: user.sub, username: user.username ?? null, role: user.role });
});

server.listen(Number(env.PORT ?? 9000), "127.0.0.1", () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
