"""What signs a webhook's events, as Standard Webhooks 1.0 has it: a secret that both sides know, or a key pair of which the receiver knows half.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import importlib.util

SECRET_BYTES = 32
HMAC, ED25519 = "hmac", "ed25519"
_PREFIX = {HMAC: "whsec_", ED25519: "whsk_"}
_PUBLIC = "whpk_"


def offered() -> bool:
    """Whether this installation can sign with ed25519. Looks at the disk."""
    return importlib.util.find_spec("cryptography") is not None


def make(signing: str, random: bytes) -> str:
    """A new one of 32 random bytes: "whsec_" and their base64, or "whsk_" and base64 of an Ed25519 seed with its public key behind it (RFC 8032),
    so that the public one can be shown without any library. May load a library: not for the event loop.

    Raises:
        ImportError: there is no library for it here.
    """
    if signing == ED25519:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # it takes a while, and may not be installed

        random += Ed25519PrivateKey.from_private_bytes(random).public_key().public_bytes_raw()
    return _PREFIX[signing] + base64.b64encode(random).decode()


def signing_of(secret: str) -> str:
    """The kind of signature that is made with it."""
    return ED25519 if secret.startswith(_PREFIX[ED25519]) else HMAC


def public(secret: str) -> str:
    """The half of a key pair that the receiver knows: "whpk_" and base64. Empty where there is none."""
    if signing_of(secret) != ED25519:
        return ""
    return _PUBLIC + base64.b64encode(base64.b64decode(secret.removeprefix(_PREFIX[ED25519]))[SECRET_BYTES:]).decode()


def shared(secret: str) -> str:
    """What both sides know; empty for a key pair, whose private half nobody is shown."""
    return "" if signing_of(secret) == ED25519 else secret
