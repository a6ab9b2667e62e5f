"""Each program of examples/backends lets in whom it should, and nobody else."""

import base64
import hmac
import json
import signal
import time
import unittest

import jwt
import requests
from cryptography.hazmat.primitives import serialization

from backends import Backend, Feed, commands
from service import PASSWORD, Service, part

# Seconds in which anything has to have happened that a test waits for.
LIMIT = 20
# Seconds in which what takes about one has to have happened, also on a slow machine.
ABOUT_ONE = 10


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class BySecret(unittest.TestCase):
    """With the secret that Tacit signs with, HS256."""

    # Forging means many sign-ins, and the first ones are to last.
    settings = {"sessions__max_per_user": "1000"}

    @classmethod
    def setUpClass(cls):
        cls.service = Service(**cls.settings)
        cls.addClassCleanup(cls.service.stop)
        for name in ("ada", "grace", "hedy", "mary"):
            cls.service.run("user", "create", name, stdin=PASSWORD)
        cls.client = cls.service.new_client("backend", "--grant", "client_credentials")
        cls.prepare()
        cls.commands = commands(cls.service.path)
        cls.backends = []
        for name, command in cls.commands.items():
            cls.backends.append(Backend(name, command, cls.environment()))
            cls.addClassCleanup(cls.backends[-1].stop)
        token = cls.sign_in("ada")
        for backend in cls.backends:
            cls.wait_for(backend, token, 200)

    @classmethod
    def prepare(cls):
        secret = (cls.service.path / "data" / "jwt.key").read_text().strip()
        cls.signing = secret.encode(), "HS256"

    @classmethod
    def environment(cls):
        return {**cls.common(), "TACIT_SECRET_FILES": str(cls.service.path / "data" / "jwt.key")}

    @classmethod
    def common(cls):
        return {
            "TACIT_ISSUER": cls.service.url,
            "TACIT_CLIENT_ID": cls.client[0],
            "TACIT_CLIENT_SECRET": cls.client[1],
            "TACIT_FEED_WAIT": "1",
            "TACIT_FEED_MAX_AGE": "6",
        }

    @classmethod
    def sign_in(cls, name):
        return cls.service.sign_in(name)

    @staticmethod
    def ask(backend, token):
        return requests.get(backend.url + "/hello", headers={"Authorization": f"Bearer {token}"}, timeout=30)

    @classmethod
    def wait_for(cls, backend, token, status):
        """Asks until it is so; how long that took, in seconds."""
        began = time.monotonic()
        while (answer := cls.ask(backend, token)).status_code != status:
            if time.monotonic() - began > LIMIT:
                raise AssertionError(f"{backend.name} still answers {answer.status_code} {answer.text}, not {status}")
            time.sleep(0.02)
        return time.monotonic() - began

    def forge(self, claims=(), header=(), without=(), signing=None):
        """A good token with some members changed or left out, signed with Tacit's own key unless with another."""
        token = self.sign_in("ada")
        claims = {**part(token, 1), **dict(claims)}
        header = {**part(token, 0), **dict(header)}
        for name in without:
            claims.pop(name, None)
            header.pop(name, None)
        key, algorithm = signing or self.signing
        text = f"{encoded(header)}.{encoded(claims)}"
        signature = jwt.get_algorithm_by_name(algorithm)
        signature = signature.sign(text.encode(), signature.prepare_key(key))
        return f"{text}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"

    def assert_refused(self, token, why):
        for backend in self.backends:
            with self.subTest(why, backend=backend.name):
                answer = self.ask(backend, token)
                self.assertEqual(answer.status_code, 401, answer.text)
                self.assertEqual(answer.headers["WWW-Authenticate"], 'Bearer error="invalid_token"')

    def test_a_good_token_is_let_in_by_name(self):
        for token in (self.sign_in("ada"), self.forge()):
            for backend in self.backends:
                with self.subTest(backend=backend.name):
                    answer = self.ask(backend, token)
                    self.assertEqual(answer.status_code, 200, answer.text)
                    claims = part(token, 1)
                    expected = {"user_id": claims["sub"], "username": "ada", "role": "user"}
                    self.assertEqual(answer.json(), expected)
                    lower = {"Authorization": f"bearer {token}"}
                    self.assertEqual(requests.get(backend.url + "/hello", headers=lower, timeout=30).status_code, 200)

    def test_nobody_is_told_to_sign_in(self):
        for backend in self.backends:
            for headers in ({}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, {"Authorization": "Bearer"}):
                with self.subTest(backend=backend.name, headers=headers):
                    answer = requests.get(backend.url + "/hello", headers=headers, timeout=30)
                    self.assertEqual(answer.status_code, 401)
                    self.assertTrue(answer.headers["WWW-Authenticate"].startswith("Bearer"))

    def test_what_is_not_for_here_or_not_of_tacit_is_refused(self):
        now = int(time.time())
        for why, token in {
            "expired": self.forge({"exp": now - 1}),
            "good for ever": self.forge(without=["exp"]),
            "for another": self.forge({"aud": "another"}),
            "for nobody": self.forge(without=["aud"]),
            "of another": self.forge({"iss": "https://evil.example"}),
            "of nobody": self.forge(without=["iss"]),
            "not yet": self.forge({"nbf": now + 600}),
            "of another kind": self.forge(header={"typ": "JWT"}),
            "of no kind": self.forge(without=["typ"]),
            "of an unknown key": self.forge(header={"kid": "0123456789abcdef"}),
            "of a key that is a path": self.forge(header={"kid": "../../../dev/null"}),
            "of no key": self.forge(without=["kid"]),
            "critical": self.forge(header={"crit": ["b64"], "b64": False}),
            "without a session": self.forge(without=["sid"]),
            "without a version": self.forge(without=["ver"]),
        }.items():
            self.assert_refused(token, why)

    def test_an_algorithm_cannot_be_chosen(self):
        header, claims = part(self.sign_in("ada"), 0), part(self.sign_in("ada"), 1)
        for name in ("none", "None", "NONE"):
            for signature in ("", base64.urlsafe_b64encode(b"x" * 32).decode().rstrip("=")):
                self.assert_refused(f"{encoded({**header, 'alg': name})}.{encoded(claims)}.{signature}", name)
        for name in ("HS256", "HS384", "HS512"):
            if name != self.signing[1]:
                self.assert_refused(self.forge(header={"alg": name}, signing=(self.public(), name)), name)
        self.assert_refused(self.forge(signing=(b"k" * 43, "HS256")), "another secret")

    def public(self):
        """What every verifier has of the key."""
        return self.signing[0]

    def test_a_tampered_token_is_refused(self):
        token = self.sign_in("ada")
        header, claims, signature = token.split(".")
        admin = encoded({**part(token, 1), "role": "admin"})
        for why, text in {
            "another payload": f"{header}.{admin}.{signature}",
            "no signature": f"{header}.{claims}.",
            "half a signature": f"{header}.{claims}.{signature[: len(signature) // 2]}",
            "two parts": f"{header}.{claims}",
            "four parts": f"{token}.{signature}",
            "no token": "nonsense",
        }.items():
            self.assert_refused(text, why)

    def test_a_clients_own_token_is_no_users(self):
        form = {"grant_type": "client_credentials"}
        answer = requests.post(self.service.url + "/token", data=form, auth=self.client, timeout=10)
        self.assert_refused(answer.json()["access_token"], "of a client")

    def test_a_sign_out_at_another_replica_is_noticed_long_before_the_wait_is_over(self):
        process, url = self.service.serve()
        self.addCleanup(self.service.end, process)
        settings = {"TACIT_REVOCATIONS_URL": url + "/revocations", "TACIT_FEED_WAIT": "30", "TACIT_FEED_MAX_AGE": "60"}
        for name, command in self.commands.items():
            backend = Backend(name, command, {**self.environment(), **settings})
            self.addCleanup(backend.stop)
            other = self.sign_in("grace")
            self.wait_for(backend, other, 200)
            for _ in range(2):
                token = self.sign_in("grace")
                self.assertEqual(self.ask(backend, token).status_code, 200)
                # By then it waits for news, and has to be told.
                time.sleep(2)
                headers = {"Authorization": f"Bearer {token}"}
                requests.post(self.service.url + "/logout", headers=headers, timeout=10).raise_for_status()
                took = self.wait_for(backend, token, 401)
                print(f"{name} noticed a sign-out after {took:.3f} s")
                self.assertLess(took, ABOUT_ONE, name)
                self.assertEqual(self.ask(backend, other).status_code, 200, "another session goes on")

    def test_the_answer_of_a_replica_that_knows_less_brings_nobody_back_and_is_not_asked_for_at_once(self):
        ended, changed, good = self.sign_in("ada"), self.sign_in("hedy"), self.sign_in("mary")
        user = {"sub": part(changed, 1)["sub"], "ver": part(changed, 1)["ver"] + 1}
        full = {"sessions": [{"sid": part(ended, 1)["sid"], "revoked_at": "2026-01-01T00:00:00+00:00"}], "users": [user]}
        older = {"sessions": [], "users": [{**user, "ver": user["ver"] - 1}]}
        for name, command in self.commands.items():
            feed = Feed([full, older, {"sessions": [], "users": []}])
            self.addCleanup(feed.stop)
            backend = Backend(name, command, {**self.environment(), "TACIT_REVOCATIONS_URL": feed.url})
            self.addCleanup(backend.stop)
            began = time.monotonic()
            while feed.answered < 12:
                self.assertLess(time.monotonic() - began, LIMIT, name)
                time.sleep(0.02)
            # Without a pause they would follow in milliseconds.
            self.assertGreater(time.monotonic() - began, 1, name)
            for token, status in ((ended, 401), (changed, 401), (good, 200)):
                self.assertEqual(self.ask(backend, token).status_code, status, name)

    def test_what_was_listed_is_forgotten_when_no_token_of_it_can_be_good(self):
        ended = self.sign_in("ada")
        full = {"sessions": [{"sid": part(ended, 1)["sid"], "revoked_at": "2026-01-01T00:00:00+00:00"}], "users": []}
        for name, command in self.commands.items():
            feed = Feed([full, {"sessions": [], "users": []}])
            self.addCleanup(feed.stop)
            settings = {"TACIT_REVOCATIONS_URL": feed.url, "TACIT_FEED_KEEP": "1"}
            backend = Backend(name, command, {**self.environment(), **settings})
            self.addCleanup(backend.stop)
            self.wait_for(backend, ended, 200)

    def test_a_disabled_user_and_an_old_role_are_noticed(self):
        for backend in self.backends:
            token = self.sign_in("hedy")
            self.assertEqual(self.ask(backend, token).json()["role"], "user")
            self.service.run("user", "set-role", "hedy", "editor")
            self.wait_for(backend, token, 401)
            token = self.sign_in("hedy")
            self.assertEqual(self.ask(backend, token).json()["role"], "editor")
            self.service.run("user", "disable", "hedy")
            self.wait_for(backend, token, 401)
            self.service.run("user", "enable", "hedy")
            self.service.run("user", "set-role", "hedy", "user")

    def test_while_tacit_is_away_tokens_are_good_for_a_while_and_then_nobody_is_let_in(self):
        token = self.sign_in("mary")
        self.service.process.send_signal(signal.SIGSTOP)
        try:
            for backend in self.backends:
                self.assertEqual(self.ask(backend, token).status_code, 200, backend.name)
            for backend in self.backends:
                self.wait_for(backend, token, 503)
                self.assertEqual(self.ask(backend, token).headers["Retry-After"], "1", backend.name)
        finally:
            self.service.process.send_signal(signal.SIGCONT)
        for backend in self.backends:
            self.wait_for(backend, token, 200)

    def test_a_backend_that_never_heard_of_revocations_lets_nobody_in(self):
        token = self.sign_in("mary")
        for name, command in self.commands.items():
            for settings in ({"TACIT_CLIENT_SECRET": "wrong"}, {"TACIT_REVOCATIONS_URL": self.service.url + "/nothing"}):
                backend = Backend(name, command, {**self.environment(), **settings})
                try:
                    for _ in range(5):
                        self.assertEqual(self.ask(backend, token).status_code, 503, name)
                        time.sleep(0.1)
                finally:
                    backend.stop()


