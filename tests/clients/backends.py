"""The programs of examples/backends, running for tests on free ports."""

import http.server
import json
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


class Feed:
    """Something like /revocations that always has news: these answers one after the other, and the last for ever."""

    def __init__(self, answers):
        self.answered = 0
        feed = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = json.dumps(answers[min(feed.answered, len(answers) - 1)]).encode()
                feed.answered += 1
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", f'"{feed.answered}"')
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/revocations"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
