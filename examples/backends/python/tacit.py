"""Verifies Tacit's access tokens in this process: no request to Tacit for a request of yours.

`Keys` knows the keys, `Revocations` knows what ended early, and `Verifier` puts both together.
"""

import hashlib
import hmac
import threading
import time

import httpx
import jwt


class Refused(Exception):
    """This token is not good: 401."""


class Unavailable(Exception):
    """Whether a token is good cannot be known right now: 503, never yes."""


class SecretKeys:
    """HS256: the secrets that Tacit signs and verifies with. Whoever has one can also make tokens."""

    def __init__(self, paths):
        self.keys = {}
        for path in paths:
            with open(path, encoding="utf-8") as file:
                secret = file.read().strip().encode()
            # Tacit names the key of a token in its header, by this.
            kid = hmac.new(secret, b"tacit kid", hashlib.sha256).hexdigest()[:16]
            self.keys[kid] = (secret, "HS256")

    def find(self, kid):
        return self.keys.get(kid)


class PublishedKeys:
    """EdDSA and ES256: the public keys at /.well-known/jwks.json. They verify, and cannot make a token."""

    def __init__(self, url):
        # Fetched anew every five minutes, so that a retired key is forgotten, and for an unknown key at once, but only
        # once a second: anybody can name unknown keys.
        self.client = jwt.PyJWKClient(url, timeout=5, lifespan=300, cooldown_duration=1)

    def find(self, kid):
        try:
            key = self.client.get_signing_key(kid)
        except jwt.PyJWKClientConnectionError as error:
            raise Unavailable("the keys cannot be fetched") from error
        except jwt.PyJWKClientError:
            return None
        # One algorithm for each key: a token cannot choose another.
        return key.key, key.algorithm_name


class Revocations:
    """What Tacit ended before its time: a thread asks /revocations, and Tacit answers as soon as there is news."""

    # After news. Of several replicas one knows it up to a second before the others, and each would answer at once.
    PAUSE = 0.25

    def __init__(self, url, client, wait=30, max_age=60, keep=1020):
        self.url, self.client, self.wait, self.max_age, self.keep = url, client, wait, max_age, keep
        # When each session was last listed, and of each user the version and when it was.
        self.sessions, self.users = {}, {}
        self.heard = float("-inf")
        threading.Thread(target=self.follow, daemon=True).start()

    def follow(self):
        etag = None
        with httpx.Client(auth=self.client, timeout=self.wait + 10) as http:
            while True:
                headers = {"If-None-Match": etag} if etag else {}
                try:
                    answer = http.get(self.url, params={"wait": self.wait}, headers=headers)
                    if answer.status_code == 200:
                        self.add(answer.json())
                        etag = answer.headers["ETag"]
                    elif answer.status_code != 304:
                        answer.raise_for_status()
                    self.heard = time.monotonic()
                    if answer.status_code == 200:
                        time.sleep(self.PAUSE)
                except (httpx.HTTPError, ValueError, KeyError):
                    time.sleep(1)

    def add(self, news):
        """What is not listed any more stays for a while: this may be the answer of a replica that knows less."""
        now = time.monotonic()
        sessions = {sid: at for sid, at in self.sessions.items() if now - at < self.keep}
        users = {sub: known for sub, known in self.users.items() if now - known[1] < self.keep}
        sessions |= {session["sid"]: now for session in news["sessions"]}
        for user in news["users"]:
            users[user["sub"]] = max(users.get(user["sub"], (0, now)), (user["ver"], now))
        self.sessions, self.users = sessions, users

    def check(self, claims):
        # Tacit is away: what was heard last counts for a while, and then nobody is let in.
        if time.monotonic() - self.heard > self.max_age:
            raise Unavailable("revocations were not heard of for too long")
        if claims["sid"] in self.sessions:
            raise Refused("the session has ended")
        # Raised when a user is disabled, gets another role or another name.
        if claims["ver"] < self.users.get(claims["sub"], (0, 0))[0]:
            raise Refused("the user has changed")


class Verifier:
    def __init__(self, issuer, audience, keys, revocations):
        self.issuer, self.audience, self.keys, self.revocations = issuer, audience, keys, revocations

    def verify(self, token):
        """The claims of a good token of a user."""
        try:
            header = jwt.get_unverified_header(token)
            if header.get("typ") != "at+jwt":
                raise Refused("not an access token")
            found = self.keys.find(header.get("kid"))
            if found is None:
                raise Refused("an unknown key")
            key, algorithm = found
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self.issuer,
                audience=self.audience,
                # sid and ver are in the tokens of users, and not in those that a client gets for itself.
                # iat is not compared: Tacit's clock may be ahead of this one.
                options={"require": ["exp", "iss", "aud", "sub", "sid", "ver"], "verify_iat": False},
            )
        except jwt.PyJWTError as error:
            raise Refused(str(error)) from error
        self.revocations.check(claims)
        return claims
