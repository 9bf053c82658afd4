"""Every secret a person or a browser holds, made from one key: join codes, ticket and board tokens, mail links, JWTs, signatures.

Whatever can be derived is derived (HMAC-SHA-256, 128 bits and more, one key per purpose, parts separated by NUL), so that
nothing secret has to be stored to be shown again. JWTs follow RFC 8725: one algorithm, typed, audience and expiry checked.
"""

from __future__ import annotations

import hashlib
import hmac
from binascii import b2a_base64
from typing import Any

from realtime.errors import CodeExpired, LinkExpired, NotFound, NotSignedIn, TicketNotFound

_ALGORITHM = "HS256"
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_URLSAFE = bytes.maketrans(b"+/", b"-_")
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
"""The two pads of HMAC (RFC 2104 section 2)."""


def digest(text: str) -> str:
    """What is stored instead of a secret: its SHA-256 in hex. Enough for secrets of 128 random bits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def marked(key: bytes, name: str) -> bytes:
    """9 bytes that stand for a name, and say nothing of what it is to who does not have the key."""
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=9, key=key).digest()


class Keys:
    """All secrets of one installation.

    Args:
        secret: the installation's secret key, at least 32 random bytes as text.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._keys: dict[str, bytes] = {}
        """One for each purpose, made when it is first needed."""
        self._heads: dict[str, str] = {}
        self._begun: dict[str, tuple[hashlib._Hash, hashlib._Hash]] = {}
        """HMAC's inner and outer hash with the key already in them: the rest costs a third of a whole one."""

    def _key(self, purpose: str) -> bytes:
        known = self._keys.get(purpose)
        if known is None:
            known = self._keys[purpose] = hmac.digest(self._secret, b"nowserving\0" + purpose.encode(), "sha256")
        return known

    def _mac(self, purpose: str, *parts: str) -> str:
        begun = self._begun.get(purpose)
        if begun is None:
            key = self._key(purpose).ljust(64, b"\0")
            begun = self._begun[purpose] = hashlib.sha256(key.translate(_INNER)), hashlib.sha256(key.translate(_OUTER))
        inner, outer = begun[0].copy(), begun[1].copy()
        inner.update("\0".join(parts).encode("utf-8", "surrogatepass"))
        outer.update(inner.digest())
        return b2a_base64(outer.digest()[:16]).translate(_URLSAFE, b"=\n").decode()

    def _is(self, given: str, purpose: str, *parts: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self._mac(purpose, *parts).encode())

    # ---- join codes

    def code(self, store_id: str, number: int) -> str:
        """The text of a store's join code with this number."""
        return f"{store_id}.{self._mac('code', store_id, str(number))}"

    def code_hash(self, store_id: str, number: int) -> str:
        return digest(self.code(store_id, number))

    @staticmethod
    def store_of_code(code: str) -> str:
        """The store a code is for.

        Raises:
            CodeExpired: it does not look like a code at all.
        """
        store_id, dot, rest = code.partition(".")
        if not (dot and rest and store_id.isascii() and store_id.isalnum()):
            raise CodeExpired
        return store_id

    def pass_hash(self, code: str, key: str) -> str:
        """Stands for one phone's right to a code it scanned; `key` is the phone's own secret."""
        # The key is whatever a phone sent, so it goes in hashed: no NUL in it can shift the border between the two.
        return digest(self._mac("pass", code, digest(key)))

    # ---- tickets and boards

    def ticket_token(self, store_id: str, ticket_id: int) -> str:
        return f"{store_id}.{ticket_id}.{self._mac('ticket', store_id, str(ticket_id))}"

    def read_ticket_token(self, token: str) -> tuple[str, int]:
        """The store and ticket a token is for.

        Raises:
            TicketNotFound: it is not a token of ours.
        """
        parts = token.split(".")
        if len(parts) != 3 or not parts[1].isascii() or not parts[1].isdigit() or len(parts[1]) > 18:
            raise TicketNotFound
        if not self._is(parts[2], "ticket", parts[0], parts[1]):
            raise TicketNotFound
        return parts[0], int(parts[1])

    def board_token(self, account_id: str) -> str:
        """For the boards of an account: of its open store, and of the next one."""
        return f"board.{account_id}.{self._mac('board', account_id)}"

    def read_board_token(self, token: str) -> str:
        """The account whose boards may be seen with this token.

        Raises:
            NotSignedIn: it is not a token of ours.
        """
        parts = token.split(".")
        if len(parts) != 3 or parts[0] != "board" or not self._is(parts[2], "board", parts[1]):
            raise NotSignedIn
        return parts[1]

    # ---- links in mails

    def link_token(self, purpose: str, link_id: str) -> str:
        return f"{link_id}.{self._mac('link', purpose, link_id)}"

    def read_link_token(self, purpose: str, token: str) -> str:
        """The id of the link a mail carried.

        Raises:
            LinkExpired: it is not a token of ours for this purpose.
        """
        link_id, _, mac = token.partition(".")
        if not self._is(mac, "link", purpose, link_id):
            raise LinkExpired
        return link_id

    # ---- recipients

    def recipient_hash(self, recipient: str) -> str:
        """What is stored of somebody who wants no messages: without the secret key nobody can try addresses against it."""
        return self._mac("recipient", recipient.strip().lower())

    def message_hash(self, notifier: str, message: str) -> str:
        """What is stored of a provider's own id of a message, which may be anything."""
        return self._mac("message", notifier, message)

    def stop_token(self, channel: str, recipient: str) -> str:
        """For whoever was sent something over a channel, to stop it; it names nobody."""
        hashed = self.recipient_hash(recipient)
        return f"{channel}.{hashed}.{self._mac('stop', channel, hashed)}"

    def read_stop_token(self, token: str) -> tuple[str, str]:
        """The channel, and the recipient's hash.

        Raises:
            NotFound: it is not a token of ours.
        """
        channel, _, rest = token.partition(".")
        hashed, _, mac = rest.partition(".")
        if not self._is(mac, "stop", channel, hashed):
            raise NotFound
        return channel, hashed

    # ---- JWTs

    def _jwt(self, kind: str, claims: dict[str, Any], now_ms: int, minutes: int) -> str:
        import jwt  # with it comes cryptography

        issued = now_ms // 1000
        body = {**claims, "aud": f"nowserving/{kind}", "iat": issued, "exp": issued + minutes * 60}
        return jwt.encode(body, self._key(f"jwt/{kind}"), _ALGORITHM, {"typ": f"{kind}+jwt"})

    def _head(self, kind: str) -> str:
        """What every JWT of a kind begins with: by that alone another kind's is known, before anything of it is decoded."""
        known = self._heads.get(kind)
        if known is None:
            known = self._heads[kind] = self._jwt(kind, {}, 0, 0).partition(".")[0] + "."
        return known

    def _read_jwt(self, kind: str, token: str, now_ms: int) -> dict[str, Any]:
        if not token.startswith(self._head(kind)):
            raise NotSignedIn
        import jwt

        try:
            # Expiry is checked below, against the clock that was passed in.
            options: Any = {"require": ["sub", "aud", "exp"], "verify_exp": False, "verify_iat": False}
            read = jwt.decode_complete(token, self._key(f"jwt/{kind}"), [_ALGORITHM], options, audience=f"nowserving/{kind}")
        except (jwt.PyJWTError, ValueError, UnicodeError) as error:
            raise NotSignedIn from error
        claims: dict[str, Any] = read["payload"]
        expires = claims["exp"]
        if read["header"].get("typ") != f"{kind}+jwt" or not isinstance(expires, int) or expires * 1000 <= now_ms:
            raise NotSignedIn
        return claims

    def access_token(self, account_id: str, now_ms: int, minutes: int) -> str:
        return self._jwt("access", {"sub": account_id}, now_ms, minutes)

    def read_access_token(self, token: str, now_ms: int) -> tuple[str, int]:
        """The account that is signed in, and when that ends (ms).

        Raises:
            NotSignedIn: the token is not ours, of another kind, or too old.
        """
        claims = self._read_jwt("access", token, now_ms)
        return str(claims["sub"]), int(claims["exp"]) * 1000

    def live_token(self, store_id: str, ticket_id: int, now_ms: int, minutes: int) -> str:
        """For one ticket's socket only, so that a page never has to hold the ticket's own secret."""
        return self._jwt("live", {"sub": f"{store_id}.{ticket_id}"}, now_ms, minutes)

    def read_live_token(self, token: str, now_ms: int) -> tuple[str, int, int]:
        """Store, ticket and end (ms) of a ticket's socket.

        Raises:
            NotSignedIn: the token is not ours, of another kind, or too old.
        """
        claims = self._read_jwt("live", token, now_ms)
        store_id, _, ticket_id = str(claims["sub"]).partition(".")
        return store_id, int(ticket_id), int(claims["exp"]) * 1000

    # ---- plugins

    def plugin_secret(self, name: str) -> bytes:
        """32 secret bytes for a plugin: the same after a restart and in every process."""
        return self._key(f"plugin/{name}")

    # ---- other processes

    def broker_key(self) -> bytes:
        """32 secret bytes that seal what processes tell each other."""
        return self._key("broker")

    def mark(self, name: str) -> str:
        """Stands for a name among processes, and says nothing of what it is."""
        return marked(self.broker_key(), name).hex()

    # ---- receipts

    def sign(self, text: str) -> str:
        """HMAC-SHA-256 of a text, in hex. Proves later that this installation wrote it."""
        return hmac.digest(self._key("receipt"), text.encode(), "sha256").hex()

    def signed(self, text: str, signature: str) -> bool:
        return hmac.compare_digest(self.sign(text).encode(), signature.encode("utf-8", "surrogatepass"))
