"""Messages with a seal on them, so that nobody without this installation's key can make one: HMAC-SHA-256 (RFC 2104), cut to 128 bits."""

from __future__ import annotations

import hmac

SEAL_BYTES = 16
VERSION = b"\x01"
"""Begins what is sealed, so that another form can come one day and be told from this one."""


class NotOurs(Exception):
    """Somebody else's message, or a damaged one."""


def seal(key: bytes, payload: bytes) -> bytes:
    body = VERSION + payload
    return hmac.digest(key, body, "sha256")[:SEAL_BYTES] + body


def opened(key: bytes, message: bytes) -> bytes:
    """The payload. Raises: NotOurs."""
    given, body = message[:SEAL_BYTES], message[SEAL_BYTES:]
    if not body.startswith(VERSION) or not hmac.compare_digest(given, hmac.digest(key, body, "sha256")[:SEAL_BYTES]):
        raise NotOurs
    return body[len(VERSION) :]


def channel(key: bytes) -> str:
    """The channel of the installation with this key. Two that share a server do not hear each other."""
    return "nowserving/" + hmac.digest(key, b"channel", "sha256")[:8].hex()
