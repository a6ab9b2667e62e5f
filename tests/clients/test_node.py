"""oauth4webapi and openid-client: the tests in node/, against a service that is started here."""

import pathlib
import re
import subprocess
import unittest

import requests

from javascript import NODE_TESTS, run_node_tests, with_modules
from service import PASSWORD, Service

README = pathlib.Path(__file__).parents[2] / "README.md"


class Node(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.service = Service()
        cls.addClassCleanup(cls.service.stop)
        cls.client_id, cls.client_secret = cls.service.open_shop()
        cls.folder = with_modules(NODE_TESTS, cls.service.path / "node")

    def run_file(self, name):
        client = {"PASSWORD": PASSWORD, "CLIENT_ID": self.client_id, "CLIENT_SECRET": self.client_secret}
        run_node_tests(self, self.folder / name, {"TACIT_URL": self.service.url, **client})

    def test_the_readmes_lines_verify_a_users_token_and_refuse_a_clients_own(self):
        lines = re.search(r"```js\n(.*?)```", README.read_text(), re.DOTALL).group(1)
        file = self.folder / "readme.mjs"
        file.write_text(lines.replace("http://localhost:8080", self.service.url))

        def run(token):
            command = ["node", str(file), token]
            return subprocess.run(command, cwd=self.service.path, capture_output=True, text=True, timeout=60)

        good = run(self.service.sign_in())
        self.assertEqual((good.returncode, good.stdout.split()[1:]), (0, ["ada", "user"]), good.stderr)
        form, auth = {"grant_type": "client_credentials"}, (self.client_id, self.client_secret)
        token = requests.post(self.service.url + "/token", data=form, auth=auth, timeout=10).json()["access_token"]
        refused = run(token)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('missing required "sid" claim', refused.stderr)

    def test_oauth4webapi(self):
        self.run_file("oauth4webapi.test.mjs")

    def test_openid_client(self):
        self.run_file("openid-client.test.mjs")
