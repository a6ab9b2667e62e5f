"""A backend verifies access tokens by itself, with nothing but the shared secret."""

import json
import pathlib
import re
import subprocess
import sys
import unittest

import jwt
import requests

from service import PASSWORD, Service


README = pathlib.Path(__file__).parents[2] / "README.md"


def verify(token, key, issuer, audience):
    header = jwt.get_unverified_header(token)
    if header.get("typ", "").lower() != "at+jwt":
        raise jwt.InvalidTokenError("not an access token")
    required = {"require": ["exp", "iss", "aud", "sub"]}
    return jwt.decode(token, key, algorithms=["HS256"], issuer=issuer, audience=audience, options=required)


class PyJwt(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.service.run("user", "create", "ada", "--role", "editor", stdin=PASSWORD)
        answer = requests.post(cls.service.url + "/token", data={"username": "ada", "password": PASSWORD})
        cls.token = answer.json()["access_token"]
        with open(cls.service.path / "data" / "jwt.key") as file:
            cls.key = file.read().strip()

    def test_a_token_verifies_offline(self):
        claims = verify(self.token, self.key, self.service.url, "tacit")
        self.assertEqual(claims["username"], "ada")
        self.assertEqual(claims["role"], "editor")
        self.assertEqual(claims["roles"], ["editor"])
        self.assertEqual(claims["client_id"], "tacit")
        self.assertLessEqual(claims["exp"] - claims["iat"], 15 * 60)
        self.assertEqual(jwt.get_unverified_header(self.token)["alg"], "HS256")

    def test_the_readmes_lines_verify_a_token(self):
        lines = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
        lines = lines.replace("http://localhost:8080", self.service.url)

        def run(token):
            command = [sys.executable, "-c", lines, token]
            return subprocess.run(command, cwd=self.service.path, capture_output=True, text=True, timeout=60)

        good = run(self.token)
        self.assertEqual((good.returncode, good.stdout.split()[1:]), (0, ["ada", "editor"]), good.stderr)
        self.assertNotEqual(run(self.token[:-4] + "AAAA").returncode, 0)

    def test_the_readmes_lines_refuse_a_clients_own_token(self):
        client = self.service.new_client("itself", "--grant", "client_credentials")
        form = {"grant_type": "client_credentials"}
        token = requests.post(self.service.url + "/token", data=form, auth=client).json()["access_token"]
        self.assertEqual(verify(token, self.key, self.service.url, "tacit")["sub"], client[0])
        lines = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
        command = [sys.executable, "-c", lines.replace("http://localhost:8080", self.service.url), token]
        done = subprocess.run(command, cwd=self.service.path, capture_output=True, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('missing the "sid" claim', done.stderr)

    def test_the_readmes_lines_verify_by_the_published_keys(self):
        lines = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)[1]
        service = Service()
        self.addCleanup(service.stop)
        lines = lines.replace("http://localhost:8080", service.url)
        service.run("user", "create", "ada", "--role", "editor", stdin=PASSWORD)

        def run(token):
            command = [sys.executable, "-c", lines, token]
            return subprocess.run(command, cwd=service.path, capture_output=True, text=True, timeout=60)

        by_secret = service.sign_in()
        for alg in ["EdDSA", "ES256"]:
            good = run(service.rotate_to(alg))
            self.assertEqual((good.returncode, good.stdout.split()[1:]), (0, ["ada", "editor"]), good.stderr)
            self.assertNotEqual(run(by_secret).returncode, 0)

    def test_the_secret_of_an_audience_verifies_for_that_audience_alone(self):
        options = ["--grant", "client_credentials", "--audience", "orders", "--audience", "billing", "--json"]
        client = json.loads(self.service.run("client", "create", "caller", *options))
        credentials = (client["client_id"], client["client_secret"])
        secret = self.service.run("keys", "show", "--audience", "orders").strip()
        for audience in ["orders", "billing"]:
            form = {"grant_type": "client_credentials", "audience": audience}
            answer = requests.post(self.service.url + "/token", data=form, auth=credentials)
            token = answer.json()["access_token"]
            if audience == "orders":
                self.assertEqual(verify(token, secret, self.service.url, audience)["client_id"], client["client_id"])
            else:
                with self.assertRaises(jwt.InvalidSignatureError):
                    verify(token, secret, self.service.url, audience)

    def test_a_token_for_another_or_of_another_is_refused(self):
        for issuer, audience, key, error in [
            ("https://evil.example", "tacit", self.key, jwt.InvalidIssuerError),
            (self.service.url, "another", self.key, jwt.InvalidAudienceError),
            (self.service.url, "tacit", "k" * 43, jwt.InvalidSignatureError),
        ]:
            with self.assertRaises(error):
                verify(self.token, key, issuer, audience)

    def test_a_refresh_token_is_no_access_token(self):
        form = {"grant_type": "password", "username": "ada", "password": PASSWORD}
        refresh_token = requests.post(self.service.url + "/token", data=form).json()["refresh_token"]
        with self.assertRaises(jwt.InvalidTokenError):
            verify(refresh_token, self.key, self.service.url, "tacit")
        headers = {"Authorization": "Bearer " + refresh_token}
        self.assertEqual(requests.get(self.service.url + "/protected", headers=headers).status_code, 401)

    def test_a_token_that_pyjwt_signed_is_good_here_only_with_typ_and_kid(self):
        claims = jwt.decode(self.token, options={"verify_signature": False})
        header = jwt.get_unverified_header(self.token)

        def status(headers):
            token = jwt.encode(claims, self.key, algorithm="HS256", headers=headers)
            headers = {"Authorization": "Bearer " + token}
            return requests.get(self.service.url + "/protected", headers=headers).status_code

        self.assertEqual(status({"typ": header["typ"], "kid": header["kid"]}), 200)
        self.assertEqual(status({"kid": header["kid"]}), 401)
        self.assertEqual(status({"typ": header["typ"]}), 401)
