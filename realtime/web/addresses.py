"""Where a request came from and which address of ours it was sent to.

`Host` is the sender's word. It may decide what its own answer says, never what others are sent: for that there is `public_base`, which
takes a name only from the settings, or from a trusted proxy, which routes by it. `X-Forwarded-Host` is not looked at: proxies hand on
what strangers write there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from starlette.types import Scope

_HOST = re.compile(r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>\d{1,5}))?")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
_PORTS = {"http": "80", "https": "443"}
_LONGEST_HOST = 300
"""Longer ones are none that anybody has."""
_HEADERS = "nowserving.headers"
"""Where a scope keeps them."""


def header(scope: Scope, name: bytes) -> str | None:
    """The value of a request header given once; None when it is absent or given several times."""
    return _headers(scope).get(name)


def given(scope: Scope, name: bytes) -> bool:
    """Whether a request header is there, once or several times."""
    return name in _headers(scope)


def _headers(scope: Scope) -> dict[bytes, str | None]:
    """By name. A request's headers are asked for many times, and read once."""
    known: dict[bytes, str | None] | None = scope.get(_HEADERS)
    if known is None:
        known = scope[_HEADERS] = _by_name(scope)
    return known


def _by_name(scope: Scope) -> dict[bytes, str | None]:
    found: dict[bytes, str | None] = {}
    for name, value in scope["headers"]:
        found[name] = None if name in found else value.decode("latin-1").strip()
    return found


def client(scope: Scope) -> str:
    """What requests of one visitor are counted under: the address; for IPv6 its /64, which one visitor may hold whole."""
    return _counted((scope.get("client") or ("",))[0])


@lru_cache(maxsize=4096)
def _counted(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed, 64), strict=False))
    return str(parsed)


def through_proxy(scope: Scope, trusted_proxies: Sequence[str]) -> bool:
    """Whether the request was handed on by a proxy that is trusted.

    The server puts the visitor's address in the proxy's place, with port 0 (uvicorn's ProxyHeadersMiddleware); no
    connection of its own has that port.
    """
    if not scope.get("client"):
        return False
    address, port = scope["client"]
    return port == 0 or _is_trusted(address, tuple(trusted_proxies))


@lru_cache(maxsize=4096)
def _is_trusted(address: str, trusted_proxies: tuple[str, ...]) -> bool:
    if "*" in trusted_proxies:
        return True
    try:
        parsed = ip_address(address)
        return any(parsed in ip_network(trusted, strict=False) for trusted in trusted_proxies)
    except ValueError:
        return False


def seen_base(scope: Scope, public_url: str) -> str:
    """This server's address as the asker sees it, "https://example.org"; only for what goes back to the asker."""
    if public_url:
        return public_url.rstrip("/")
    return _join(scope["scheme"], _read_host(header(scope, b"host")) or _own_host(scope.get("server")))


def public_base(scope: Scope, public_url: str, trusted_proxies: Sequence[str]) -> str:
    """This server's address as it may be told to others, in a mail, a text message or a QR code; never a name a stranger made up.

    That is `public_url`; else the name a trusted proxy was asked for; else "localhost", if asked for from the same machine; else the address that the connection was made to.
    """
    if public_url:
        return public_url.rstrip("/")
    said, server = header(scope, b"host"), scope.get("server")
    asked = through_proxy(scope, trusted_proxies), _is_near((scope.get("client") or ("",))[0])
    find = _public_base if not said or len(said) <= _LONGEST_HOST else _public_base.__wrapped__
    return find(said, tuple(server) if server else None, scope["scheme"], *asked)


@lru_cache(maxsize=1024)
def _public_base(said: str | None, server: tuple[str, int | None] | None, scheme: str, by_proxy: bool, near: bool) -> str:
    host = _read_host(said)
    if by_proxy or (near and host and _is_loopback(host)):
        return _join(scheme, host or _own_host(server))
    return _join(scheme, _own_host(server))


def own_origin(origin: str, scope: Scope, public_url: str) -> bool:
    """Whether a page of this origin is one of ours: scheme, name and port are the same, letter by letter (RFC 6454 section 5)."""
    return origin.lower() == seen_base(scope, public_url).lower()


def is_secure(scope: Scope, public_url: str) -> bool:
    """Whether the visitor's browser speaks TLS, with us or with the proxy before us."""
    return _SCHEMES[scope["scheme"]] == "https" or public_url.startswith("https://")


def _read_host(value: str | None) -> str | None:
    found = _HOST.fullmatch(value) if value else None
    return found[0] if found and (found["port"] is None or int(found["port"]) < 65_536) else None


def _is_loopback(host: str) -> bool:
    found = _HOST.fullmatch(host)
    return found is not None and found["name"].lower() in _LOOPBACK


@lru_cache(maxsize=4096)
def _is_near(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _own_host(server: tuple[str, int | None] | None) -> str:
    """The address that the connection was made to."""
    name, port = server or ("localhost", None)
    name = f"[{name}]" if ":" in name else name
    return f"{name}:{port}" if port else name


def _join(said: str, host: str) -> str:
    scheme = _SCHEMES[said]
    return f"{scheme}://{host.lower().removesuffix(':' + _PORTS[scheme])}"