class ByPublicKey(BySecret):
    """With the published keys: EdDSA first, and ES256 after a rotation, without a restart."""

    @classmethod
    def prepare(cls):
        cls.rotate_to("EdDSA")

    @classmethod
    def rotate_to(cls, algorithm):
        kid = part(cls.service.rotate_to(algorithm), 0)["kid"]
        cls.signing = (cls.service.path / "data" / "keys" / f"{kid}.pem").read_bytes(), algorithm

    @classmethod
    def environment(cls):
        return cls.common()

    def public(self):
        private = serialization.load_pem_private_key(self.signing[0], None)
        form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        return private.public_key().public_bytes(*form)

    def forge(self, claims=(), header=(), without=(), signing=None):
        if signing is not None and signing[1].startswith("HS"):
            # PyJWT refuses such a mistake: sign by hand.
            token = self.sign_in("ada")
            text = f"{encoded({**part(token, 0), **dict(header)})}.{encoded({**part(token, 1), **dict(claims)})}"
            digest = hmac.digest(signing[0], text.encode(), signing[1].replace("HS", "sha"))
            return f"{text}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
        return super().forge(claims, header, without, signing)

    def test_another_key_is_fetched_when_it_signs_and_the_old_one_stays_good(self):
        old = self.sign_in("ada")
        self.rotate_to("EdDSA" if self.signing[1] == "ES256" else "ES256")
        for backend in self.backends:
            for token in (self.sign_in("ada"), old, self.forge()):
                self.wait_for(backend, token, 200)
        self.test_an_algorithm_cannot_be_chosen()
        self.test_a_tampered_token_is_refused()
        self.test_what_is_not_for_here_or_not_of_tacit_is_refused()

    def test_while_the_keys_cannot_be_fetched_nobody_is_let_in(self):
        token = self.sign_in("mary")
        for name, command in self.commands.items():
            backend = Backend(name, command, {**self.environment(), "TACIT_JWKS_URL": self.service.url + "/nothing"})
            try:
                for _ in range(5):
                    self.assertEqual(self.ask(backend, token).status_code, 503, name)
                    time.sleep(0.1)
            finally:
                backend.stop()
