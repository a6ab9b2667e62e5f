// oauth4webapi, which checks every answer against the standards to the letter.

import assert from "node:assert/strict";
import { before, test } from "node:test";

import * as oauth from "oauth4webapi";

import { atOnce, clientId, clientSecret, issuer, me, password, url } from "./given.mjs";

// The library wants https, and the service is on this machine.
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: clientId };
const ways = { basic: oauth.ClientSecretBasic(clientSecret), post: oauth.ClientSecretPost(clientSecret) };
let server;

before(async () => {
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
  server = await oauth.processDiscoveryResponse(issuer, answer);
});

async function signIn(who = client, way = ways.basic) {
  const form = { username: "ada", password };
  const answer = await oauth.genericTokenEndpointRequest(server, who, way, "password", form, insecure);
  return oauth.processGenericTokenEndpointResponse(server, who, answer);
}

async function refresh(token, who = client, way = ways.basic) {
  const answer = await oauth.refreshTokenGrantRequest(server, who, way, token, insecure);
  return oauth.processRefreshTokenResponse(server, who, answer);
}

const refused = (status, error) => (caught) => {
  assert.ok(caught instanceof oauth.ResponseBodyError || caught instanceof oauth.WWWAuthenticateChallengeError, caught);
  assert.deepEqual([caught.status, caught.cause.error ?? caught.error], [status, error]);
  return true;
};

test("the metadata names the endpoints", () => {
  assert.equal(server.token_endpoint, `${url}/token`);
  assert.ok(server.grant_types_supported.includes("password"));
});

for (const [name, way] of Object.entries(ways)) {
  test(`a client signs a user in and refreshes, by ${name}`, async () => {
    const first = await signIn(client, way);
    assert.equal(first.token_type, "bearer");
    const second = await refresh(first.refresh_token, client, way);
    assert.notEqual(second.refresh_token, first.refresh_token);
    const answer = await oauth.protectedResourceRequest(second.access_token, "GET", new URL(`${url}/me`), undefined, null, insecure);
    assert.equal((await answer.json()).username, "ada");
  });
}

test("a public client does too", async () => {
  const script = { client_id: "script" };
  const token = await signIn(script, oauth.None());
  const renewed = await refresh(token.refresh_token, script, oauth.None());
  assert.equal((await me(renewed.access_token)).status, 200);
});

test("refreshes at once all work, and nobody is logged out", async () => {
  const store = await signIn();
  for (let round = 0; round < 5; round++) {
    await atOnce(async () => Object.assign(store, await refresh(store.refresh_token)));
    assert.equal((await me(store.access_token)).status, 200);
  }
});

test("a client gets a token of its own", async () => {
  const answer = await oauth.clientCredentialsGrantRequest(server, client, ways.basic, { scope: "read" }, insecure);
  const token = await oauth.processClientCredentialsResponse(server, client, answer);
  assert.deepEqual([token.scope, token.refresh_token], ["read", undefined]);
});

test("a client is told of a token, and revokes it", async () => {
  const token = await signIn();
  const told = async (text) => {
    const answer = await oauth.introspectionRequest(server, client, ways.basic, text, insecure);
    return oauth.processIntrospectionResponse(server, client, answer);
  };
  const good = await told(token.access_token);
  assert.deepEqual([good.active, good.username, good.client_id], [true, "ada", clientId]);
  await oauth.processRevocationResponse(
    await oauth.revocationRequest(server, client, ways.post, token.refresh_token, insecure),
  );
  assert.deepEqual(await told(token.access_token), { active: false });
  await assert.rejects(refresh(token.refresh_token), refused(400, "invalid_grant"));
});

test("a wrong password and a wrong secret are told apart", async () => {
  const form = { username: "ada", password: "wrong" };
  const answer = await oauth.genericTokenEndpointRequest(server, client, ways.basic, "password", form, insecure);
  await assert.rejects(oauth.processGenericTokenEndpointResponse(server, client, answer), refused(400, "invalid_grant"));
  await assert.rejects(signIn(client, oauth.ClientSecretPost("wrong")), (caught) => {
    assert.ok(caught instanceof oauth.WWWAuthenticateChallengeError, caught);
    assert.deepEqual([caught.status, caught.cause[0].scheme], [401, "basic"]);
    return true;
  });
});
