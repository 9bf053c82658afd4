"""A browser as push services and servers see it: a subscription with keys of its own, which reads what was encrypted for it."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import http_ece
import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from realtime.model import Subscription
from realtime.push import subscription_id
from realtime.testing import SinkRequest
from tests.support.sink import Request


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Subscriber:
    """Subscribed at a push service, which is `url`."""

    def __init__(self, url: str = "https://push.example.com") -> None:
        self._private = generate_private_key(SECP256R1())
        self._auth = secrets.token_bytes(16)
        self.url = url
        self.endpoint = f"{url}/send/{secrets.token_urlsafe(24)}"
        self.id = subscription_id(self.endpoint)

    @property
    def p256dh(self) -> str:
        return encoded(self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def json(self) -> dict[str, Any]:
        """As `PushSubscription.toJSON()` writes it."""
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": {"p256dh": self.p256dh, "auth": encoded(self._auth)}}

    def row(self) -> Subscription:
        return Subscription(self.id, self.endpoint, self.p256dh, encoded(self._auth))

    def read(self, request: Request | SinkRequest) -> dict[str, Any]:
        """The message in a request, by an implementation that is not ours."""
        assert request.headers["content-encoding"] == "aes128gcm"
        assert self.endpoint.endswith(request.path)
        plain = http_ece.decrypt(request.body, private_key=self._private, auth_secret=self._auth, version="aes128gcm")
        message: dict[str, Any] = json.loads(plain)
        return message


def who_sent(request: Request, key: str, audience: str, now_s: float) -> str:
    """Whom a push service may ask about a request, once it has checked it as RFC 8292 says: the token is signed with `key`."""
    scheme, _, rest = request.headers["authorization"].partition(" ")
    parts = dict(part.strip().split("=", 1) for part in rest.split(","))
    assert scheme == "vapid"
    assert parts["k"] == key
    public = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), decoded(key))
    claims = jwt.decode(parts["t"], public, ["ES256"], audience=audience, options={"verify_exp": False})
    assert now_s < claims["exp"] <= now_s + 24 * 3600
    return str(claims["sub"])
