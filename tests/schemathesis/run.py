"""Runs schemathesis over /openapi.json of TACIT_BINARY, once as nobody and once signed in: the rules are in schemathesis.toml.

On PostgreSQL when TACIT_TEST_POSTGRES is set, else on SQLite.
"""

import os
import pathlib
import subprocess
import sys

# Seconds after which a run has hung; it takes about half a minute.
LIMIT = 400

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "clients"))

from service import PASSWORD, Service  # noqa: E402

os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


def check(service, caller):
    """One run, in which the hooks sign requests in as `caller`."""
    print(f"\n==== as {caller} ====", flush=True)
    grants = ["--grant", "password", "--grant", "refresh_token", "--grant", "client_credentials"]
    client_id, client_secret = service.new_client(caller, *grants, "--scope", "read")
    environment = {
        **os.environ,
        "SCHEMATHESIS_CALLER": caller,
        "SCHEMATHESIS_PASSWORD": PASSWORD,
        "SCHEMATHESIS_CLIENT_ID": client_id,
        "SCHEMATHESIS_CLIENT_SECRET": client_secret,
        "SCHEMATHESIS_HOOKS": "hooks",
        "PYTHONPATH": str(HERE),
    }
    command = [pathlib.Path(sys.executable).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml",
               "run", service.url + "/openapi.json", *sys.argv[1:]]
    if caller == "nobody":
        # Which routes never let it in is no surprise.
        command += ["--warnings", "off"]
    # Whatever it wants to keep goes into the service's own directory.
    return subprocess.run(command, env=environment, cwd=service.path, check=False, timeout=LIMIT).returncode


def main():
    service = Service(passwords__hash_queue="400")
    try:
        service.run("user", "create", "admin", "--role", "admin", stdin=PASSWORD)
        service.run("user", "create", "ada", stdin=PASSWORD)
        failed = [caller for caller in ("nobody", "somebody") if check(service, caller) != 0]
    finally:
        service.stop()
    print("failed as " + " and ".join(failed) if failed else "every answer was as the document says")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
