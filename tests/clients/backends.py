"""The programs of examples/backends, running for tests on free ports."""

import os
import pathlib
import shlex
import subprocess
import sys
import tempfile
import threading

from javascript import with_modules
from service import BINARY

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples" / "backends"
# Cargo puts examples beside the binary.
RUST = pathlib.Path(BINARY).parent / "examples" / "backend"


def commands(folder):
    """How each is started, by name; `folder` is one where files may be put.

    TACIT_TEST_OTHER_BACKEND names the command of another one, which is then held against the same tests alone.
    """
    if other := os.environ.get("TACIT_TEST_OTHER_BACKEND"):
        return {"other": shlex.split(other)}
    node = with_modules(EXAMPLES / "node", pathlib.Path(folder) / "node")
    return {
        "python": [sys.executable, str(EXAMPLES / "python" / "main.py")],
        "node": ["node", str(node / "server.mjs")],
        "rust": [os.path.abspath(RUST)],
    }


class Backend:
    """One of them, started with these settings."""

    def __init__(self, name, command, settings):
        self.name = name
        self.log = tempfile.TemporaryFile("w+")
        environment = {"PATH": os.environ["PATH"], "NO_PROXY": "*", "PYTHONDONTWRITEBYTECODE": "1", "PORT": "0", **settings}
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, text=True,
        )
        first = self.process.stdout.readline()
        if not first.startswith("listening on "):
            self.log.seek(0)
            raise RuntimeError(f"{name} did not start: {first}{self.log.read()}")
        self.url = first.removeprefix("listening on ").strip()
        # Whatever else it prints needs a reader.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def stop(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.log.close()
