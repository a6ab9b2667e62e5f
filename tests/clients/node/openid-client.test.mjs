// openid-client, as a program would use it.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import * as client from "openid-client";

import { atOnce, clientId, clientSecret, issuer, me, password, url } from "./given.mjs";

const discover = (id, way) =>
  client.discovery(issuer, id, undefined, way, {
    algorithm: "oauth2",
    // The library wants https, and the service is on this machine.
    execute: [client.allowInsecureRequests],
  });
const signIn = (config) => client.genericGrantRequest(config, "password", { username: "ada", password });
let shop;

before(async () => {
  shop = await discover(clientId, client.ClientSecretBasic(clientSecret));
});

test("a client signs a user in, refreshes and asks for what is protected", async () => {
  for (const config of [
    shop,
    await discover(clientId, client.ClientSecretPost(clientSecret)),
    await discover("script", client.None()),
  ]) {
    const token = await signIn(config);
    assert.ok(token.expiresIn() > 0);
    const renewed = await client.refreshTokenGrant(config, token.refresh_token);
    const answer = await client.fetchProtectedResource(config, renewed.access_token, new URL(`${url}/me`), "GET");
    assert.equal((await answer.json()).username, "ada");
  }
});

test("refreshes at once all work, and nobody is logged out", async () => {
  const store = await signIn(shop);
  for (let round = 0; round < 5; round++) {
    await atOnce(async () => Object.assign(store, await client.refreshTokenGrant(shop, store.refresh_token)));
    assert.equal((await me(store.access_token)).status, 200);
  }
});

test("a client gets a token of its own, within its scopes", async () => {
  const token = await client.clientCredentialsGrant(shop, { scope: "read" });
  assert.equal(token.scope, "read");
  await assert.rejects(client.clientCredentialsGrant(shop, { scope: "delete" }), { status: 400, error: "invalid_scope" });
});

test("a client is told of a token, and revokes it", async () => {
  const token = await signIn(shop);
  assert.equal((await client.tokenIntrospection(shop, token.refresh_token)).active, true);
  await client.tokenRevocation(shop, token.access_token, { token_type_hint: "access_token" });
  assert.equal((await client.tokenIntrospection(shop, token.refresh_token)).active, false);
  await assert.rejects(client.refreshTokenGrant(shop, token.refresh_token), { status: 400, error: "invalid_grant" });
});

test("a protected resource's 401 is read as the challenge of RFC 6750", async () => {
  const asked = client.fetchProtectedResource(shop, "a.b.c", new URL(`${url}/me`), "GET");
  await assert.rejects(asked, (caught) => {
    const [challenge] = caught.cause;
    assert.deepEqual([challenge.scheme, challenge.parameters.error], ["bearer", "invalid_token"]);
    return true;
  });
});
