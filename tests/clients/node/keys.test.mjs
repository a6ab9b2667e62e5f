// jose and oauth4webapi verify tokens of every algorithm with the published keys.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";

import { issuer } from "./given.mjs";

// By algorithm, one token each; HS256 with its secret.
const { HS256, ...published } = JSON.parse(process.env.TOKENS);
const secret = new TextEncoder().encode(process.env.SECRET);
const insecure = { [oauth.allowInsecureRequests]: true };
const discovered = oauth
  .discoveryRequest(issuer, { algorithm: "oauth2", ...insecure })
  .then((answer) => oauth.processDiscoveryResponse(issuer, answer));
const rules = { typ: "at+jwt", issuer: issuer.href.replace(/\/$/, ""), audience: "tacit", requiredClaims: ["exp", "sub"] };

test("jose verifies them, each by its own algorithm only", async () => {
  const keys = createRemoteJWKSet(new URL((await discovered).jwks_uri));
  assert.deepEqual(Object.keys(published).sort(), ["ES256", "EdDSA"]);
  for (const [algorithm, token] of Object.entries(published)) {
    assert.equal(decodeProtectedHeader(token).alg, algorithm);
    const { payload } = await jwtVerify(token, keys, { ...rules, algorithms: [algorithm] });
    assert.equal(payload.username, "ada");
    const [head, body, signature] = token.split(".");
    const flipped = `${head}.${body}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
    await assert.rejects(jwtVerify(flipped, keys, rules), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" });
    await assert.rejects(jwtVerify(token, keys, { ...rules, audience: "another" }), { claim: "aud" });
  }
  const { payload } = await jwtVerify(HS256, secret, { ...rules, algorithms: ["HS256"] });
  assert.equal(payload.username, "ada");
  await assert.rejects(jwtVerify(HS256, keys, rules));
});

test("oauth4webapi takes them for access tokens of RFC 9068", async () => {
  const server = await discovered;
  for (const [algorithm, token] of Object.entries(published)) {
    const request = new Request("http://localhost/hello", { headers: { Authorization: `Bearer ${token}` } });
    const claims = await oauth.validateJwtAccessToken(server, request, "tacit", { ...insecure, signingAlgorithms: [algorithm] });
    assert.equal(claims.username, "ada");
  }
});
