"""A client of the three-layer FastAPI service: an operator's user, /token, and refreshes that the backend drives."""

import time
import unittest

import requests

from service import PASSWORD, Service

COOKIES = {"tacit-access", "tacit-refresh"}


class LayeredService(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service(tokens__access_ttl="3s", sessions__grace="1s", sessions__emit_deadline="250ms")
        cls.addClassCleanup(cls.service.stop)
        cls.service.run("user", "create", "operator", "--email", "operator@example.com", stdin=PASSWORD)

    def test_a_session_outlives_its_access_tokens_and_the_client_does_nothing(self):
        url = self.service.url
        client = requests.Session()
        answer = client.post(url + "/login", json={"email": "operator@example.com", "password": PASSWORD})
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(set(client.cookies.keys()), COOKIES)
        rotations = 0
        deadline = time.monotonic() + 30
        while rotations < 2:
            self.assertLess(time.monotonic(), deadline, "no second rotation")
            before = client.cookies.get_dict()
            answer = client.get(url + "/protected")
            self.assertEqual(answer.status_code, 200)
            after = client.cookies.get_dict()
            if answer.headers.get("X-Auth-Refresh") == "rotated":
                rotations += 1
                self.assertNotEqual(before.get("tacit-access"), after["tacit-access"])
                self.assertNotEqual(before["tacit-refresh"], after["tacit-refresh"])
            else:
                self.assertNotIn("X-Auth-Refresh", answer.headers)
                self.assertEqual(before, after)
            time.sleep(0.2)

    def test_a_lost_access_cookie_is_replaced_on_the_way(self):
        client = requests.Session()
        client.post(self.service.url + "/login", json={"username": "operator", "password": PASSWORD})
        del client.cookies["tacit-access"]
        answer = client.get(self.service.url + "/me")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.json()["username"], "operator")
        self.assertEqual(answer.headers["X-Auth-Refresh"], "rotated")
        self.assertEqual(set(client.cookies.keys()), COOKIES)

    def test_a_backend_refreshes_by_itself_at_token(self):
        url = self.service.url + "/token"
        answer = requests.post(url, data={"grant_type": "password", "username": "operator", "password": PASSWORD})
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        first = answer.json()
        answer = requests.post(url, data={"grant_type": "refresh_token", "refresh_token": first["refresh_token"]})
        self.assertEqual(answer.status_code, 200)
        second = answer.json()
        self.assertTrue(second["rotated"])
        self.assertNotEqual(first["refresh_token"], second["refresh_token"])
        headers = {"Authorization": "Bearer " + second["access_token"]}
        self.assertEqual(requests.get(self.service.url + "/me", headers=headers).status_code, 200)
        answer = requests.post(url, data={"grant_type": "refresh_token", "refresh_token": "rt1_nonsense"})
        self.assertEqual(answer.status_code, 400)
        self.assertEqual(answer.json()["error"], "invalid_grant")
