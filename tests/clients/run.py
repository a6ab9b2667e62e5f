"""Runs the clients' tests against TACIT_BINARY, on PostgreSQL when TACIT_TEST_POSTGRES is set, else on SQLite."""

import os
import pathlib
import sys
import unittest

# The service is on this machine, whatever proxy the environment names.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


def main():
    here = pathlib.Path(__file__).parent
    suite = unittest.defaultTestLoader.discover(str(here), pattern="test_*.py")
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    # A class whose service does not start counts as one failure; a skipped test counts as a failure too.
    failed = len(result.failures) + len(result.errors) + len(result.skipped) + len(result.unexpectedSuccesses)
    passed = max(result.testsRun - failed, 0)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if result.wasSuccessful() and failed == 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
