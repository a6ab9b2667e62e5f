"""Runs JavaScript where its packages are: `scripts/test` installs them, and names the folder in TACIT_TEST_NODE_MODULES."""

import os
import pathlib
import shutil
import subprocess

MODULES = os.environ.get("TACIT_TEST_NODE_MODULES", "target/node-clients/node_modules")


NODE_TESTS = pathlib.Path(__file__).parent / "node"


def with_modules(folder, into):
    """A copy of a folder, beside which Node.js finds the packages."""
    shutil.copytree(folder, into)
    (pathlib.Path(into) / "node_modules").symlink_to(pathlib.Path(MODULES).resolve(strict=True), target_is_directory=True)
    return into


def run_node_tests(case, file, given):
    """Runs a file of tests to its end, with these variables; each of its tests has to pass."""
    command = ["node", "--test", "--test-reporter=spec", file.name]
    environment = {"PATH": os.environ["PATH"], **given}
    done = subprocess.run(command, cwd=file.parent, env=environment, capture_output=True, text=True, timeout=120)
    print(done.stdout)
    case.assertEqual(done.returncode, 0, done.stderr)
    case.assertRegex(done.stdout, "pass [1-9]")
    case.assertRegex(done.stdout, "skipped 0")
