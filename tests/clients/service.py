"""The binary, running for these tests on a free port, with a database of its own."""

import base64
import json
import os
import pathlib
import re
import sqlite3
import subprocess
import tempfile
import threading
import time
import uuid

import requests

BINARY = os.environ.get("TACIT_BINARY", "target/release/tacit")
POSTGRES = os.environ.get("TACIT_TEST_POSTGRES", "")
PASSWORD = "correct horse battery staple"


def psql(url, sql):
    command = ["psql", url, "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"]
    return subprocess.run(command, input=sql, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def part(token, index):
    """The header of a token (0), or its claims (1)."""
    text = token.split(".")[index]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


class Service:
    def __init__(self, **settings):
        self.directory = tempfile.TemporaryDirectory(prefix="tacit-clients-")
        self.path = pathlib.Path(self.directory.name)
        self.settings = {
            "passwords.bcrypt_cost": "4",
            "throttle.enabled": "false",
            **{key.replace("__", "."): v for key, v in settings.items()},
        }
        if POSTGRES:
            self.name = "tacit_clients_" + uuid.uuid4().hex
            psql(POSTGRES, f"CREATE DATABASE {self.name}")
            self.database = POSTGRES.rpartition("/")[0] + "/" + self.name
            self.settings["database.url"] = self.database
        self.log = open(self.path / "log", "w+")
        self.process, self.url = self.serve()

    def serve(self):
        """Starts a process, the first one or another replica; and where it listens, once it is ready."""
        process = subprocess.Popen(
            self.command("serve", "--migrate", "--listen", "127.0.0.1:0"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, **self.surroundings(),
        )
        first = process.stdout.readline()
        found = re.match(r"Tacit listens on (http://\S+)", first)
        if not found:
            process.kill()
            raise RuntimeError(f"{BINARY} did not start: {first}{self.logged()}")
        url = found.group(1)
        # Whatever else it prints needs a reader.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        deadline = time.monotonic() + 20
        while requests.get(url + "/readyz", timeout=5).status_code != 200:
            if time.monotonic() > deadline:
                raise RuntimeError("never ready: " + self.logged())
            time.sleep(0.05)
        return process, url

    def surroundings(self):
        # Nothing of this shell's environment: a TACIT_ variable or DATABASE_URL would change what is tested.
        return {"cwd": self.path, "env": {"PATH": os.environ["PATH"]}, "text": True}

    def command(self, *arguments):
        settings = [part for key, value in self.settings.items() for part in ("--set", f"{key}={value}")]
        return [os.path.abspath(BINARY), *settings, *arguments]

    def run(self, *arguments, stdin=""):
        return subprocess.run(
            self.command(*arguments), input=stdin, check=True, capture_output=True, timeout=60, **self.surroundings()
        ).stdout

    def new_client(self, name, *options):
        """A client of `tacit client create`: its id and its secret."""
        client = json.loads(self.run("client", "create", name, *options, "--json"))
        return client["client_id"], client["client_secret"]

    def open_shop(self):
        """A user ada, and a client that may use every grant: its id and its secret."""
        self.run("user", "create", "ada", stdin=PASSWORD)
        grants = ("--grant", "password", "--grant", "refresh_token", "--grant", "client_credentials")
        return self.new_client("shop", *grants, "--scope", "read")

    def sign_in(self, name="ada"):
        """An access token."""
        form = {"grant_type": "password", "username": name, "password": PASSWORD}
        return requests.post(self.url + "/token", data=form, timeout=10).json()["access_token"]

    def rotate_to(self, algorithm):
        """The first token of ada that a new key of this algorithm signs."""
        kid = self.run("keys", "generate", "--alg", algorithm).split()[0]
        self.run("keys", "rotate", "--alg", algorithm)
        deadline = time.monotonic() + 20
        while part(token := self.sign_in(), 0)["kid"] != kid:
            if time.monotonic() > deadline:
                raise AssertionError(f"{algorithm} never signs")
            time.sleep(0.05)
        return token

    def sql(self, statement):
        """Runs one statement; the first value of its last row, if it has any."""
        if POSTGRES:
            return psql(self.database, statement)
        connection = sqlite3.connect(self.path / "data" / "tacit.db", timeout=10)
        try:
            with connection:
                row = connection.execute(statement).fetchone()
            return row[0] if row else ""
        finally:
            connection.close()

    def logged(self):
        self.log.seek(0)
        return self.log.read()

    @staticmethod
    def end(process):
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()

    def stop(self):
        self.end(self.process)
        self.log.close()
        if POSTGRES:
            psql(POSTGRES, f"DROP DATABASE {self.name} WITH (FORCE)")
        self.directory.cleanup()
