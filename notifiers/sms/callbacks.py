"""What a gateway tells later, if it is the gateway: Twilio's signature, or one of our own for whatever stands before another gateway."""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from notifiers.sms import meaning
from realtime.hookspecs import Arrival, Callback, Wish
from realtime.signed_callbacks import fits

E164 = re.compile(r"\+[1-9][0-9]{6,14}")
MOST_FIELDS = 100
_ARRIVED = {"delivered": True, "read": True, "undelivered": False, "failed": False, "canceled": False}
"""Statuses after which nothing else comes. The others - queued, sending, sent - say nothing about the phone."""
_STOP = frozenset({"STOP", "STOPP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"})
_START = frozenset({"START", "UNSTOP", "YES"})

Pairs = Sequence[tuple[str, str]]


def twilio_signature(token: str, url: str, fields: Pairs) -> str:
    """HMAC-SHA1 over the URL and the sorted fields, each name followed by its values; a value that comes twice counts once.

    https://www.twilio.com/docs/usage/security#validating-requests
    """
    text = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), text.encode("utf-8", "surrogateescape"), "sha1")).decode()


class TwilioCallbacks:
    """From Twilio. It signs no time, so an old request may come again; it can only say once more what it said."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, callback: Callback) -> list[Arrival | Wish] | None:
        fields = _fields(callback.body)
        given = callback.headers.get("x-twilio-signature", "")
        if fields is None or not _same(given, twilio_signature(self._token, callback.url, fields)):
            return None
        # The address is signed too, so what it carries can be believed.
        return _read(callback.kind, {**dict(parse_qsl(urlsplit(callback.url).query)), **dict(fields)})


class OwnCallbacks:
    """From whatever has the secret, and signed with it within the last five minutes."""

    def __init__(self, secret: str, clock: Callable[[], float] = time.time) -> None:
        self._secret = secret
        self._clock = clock

    def __call__(self, callback: Callback) -> list[Arrival | Wish] | None:
        if not fits(self._secret, callback, self._clock()):
            return None
        fields = _fields(callback.body)
        if fields is None:
            return None
        return _read(callback.kind, dict(fields))


def _fields(body: bytes) -> Pairs | None:
    """None where it is no form. Bytes that are no UTF-8 are kept as they are, for they were signed."""
    try:
        return parse_qsl(body.decode("latin-1"), True, errors="surrogateescape", max_num_fields=MOST_FIELDS)
    except ValueError:
        return None


def _same(given: str, right: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())


def _read(kind: str, fields: Mapping[str, str]) -> list[Arrival | Wish]:
    """What a signed request tells; nothing where it tells nothing that we know."""
    return _status(fields) if kind == "status" else _answer(fields)


def _status(fields: Mapping[str, str]) -> list[Arrival | Wish]:
    recipient, delivery = _number(fields.get("To", "")), fields.get("delivery", "")
    arrived = _ARRIVED.get(fields.get("MessageStatus", fields.get("SmsStatus", "")).lower())
    if arrived is None or not (recipient or delivery):
        return []
    said = fields.get("ErrorCode", "")
    code = int(said) if said.isascii() and said.isdigit() and len(said) < 7 else 0
    why = "" if arrived else meaning.WHY.get(code, f"The gateway gives the code {code}." if code else "The gateway does not say why.")
    message = (fields.get("MessageSid") or fields.get("SmsSid") or "")[:160]
    # The phone's receipt is proof; that it was not reached, the network may only have supposed.
    told: list[Arrival | Wish] = [Arrival(arrived, delivery[:160], recipient, why, message, outranks=arrived)]
    if code == meaning.OPTED_OUT and recipient:
        told.append(Wish(recipient, wanted=False))
    return told


def _answer(fields: Mapping[str, str]) -> list[Arrival | Wish]:
    sender = _number(fields.get("From", ""))
    word = " ".join((fields.get("OptOutType") or fields.get("Body", ""))[:40].upper().split()).strip(" .!\"'")
    if not sender or word not in _STOP | _START:
        return []
    return [Wish(sender, wanted=word in _START)]


def _number(said: str) -> str:
    """E.164, or empty."""
    number = said.rpartition(":")[2].strip()
    return number if E164.fullmatch(number) else ""
