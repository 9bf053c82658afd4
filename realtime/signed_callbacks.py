"""What whoever calls back without a provider's own signature signs with: a secret of the settings, over the time, the kind and the body.

With the same secret goes a mark into each mail's Message-ID, by which a mail that comes back is known for ours: a stranger who writes to the
mailbox of bounces can make up a report, but no mark.
"""

from __future__ import annotations

import base64
import hmac
import re

from realtime.outcomes import Callback

HEADER = "Nowserving-Signature"
TOLERANCE_S = 300
_STAMP = re.compile(r"t=([0-9]{1,12}),v1=([0-9a-f]{64})")
_OURS = re.compile(r"<?([A-Za-z0-9_-]{1,160})\.([a-z2-7]{26})@")
_MARK_BYTES = 16


def sign(secret: str, kind: str, body: bytes, at_s: int) -> str:
    """The value of `Nowserving-Signature`: HMAC-SHA256 over the time, the kind and the body, with dots between."""
    mac = hmac.digest(secret.encode(), f"{at_s}.{kind}.".encode() + body, "sha256").hex()
    return f"t={at_s},v1={mac}"


def fits(secret: str, callback: Callback, now_s: float) -> bool:
    """Whether a request was signed with the secret within the last five minutes."""
    stamp = _STAMP.fullmatch(callback.headers.get(HEADER.lower(), ""))
    if stamp is None or abs(int(stamp[1]) - now_s) > TOLERANCE_S:
        return False
    return hmac.compare_digest(stamp[0].encode(), sign(secret, callback.kind, callback.body, int(stamp[1])).encode())


def mark(secret: str, delivery_id: str, recipient: str) -> str:
    """What stands behind a delivery's id in its Message-ID: 26 characters of base32."""
    text = f"message-id\0{delivery_id}\0{recipient.strip().lower()}"
    mac = hmac.digest(secret.encode(), text.encode("utf-8", "surrogatepass"), "sha256")[:_MARK_BYTES]
    return base64.b32encode(mac).decode().rstrip("=").lower()


def delivery_of(secret: str, message_id: str, recipient: str) -> str:
    """The delivery that a mail of ours to somebody carried; empty where it is none of ours, or went to somebody else."""
    found = _OURS.match(message_id.strip())
    if found is None or not hmac.compare_digest(found[2].encode(), mark(secret, found[1], recipient).encode()):
        return ""
    return found[1]
