"""A client of FastAPI's security tutorial: the OAuth2 password form without grant_type, then Bearer."""

import contextlib
import io
import unittest

import requests

from service import PASSWORD, Service


def demo(url, username, password):
    """As the tutorials have it."""
    response = requests.post(url + "/token", data={"username": username, "password": password})
    if response.status_code != 200:
        print(response.json()["detail"])
        return response
    token = response.json()["access_token"]
    response = requests.get(url + "/protected", headers={"Authorization": f"Bearer {token}"})
    print(response.json()["message"])
    return response


class FastApiTutorial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.service.run("user", "create", "johndoe", stdin=PASSWORD)

    def run_demo(self, password):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            response = demo(self.service.url, "johndoe", password)
        return response, printed.getvalue().strip()

    def test_a_right_password_reads_the_protected_page(self):
        response, printed = self.run_demo(PASSWORD)
        self.assertEqual(response.status_code, 200)
        self.assertEqual(printed, "You are viewing protected content, johndoe!")

    def test_a_wrong_password_prints_fastapis_sentence(self):
        response, printed = self.run_demo("wrong")
        self.assertEqual(response.status_code, 401)
        self.assertEqual(response.json(), {"detail": "Incorrect username or password"})
        self.assertEqual(response.headers["WWW-Authenticate"], "Bearer")
        self.assertEqual(printed, "Incorrect username or password")

    def test_a_missing_field_is_422_as_pydantic_says_it(self):
        response = requests.post(self.service.url + "/token", data={"username": "johndoe"})
        self.assertEqual(response.status_code, 422)
        expected = {"type": "missing", "loc": ["body", "password"], "msg": "Field required"}
        self.assertEqual(response.json(), {"detail": [expected]})

    def test_no_token_and_a_broken_token_are_told_apart(self):
        def detail(headers):
            response = requests.get(self.service.url + "/protected", headers=headers)
            self.assertEqual(response.status_code, 401)
            self.assertTrue(response.headers["WWW-Authenticate"].startswith("Bearer"))
            return response.json()["detail"]

        self.assertEqual(detail({}), "Not authenticated")
        self.assertEqual(detail({"Authorization": "Bearer nonsense"}), "Invalid authentication credentials")
        self.assertEqual(detail({"Authorization": "Bearer a.b.c"}), "Invalid or expired token")
