"""Addresses that somebody else chose: what may be one, and which of them lead to the public internet."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

_EMBEDDED = ip_network("64:ff9b::/96")
"""NAT64 (RFC 6052): the last four bytes are an IPv4 address."""


class Leads(Enum):
    """Where a host is, as far as its name tells; what a name stands for is looked up, and checked, at each attempt."""

    OUTSIDE = auto()
    ALLOWED = auto()
    """In a network that may be called although it is private; plain http will do there."""
    INSIDE = auto()
    """In a private network."""


class Forbidden(Exception):
    """The address is none that may be called."""


def is_public(address: str, allowed: Iterable[str] = ()) -> bool:
    """Whether an IP address is on the public internet, or in one of the networks that are allowed all the same."""
    ip: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if any(ip in ip_network(network, strict=False) for network in allowed):
        return True
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _EMBEDDED else None)
        if inner is not None:
            return is_public(str(inner), allowed)
    return ip.is_global and not ip.is_multicast


def is_address(host: str) -> bool:
    """Whether a host is named by an IP address, so that there is no name to look up."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def leads(host: str, allowed: Iterable[str] = ()) -> Leads:
    """Where a host is that an address names."""
    host = host.rstrip(".")
    address = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    try:
        if is_public(address):
            return Leads.OUTSIDE
        return Leads.ALLOWED if is_public(address, allowed) else Leads.INSIDE
    except ValueError:  # a name
        return Leads.OUTSIDE


def check(url: str) -> str:
    """The host and port that an address names, "example.org" or "example.org:8080". Raises: Forbidden."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if (
        parts.scheme not in ("http", "https")
        or not host
        or parts.username is not None
        or not url.isascii()
        or not url.isprintable()
        or " " in url
        or "\\" in url
    ):
        raise Forbidden("This is no http:// or https:// address without a user name.")
    return f"{host}:{port}" if port else host
