"""Runs JavaScript where its packages are: `scripts/test` installs them, and names the folder in TACIT_TEST_NODE_MODULES."""

import os
import pathlib
import shutil

MODULES = os.environ.get("TACIT_TEST_NODE_MODULES", "target/node-clients/node_modules")


def with_modules(folder, into):
    """A copy of a folder, beside which Node.js finds the packages."""
    shutil.copytree(folder, into)
    (pathlib.Path(into) / "node_modules").symlink_to(pathlib.Path(MODULES).resolve(strict=True), target_is_directory=True)
    return into
