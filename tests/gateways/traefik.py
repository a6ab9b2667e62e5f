"""The example for Traefik, of which no package holds a binary: what can be checked without one.

Both files parse, every name that is used is defined and the other way round, paths lead to the router that they should, and
the regular expression takes away what a client must not say. It does not show that Traefik does what its documentation says.
"""

import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples/gateways/traefik"

static = yaml.safe_load((EXAMPLE / "traefik.yml").read_text())
http = yaml.safe_load((EXAMPLE / "dynamic.yml").read_text())["http"]
assert (EXAMPLE / static["providers"]["file"]["filename"]).is_file()

# Names.
routers, middlewares, services = http["routers"], http["middlewares"], http["services"]
used = {name for router in routers.values() for name in router.get("middlewares", [])}
assert used == set(middlewares), used ^ set(middlewares)
assert {router["service"] for router in routers.values()} == set(services)
transports = {service["loadBalancer"].get("serversTransport") for service in services.values()} - {None}
assert transports == set(http["serversTransports"])
for middleware in middlewares.values():
    assert set(middleware) <= {"forwardAuth", "headers", "ipAllowList"}, middleware

# Routes.
def matches(rule, path, method, headers):
    """Traefik's rule language, as far as the example goes."""
    for part in rule.split(" && "):
        name, arguments = re.fullmatch(r"(\w+)\((.*)\)", part).groups()
        arguments = re.findall(r"`([^`]*)`", arguments)
        holds = {
            "PathRegexp": lambda: re.search(arguments[0], path),
            "PathPrefix": lambda: path.startswith(arguments[0]),
            "Method": lambda: method == arguments[0],
            "HeaderRegexp": lambda: arguments[0] in headers and re.search(arguments[1], headers[arguments[0]]),
        }[name]()
        if not holds:
            return False
    return True


def route(path, method="GET", headers={}):
    found = [(router["priority"], name) for name, router in routers.items() if matches(router["rule"], path, method, headers)]
    best = max(found)[0]
    names = [name for priority, name in found if priority == best]
    assert len(names) == 1, (path, names)
    return names[0]


for path in ["/verify", "/verify/", "/verify/nginx", "/verify/access/role/admin", "/Verify"]:
    assert route(path) == "verify", path
for path in ["/login", "/logout/all", "/assets/tacit/style.css", "/refresh", "/me/password", "/sessions/1", "/account", "/register"]:
    assert route(path) == "tacit", path
PREFLIGHT = {"Access-Control-Request-Method": "POST"}
for path, method, headers, expected in [
    ("/api/x", "GET", {}, "everything"),
    ("/loginx", "GET", {}, "everything"),
    ("/verifyx", "GET", {}, "everything"),
    ("/public/x", "GET", {}, "public"),
    ("/slow/x", "POST", {}, "slow"),
    ("/admin/x", "GET", {}, "admin"),
    ("/api/x", "OPTIONS", PREFLIGHT, "preflight"),
    ("/api/x", "OPTIONS", {}, "everything"),
    ("/api/x", "GET", {"Upgrade": "websocket"}, "websocket"),
    ("/admin/x", "GET", {"Upgrade": "websocket"}, "admin"),
]:
    assert route(path, method, headers) == expected, path
assert middlewares["nobody"]["ipAllowList"]["rejectStatusCode"] == 404

# Whatever is asked about: the same answer is taken, and what the client says never.
asked = [middleware["forwardAuth"] for middleware in middlewares.values() if "forwardAuth" in middleware]
guarded = [name for name in routers if any("forwardAuth" in middlewares[m] for m in routers[name].get("middlewares", []))]
assert sorted(guarded) == ["admin", "everything", "slow", "websocket"]
cookies = re.findall(r'(?:access|refresh): "([^"]+)"', (ROOT / "src/routers/cookies.rs").read_text())
mounts = re.findall(r'route\("(/verify[^"]*)"', (ROOT / "src/routers/mod.rs").read_text())
for forward in asked:
    pattern = forward["authResponseHeadersRegex"]
    for name in ["X-Auth-User-Id", "X_auth_user", "X.auth.roles", "X~auth~foo", "Authorization", "X-Auth-Foo"]:
        assert re.search(pattern, name), name
    for name in ["X-Request-Id", "Cookie", "Set-Cookie", "X-Forwarded-For", "Proxy-Authorization"]:
        assert not re.search(pattern, name), name
    assert set(forward["addAuthCookiesToResponse"]) == set(cookies), cookies
    mount = forward["address"].split("}}")[1]
    assert mount in mounts or re.sub(r"/role/.*", "/role/{role}", mount) in mounts, mount
for name in routers:
    chain = routers[name].get("middlewares", [])
    if name not in ("tacit", "verify"):
        assert "no-cookies" in chain and ("own-connection" in chain or "upgrade-only" in chain), name
for name in ("everything", "admin"):
    assert "no-cache" in routers[name]["middlewares"], name

print(f"the example for Traefik: {len(routers)} routers, {len(middlewares)} middlewares, as they should be; it was not run")
