"""oauth4webapi, openid-client and jose: the tests in node/, against a service that is started here."""

import os
import pathlib
import subprocess
import unittest

from javascript import with_modules
from service import PASSWORD, Service


class Node(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.service.run("user", "create", "ada", stdin=PASSWORD)
        grants = ("--grant", "password", "--grant", "refresh_token", "--grant", "client_credentials")
        cls.client_id, cls.client_secret = cls.service.new_client("shop", *grants, "--scope", "read")
        cls.folder = with_modules(pathlib.Path(__file__).parent / "node", cls.service.path / "node")

    def run_file(self, name):
        environment = {
            "PATH": os.environ["PATH"],
            "TACIT_URL": self.service.url,
            "PASSWORD": PASSWORD,
            "CLIENT_ID": self.client_id,
            "CLIENT_SECRET": self.client_secret,
        }
        command = ["node", "--test", "--test-reporter=spec", name]
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=120)
        print(done.stdout)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, "pass [1-9]")
        self.assertRegex(done.stdout, "skipped 0")

    def test_oauth4webapi(self):
        self.run_file("oauth4webapi.test.mjs")

    def test_openid_client(self):
        self.run_file("openid-client.test.mjs")
