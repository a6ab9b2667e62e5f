"""requests-oauthlib: the password grant of its legacy client, the backend client, refresh by itself, revocation."""

import os
import unittest

import requests
from oauthlib.oauth2 import BackendApplicationClient, InvalidGrantError, LegacyApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

from service import PASSWORD, Service

# The library wants https, and the service is on this machine.
os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"


class RequestsOauthlib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.client = cls.service.open_shop()
        cls.token_url = cls.service.url + "/token"

    def signed_in(self, client_id="script", **options):
        session = OAuth2Session(client=LegacyApplicationClient(client_id=client_id))
        session.fetch_token(self.token_url, username="ada", password=PASSWORD, **options)
        return session

    def me(self, session):
        return session.get(self.service.url + "/me")

    def test_a_public_client_signs_in_and_refreshes(self):
        session = self.signed_in()
        self.assertEqual(self.me(session).json()["username"], "ada")
        was = session.token["refresh_token"]
        self.assertNotEqual(session.refresh_token(self.token_url)["refresh_token"], was)
        self.assertEqual(self.me(session).status_code, 200)

    def test_a_wrong_password_and_a_wrong_secret_are_told_apart(self):
        session = OAuth2Session(client=LegacyApplicationClient(client_id="script"))
        with self.assertRaises(InvalidGrantError):
            session.fetch_token(self.token_url, username="ada", password="wrong")
        session = OAuth2Session(client=LegacyApplicationClient(client_id=self.client[0]))
        with self.assertRaises(InvalidClientError):
            session.fetch_token(self.token_url, username="ada", password=PASSWORD, client_secret="wrong")

    def test_a_confidential_client_authenticates_by_basic_or_in_the_form(self):
        client_id, client_secret = self.client
        for options in ({"auth": HTTPBasicAuth(*self.client)}, {"client_secret": client_secret, "include_client_id": True}):
            session = self.signed_in(client_id, **options)
            self.assertEqual(self.me(session).status_code, 200)
            session.refresh_token(self.token_url, client_id=client_id, client_secret=client_secret)
            self.assertEqual(self.me(session).status_code, 200)

    def test_a_token_that_has_run_out_is_refreshed_by_the_session_itself(self):
        kept = []
        token = self.signed_in().token
        session = OAuth2Session("script", token={**token, "expires_in": -1, "expires_at": 1},
                                auto_refresh_url=self.token_url, token_updater=kept.append)
        self.assertEqual(self.me(session).status_code, 200)
        self.assertEqual(len(kept), 1)
        self.assertNotEqual(kept[0]["refresh_token"], token["refresh_token"])

    def test_a_backend_gets_a_token_of_its_own(self):
        session = OAuth2Session(client=BackendApplicationClient(client_id=self.client[0], scope=["read"]))
        token = session.fetch_token(self.token_url, client_secret=self.client[1])
        self.assertEqual((token["scope"], "refresh_token" in token), (["read"], False))
        self.assertEqual(self.me(session).status_code, 401)

    def test_what_was_revoked_is_inactive_and_refreshes_no_more(self):
        session = self.signed_in(self.client[0], auth=HTTPBasicAuth(*self.client))
        token = session.token["refresh_token"]

        def is_active():
            form, auth = {"token": token}, HTTPBasicAuth(*self.client)
            return requests.post(self.service.url + "/introspect", data=form, auth=auth, timeout=10).json()["active"]

        self.assertTrue(is_active())
        revocation = session._client.prepare_token_revocation_request(self.service.url + "/revoke", token)
        url, headers, body = revocation
        answer = requests.post(url, headers=headers, data=body, auth=HTTPBasicAuth(*self.client), timeout=10)
        self.assertEqual((answer.status_code, answer.content), (200, b""))
        self.assertFalse(is_active())
        with self.assertRaises(InvalidGrantError):
            session.refresh_token(self.token_url, client_id=self.client[0], client_secret=self.client[1])
