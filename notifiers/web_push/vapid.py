"""How this server says who it is to push services: VAPID (RFC 8292), a signed token and the public key that checks it."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key

from notifiers.web_push.sealing import point

GOOD_FOR_S = 12 * 3600
"""At most a day is allowed."""
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group on P-256."""


class Vapid:
    """One key pair for this installation, the same after a restart and in every process, for it is made from a secret.

    Args:
        secret: 32 secret bytes.
        contact: "mailto:..." or "https://...", for whoever runs a push service.
    """

    def __init__(self, secret: bytes, contact: str) -> None:
        # 512 bits, so that taking the rest of a division favours no number (FIPS 186-5, A.2.1).
        seed = int.from_bytes(hashlib.sha512(b"vapid\0" + secret).digest())
        self._private = derive_private_key(seed % (_ORDER - 1) + 1, SECP256R1())
        self._contact = contact
        self.public_key = base64.urlsafe_b64encode(point(self._private.public_key())).rstrip(b"=").decode()
        """Base64url of an uncompressed point, as browsers take it."""

    def authorization(self, endpoint: str, now_s: float) -> str:
        """The header for a request to this endpoint."""
        parts = urlsplit(endpoint)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}".lower(), "exp": int(now_s) + GOOD_FOR_S, "sub": self._contact}
        return f"vapid t={jwt.encode(claims, self._private, 'ES256')}, k={self.public_key}"
