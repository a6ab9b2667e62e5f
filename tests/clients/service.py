"""The binary, running for these tests on a free port, with a database of its own."""

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
        self.process = subprocess.Popen(
            self.command("serve", "--migrate", "--listen", "127.0.0.1:0"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log, **self.surroundings(),
        )
        first = self.process.stdout.readline()
        found = re.match(r"Tacit listens on (http://\S+)", first)
        if not found:
            self.process.kill()
            raise RuntimeError(f"{BINARY} did not start: {first}{self.logged()}")
        self.url = found.group(1)
        # Whatever else it prints needs a reader.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        deadline = time.monotonic() + 20
        while requests.get(self.url + "/readyz", timeout=5).status_code != 200:
            if time.monotonic() > deadline:
                raise RuntimeError("never ready: " + self.logged())
            time.sleep(0.05)

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

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.log.close()
        if POSTGRES:
            psql(POSTGRES, f"DROP DATABASE {self.name} WITH (FORCE)")
        self.directory.cleanup()
