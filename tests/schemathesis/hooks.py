"""Signs schemathesis' requests in: each as a user of its own, since many of them end sessions or change passwords."""

import base64
import itertools
import json
import os
import urllib.parse

import requests
import schemathesis

CALLER = os.environ["SCHEMATHESIS_CALLER"]
PASSWORD = os.environ["SCHEMATHESIS_PASSWORD"]
COUNT = itertools.count()


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Schemathesis leaves the credentials of OAuth 2.0 alone. They are Bearer tokens, and of those it knows how to forge some."""
    raw_schema["components"]["securitySchemes"]["oauth2"] = {"type": "http", "scheme": "bearer"}


@schemathesis.hook
def before_call(context, case, kwargs):
    """A URL-encoded body is a page's form only from somebody who can be shown a page."""
    if case.media_type == "application/x-www-form-urlencoded" and case.path in ("/login", "/register"):
        case.headers["Accept"] = "text/html"


def sign_in(url, name):
    """Signs a user in; whoever is no administrator is registered first."""
    if name != "admin":
        requests.post(f"{url}/register", json={"username": name, "password": PASSWORD}, timeout=10).raise_for_status()
    answer = requests.post(f"{url}/login", json={"username": name, "password": PASSWORD}, timeout=10)
    answer.raise_for_status()
    return answer


if CALLER != "nobody":

    @schemathesis.auth(refresh_interval=None)
    class SignedIn:
        """Proves itself in one of the ways that the operation documents, in turns."""

        def get(self, case, context):
            ways = [way for way in context.operation.definition.raw.get("security", []) if way]
            if not ways:
                return None
            turn = next(COUNT)
            (scheme,) = ways[turn % len(ways)]
            if scheme == "client":
                pair = f"{os.environ['SCHEMATHESIS_CLIENT_ID']}:{os.environ['SCHEMATHESIS_CLIENT_SECRET']}"
                return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
            url = urllib.parse.urljoin(context.operation.base_url, "/").rstrip("/")
            session = sign_in(url, "admin" if case.path == "/admin" else f"{CALLER}{turn}")
            if scheme == "oauth2":
                return {"Authorization": "Bearer " + session.json()["access_token"]}
            if case.path == "/sessions/{id}" and turn % 4 == 0 and case.meta.generation.mode.is_positive:
                # The one session that certainly is this user's.
                claims = session.json()["access_token"].split(".")[1]
                case.path_parameters["id"] = json.loads(base64.urlsafe_b64decode(claims + "=="))["sid"]
            name = "tacit-refresh" if scheme == "refresh_cookie" else "tacit-access"
            return {"Cookie": f"{name}={session.cookies[name]}"}

        def set(self, case, data, context):
            case.headers.update(data or {})
