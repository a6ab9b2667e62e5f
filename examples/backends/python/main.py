"""A protected route in FastAPI. Settings come from the environment; ../README.md has them all."""

import os
import socket
from typing import Annotated

import uvicorn
from fastapi import Depends, FastAPI, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

import tacit

ISSUER = os.environ.get("TACIT_ISSUER", "http://localhost:8080")
AUDIENCE = os.environ.get("TACIT_AUDIENCE", "tacit")
SECRET_FILES = os.environ.get("TACIT_SECRET_FILES")

keys = tacit.SecretKeys(SECRET_FILES.split(",")) if SECRET_FILES else tacit.PublishedKeys(
    os.environ.get("TACIT_JWKS_URL", ISSUER + "/.well-known/jwks.json")
)
revocations = tacit.Revocations(
    os.environ.get("TACIT_REVOCATIONS_URL", ISSUER + "/revocations"),
    client=(os.environ["TACIT_CLIENT_ID"], os.environ["TACIT_CLIENT_SECRET"]),
    wait=int(os.environ.get("TACIT_FEED_WAIT", "30")),
    max_age=float(os.environ.get("TACIT_FEED_MAX_AGE", "60")),
    keep=float(os.environ.get("TACIT_FEED_KEEP", "1020")),
)
verifier = tacit.Verifier(ISSUER, AUDIENCE, keys, revocations)
app = FastAPI()


# Not async: while this waits for keys, FastAPI has other threads.
def signed_in(header: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]):
    """Who asks. A route with this dependency runs for nobody else (RFC 6750, section 3)."""
    if header is None:
        raise HTTPException(401, "Not authenticated", {"WWW-Authenticate": "Bearer"})
    try:
        return verifier.verify(header.credentials)
    except tacit.Refused:
        # Why is nobody else's business.
        challenge = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise HTTPException(401, "Invalid or expired token", challenge) from None
    except tacit.Unavailable:
        raise HTTPException(503, "Try again", {"Retry-After": "1"}) from None


@app.get("/hello")
def hello(user: Annotated[dict, Depends(signed_in)]):
    return {"user_id": user["sub"], "username": user.get("username"), "role": user["role"]}


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT", "9000"))))
    print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])
