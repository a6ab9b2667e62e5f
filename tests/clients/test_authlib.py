"""Authlib's client, on requests: discovery, every grant, refresh, introspection, revocation."""

import concurrent.futures
import os
import time
import unittest

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

from service import PASSWORD, Service

# The library wants https, and the service is on this machine.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

ALL_GRANTS = ("--grant", "password", "--grant", "refresh_token", "--grant", "client_credentials")


class Authlib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service(tokens__access_ttl="60s", sessions__grace="4s", sessions__emit_deadline="1s")
        cls.addClassCleanup(cls.service.stop)
        cls.service.run("user", "create", "ada", stdin=PASSWORD)
        cls.client = cls.service.new_client("shop", *ALL_GRANTS, "--scope", "read", "--scope", "write")
        cls.metadata = requests.get(get_well_known_url(cls.service.url, external=True), timeout=10).json()

    def session(self, client=(), **options):
        return OAuth2Session(*client, token_endpoint=self.metadata["token_endpoint"], **options)

    def signed_in(self, client=(), **options):
        session = self.session(client, **options)
        session.fetch_token(username="ada", password=PASSWORD)
        return session

    def me(self, session):
        return session.get(self.service.url + "/me")

    def test_the_metadata_is_valid(self):
        metadata = AuthorizationServerMetadata(self.metadata)
        metadata.validate()
        self.assertEqual(metadata.issuer, self.service.url)

    def test_a_public_client_signs_in_and_refreshes(self):
        session = self.session(token_endpoint_auth_method="none")
        token = session.fetch_token(username="ada", password=PASSWORD)
        self.assertEqual(self.me(session).json()["username"], "ada")
        renewed = session.refresh_token()
        self.assertNotEqual(renewed["refresh_token"], token["refresh_token"])
        self.assertNotEqual(renewed["access_token"], token["access_token"])
        self.assertEqual(self.me(session).status_code, 200)

    def test_a_wrong_password_is_invalid_grant(self):
        with self.assertRaises(OAuthError) as caught:
            self.session().fetch_token(username="ada", password="wrong")
        self.assertEqual(caught.exception.error, "invalid_grant")

    def test_a_token_that_has_run_out_is_refreshed_by_the_session_itself(self):
        kept = []

        def keep(token, refresh_token=None, access_token=None):
            kept.append((token["access_token"], refresh_token))

        session = self.signed_in(update_token=keep)
        was = session.token["refresh_token"]
        session.token["expires_at"] = 1
        self.assertEqual(self.me(session).status_code, 200)
        self.assertEqual(kept, [(session.token["access_token"], was)])

    def test_a_confidential_client_authenticates_by_basic_or_in_the_form(self):
        for method in ("client_secret_basic", "client_secret_post"):
            session = self.signed_in(self.client, token_endpoint_auth_method=method)
            session.refresh_token()
            self.assertEqual(self.me(session).status_code, 200, method)
            session = self.session((self.client[0], "wrong"), token_endpoint_auth_method=method)
            with self.assertRaises(OAuthError) as caught:
                session.fetch_token(username="ada", password=PASSWORD)
            self.assertEqual(caught.exception.error, "invalid_client")

    def test_another_client_cannot_use_a_clients_refresh_token(self):
        refresh_token = self.signed_in(self.client).token["refresh_token"]
        with self.assertRaises(OAuthError) as caught:
            self.session().refresh_token(refresh_token=refresh_token)
        self.assertEqual(caught.exception.error, "invalid_grant")

    def test_client_credentials_give_a_token_of_the_clients_own(self):
        session = self.session(self.client, scope="read", grant_type="client_credentials")
        token = session.fetch_token()
        self.assertEqual((token["scope"], "refresh_token" in token), ("read", False))
        told = session.introspect_token(self.metadata["introspection_endpoint"], token["access_token"]).json()
        self.assertEqual((told["active"], told["sub"], told["scope"]), (True, self.client[0], "read"))
        # It runs out, and the session asks for the next.
        session.token["expires_at"] = 1
        self.assertEqual(self.me(session).status_code, 401)
        self.assertNotEqual(session.token["access_token"], token["access_token"])

    def test_a_client_is_told_of_a_token_and_revokes_it(self):
        session = self.signed_in(self.client)
        introspection, revocation = self.metadata["introspection_endpoint"], self.metadata["revocation_endpoint"]
        for hint in ("access_token", "refresh_token"):
            told = session.introspect_token(introspection, session.token[hint], hint).json()
            self.assertEqual((told["active"], told["username"], told["client_id"]), (True, "ada", self.client[0]))
        self.assertEqual(session.revoke_token(revocation, session.token["refresh_token"], "refresh_token").status_code, 200)
        for hint in ("access_token", "refresh_token"):
            self.assertEqual(session.introspect_token(introspection, session.token[hint], hint).json(), {"active": False})
        with self.assertRaises(OAuthError) as caught:
            session.refresh_token()
        self.assertEqual(caught.exception.error, "invalid_grant")

    def test_refreshes_at_once_all_work_and_nobody_is_logged_out(self):
        for client in ((), self.client):
            for _ in range(5):
                store = self.signed_in(client).token

                def refresh(_):
                    # Eight programs with one store, each of which reads, refreshes and writes as it likes.
                    session = self.session(client, token=dict(store))
                    store.update(session.refresh_token())
                    return self.me(session).status_code

                for _ in range(2):
                    with concurrent.futures.ThreadPoolExecutor(8) as pool:
                        self.assertEqual(list(pool.map(refresh, range(8))), [200] * 8)

    def test_what_requests_at_once_left_in_the_store_is_good_beyond_the_window(self):
        store = self.signed_in().token
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            tokens = list(pool.map(lambda _: self.session(token=dict(store)).refresh_token(), range(8)))
        # The answer that came last is any of them.
        session = self.session(token=next(token for token in tokens if not token["rotated"]))
        deadline = time.monotonic() + 20
        while not session.refresh_token()["rotated"]:
            self.assertLess(time.monotonic(), deadline, "the window never ends")
            time.sleep(0.1)
        self.assertEqual(self.me(session).status_code, 200)
