"""Password hashes are passlib's, in both directions, so that users can move here and away again."""

import unittest

import requests
from passlib.hash import bcrypt, bcrypt_sha256

from service import PASSWORD, Service


class Passlib(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)

    def create(self, username, password=PASSWORD):
        self.service.run("user", "create", username, "--allow-weak-password", stdin=password)

    def stored_hash(self, username):
        return self.service.sql(f"SELECT password_hash FROM users WHERE username = '{username}'")

    def store(self, username, password_hash):
        self.service.sql(f"UPDATE users SET password_hash = '{password_hash}' WHERE username = '{username}'")

    def signs_in(self, username, password):
        body = {"username": username, "password": password}
        return requests.post(self.service.url + "/login", json=body).status_code == 200

    def test_a_hash_of_passlib_verifies_here(self):
        self.create("from-passlib")
        for password in ["another password entirely", "pässwörd ✓", "x" * 100]:
            made = bcrypt_sha256.using(rounds=5).hash(password)
            self.store("from-passlib", made)
            self.assertTrue(self.signs_in("from-passlib", password))
            self.assertFalse(self.signs_in("from-passlib", password + "x"))
            self.assertEqual(self.stored_hash("from-passlib"), made, "it needs no rehash")

    def test_a_hash_made_here_verifies_in_passlib(self):
        for number, password in enumerate(["another password entirely", "pässwörd ✓", "x" * 100]):
            self.create(f"to-passlib-{number}", password)
            made = self.stored_hash(f"to-passlib-{number}")
            self.assertTrue(bcrypt_sha256.verify(password, made), made)
            self.assertFalse(bcrypt_sha256.verify(password + "x", made), made)

    def test_plain_bcrypt_verifies_and_is_rehashed(self):
        self.create("from-bcrypt")
        for ident in ["2a", "2b", "2y"]:
            self.store("from-bcrypt", bcrypt.using(rounds=4, ident=ident).hash(PASSWORD))
            self.assertFalse(self.signs_in("from-bcrypt", "wrong password"))
            self.assertTrue(self.stored_hash("from-bcrypt").startswith(f"${ident}$"))
            self.assertTrue(self.signs_in("from-bcrypt", PASSWORD))
            rehashed = self.stored_hash("from-bcrypt")
            self.assertTrue(rehashed.startswith("$bcrypt-sha256$v=2,t=2b,r=4$"), rehashed)
            self.assertTrue(bcrypt_sha256.verify(PASSWORD, rehashed))
            self.assertTrue(self.signs_in("from-bcrypt", PASSWORD))
