"""Every library verifies tokens of every algorithm with the published keys, and through their rotation."""

import asyncio
import json
import unittest

import httpx
import jwt
import requests
from authlib.oauth2.rfc9068.claims import JWTAccessTokenClaims
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from javascript import NODE_TESTS, run_node_tests, with_modules
from service import PASSWORD, Service


class PublishedKeys(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # Waiting for a key means many sign-ins, and the first one is to last.
        cls.service = Service(sessions__max_per_user="1000")
        cls.addClassCleanup(cls.service.stop)
        cls.service.run("user", "create", "ada", stdin=PASSWORD)
        found = requests.get(cls.service.url + "/.well-known/oauth-authorization-server", timeout=10).json()
        cls.jwks_uri = found["jwks_uri"]
        cls.issued = {"HS256": cls.service.sign_in()}
        for algorithm in ("EdDSA", "ES256"):
            cls.issued[algorithm] = cls.service.rotate_to(algorithm)

    def published(self):
        return {name: token for name, token in self.issued.items() if name != "HS256"}

    def test_pyjwts_client_verifies_every_published_algorithm(self):
        client = jwt.PyJWKClient(self.jwks_uri)
        for algorithm, token in self.published().items():
            key = client.get_signing_key_from_jwt(token)
            rules = {"require": ["exp", "iss", "aud", "sub"]}
            claims = jwt.decode(token, key, algorithms=[algorithm], issuer=self.service.url, audience="tacit", options=rules)
            self.assertEqual(claims["username"], "ada")
            with self.assertRaises(jwt.InvalidAudienceError):
                jwt.decode(token, key, algorithms=[algorithm], issuer=self.service.url, audience="another")

    def test_joserfc_and_authlibs_claims_of_rfc_9068_verify_them_too(self):
        keys = KeySet.import_key_set(httpx.get(self.jwks_uri, trust_env=False).json())
        for algorithm, token in self.published().items():
            decoded = joserfc_jwt.decode(token, keys, algorithms=[algorithm])
            required = {"iss": self.service.url, "aud": "tacit"}
            options = {name: {"essential": True, "value": value} for name, value in required.items()}
            claims = JWTAccessTokenClaims(decoded.claims, decoded.header, options)
            claims.validate()
            self.assertEqual(claims["client_id"], "tacit")

    def test_jose_and_oauth4webapi_verify_them_too(self):
        folder = with_modules(NODE_TESTS, self.service.path / "node")
        secret = (self.service.path / "data" / "jwt.key").read_text().strip()
        given = {"TACIT_URL": self.service.url, "TOKENS": json.dumps(self.issued), "SECRET": secret}
        run_node_tests(self, folder / "keys.test.mjs", given)

    def test_a_token_of_the_secret_names_a_key_that_is_not_published(self):
        with self.assertRaises(jwt.PyJWKClientError):
            jwt.PyJWKClient(self.jwks_uri).get_signing_key_from_jwt(self.issued["HS256"])
        kids = {key["kid"] for key in requests.get(self.jwks_uri, timeout=10).json()["keys"]}
        self.assertNotIn(jwt.get_unverified_header(self.issued["HS256"])["kid"], kids)

    def test_tokens_of_all_algorithms_are_good_here_side_by_side(self):
        async def ask(token):
            async with httpx.AsyncClient(trust_env=False) as http:
                answer = await http.get(self.service.url + "/me", headers={"Authorization": f"Bearer {token}"})
                return answer.status_code

        async def run():
            self.assertEqual(await asyncio.gather(*map(ask, self.issued.values())), [200] * 3)

        asyncio.run(run())

    def test_a_client_that_keeps_its_keys_follows_a_rotation(self):
        # By default it fetches for an unknown key every thirty seconds at most.
        client = jwt.PyJWKClient(self.jwks_uri, cooldown_duration=0)
        client.get_signing_key_from_jwt(self.issued["EdDSA"])
        for algorithm in ("EdDSA", "ES256"):
            token = self.service.rotate_to(algorithm)
            key = client.get_signing_key_from_jwt(token)
            jwt.decode(token, key, algorithms=[algorithm], issuer=self.service.url, audience="tacit")
        for algorithm, token in self.published().items():
            key = client.get_signing_key_from_jwt(token)
            jwt.decode(token, key, algorithms=[algorithm], issuer=self.service.url, audience="tacit")
