"""oauth4webapi and openid-client: the tests in node/, against a service that is started here."""

import unittest

from javascript import NODE_TESTS, run_node_tests, with_modules
from service import PASSWORD, Service


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

    def test_oauth4webapi(self):
        self.run_file("oauth4webapi.test.mjs")

    def test_openid_client(self):
        self.run_file("openid-client.test.mjs")
