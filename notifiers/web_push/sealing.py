"""Message encryption for Web Push (RFC 8291): nobody between this server and the browser can read what is sent."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ec import ECDH, SECP256R1, EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD_BYTES = 4096
MOST_BYTES = RECORD_BYTES - 103
"""What fits into one message (RFC 8291 section 4): a record less header, padding delimiter and tag."""
_LAST_RECORD = b"\x02"


def seal(plain: bytes, p256dh: bytes, auth: bytes, own: EllipticCurvePrivateKey, salt: bytes) -> bytes:
    """The body of a push message, content coding "aes128gcm" (RFC 8188 section 2).

    Args:
        plain: at most `MOST_BYTES`.
        p256dh, auth: the browser's public key, 65 bytes, and its secret, 16 bytes.
        own: a key pair made for this message alone.
        salt: 16 random bytes.

    Raises:
        ValueError: the public key is none, or the text is too long.
    """
    if len(plain) > MOST_BYTES:
        raise ValueError("more than one record")
    theirs = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), p256dh)
    ours = point(own.public_key())
    shared = own.exchange(ECDH(), theirs)
    # RFC 8291 section 3.4.
    secret = _derive(auth, shared, b"WebPush: info\0" + p256dh + ours, 32)
    key = _derive(salt, secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, secret, b"Content-Encoding: nonce\0", 12)
    header = salt + RECORD_BYTES.to_bytes(4) + len(ours).to_bytes(1) + ours
    return header + AESGCM(key).encrypt(nonce, plain + _LAST_RECORD, None)


def point(key: EllipticCurvePublicKey) -> bytes:
    """A public key as an uncompressed point, 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _derive(salt: bytes, secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(secret)
