"""httpx: the authentication classes of httpx-auth, and Authlib's asynchronous client."""

import asyncio
import os
import unittest
import warnings

import httpx
from httpx_auth import OAuth2, OAuth2ClientCredentials, OAuth2ResourceOwnerPasswordCredentials

from service import PASSWORD, Service

with warnings.catch_warnings():
    # Authlib wants the successor of httpx, of which this is not a test.
    warnings.simplefilter("ignore")
    from authlib.integrations.httpx_client import AsyncOAuth2Client

# The library wants https, and the service is on this machine.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"


class Httpx(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.client = cls.service.open_shop()
        cls.token_url = cls.service.url + "/token"

    def setUp(self):
        OAuth2.token_cache.clear()

    def get(self, path, auth):
        with httpx.Client(auth=auth, trust_env=False) as http:
            return http.get(self.service.url + path)

    def sessions(self):
        return int(self.service.sql("SELECT count(*) FROM sessions"))

    def test_a_user_is_signed_in_once_and_then_refreshed(self):
        # Every token counts as run out at once, so that each request refreshes.
        for client_auth in (None, self.client):
            auth = OAuth2ResourceOwnerPasswordCredentials(
                self.token_url, username="ada", password=PASSWORD, client_auth=client_auth, early_expiry=3600,
            )
            before = self.sessions()
            for _ in range(4):
                answer = self.get("/me", auth)
                self.assertEqual((answer.status_code, answer.json()["username"]), (200, "ada"))
            self.assertEqual(self.sessions(), before + 1)
            OAuth2.token_cache.clear()

    def test_a_client_gets_a_token_of_its_own(self):
        auth = OAuth2ClientCredentials(self.token_url, *self.client, scope="read")
        answer = self.get("/me", auth)
        self.assertEqual(answer.status_code, 401)
        token = answer.request.headers["Authorization"].removeprefix("Bearer ")
        told = httpx.post(self.service.url + "/introspect", data={"token": token}, auth=self.client, trust_env=False)
        self.assertEqual((told.json()["active"], told.json()["sub"], told.json()["scope"]), (True, self.client[0], "read"))

    def test_the_asynchronous_client_refreshes_once_for_requests_at_once(self):
        async def run():
            async with AsyncOAuth2Client(token_endpoint=self.token_url, trust_env=False) as http:
                await http.fetch_token(username="ada", password=PASSWORD)
                was = http.token["access_token"]
                http.token["expires_at"] = 1
                answers = await asyncio.gather(*(http.get(self.service.url + "/me") for _ in range(20)))
                self.assertEqual([answer.status_code for answer in answers], [200] * 20)
                self.assertNotEqual(http.token["access_token"], was)

        asyncio.run(run())

    def test_many_asynchronous_clients_with_one_token_all_refresh_it(self):
        async def refresh(token):
            async with AsyncOAuth2Client(*self.client, token_endpoint=self.token_url, token=dict(token), trust_env=False) as http:
                token.update(await http.refresh_token())
                return (await http.get(self.service.url + "/me")).status_code

        async def run():
            async with AsyncOAuth2Client(*self.client, token_endpoint=self.token_url, trust_env=False) as http:
                token = await http.fetch_token(username="ada", password=PASSWORD)
            for _ in range(3):
                self.assertEqual(await asyncio.gather(*(refresh(token) for _ in range(16))), [200] * 16)

        asyncio.run(run())
