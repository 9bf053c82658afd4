"""Twilio, spoken to directly: Apprise cannot ask it to tell later whether a message arrived, nor to drop one that would come too late."""

from __future__ import annotations

import base64
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import msgspec

from notifiers.sms import meaning
from realtime.hookspecs import Accepted, Outcome, OutgoingDelivery, Retry

if TYPE_CHECKING:
    from realtime.outbound import Answer, Outbound

API = "https://api.twilio.com"
LONGEST_VALIDITY_S = 14_400
_SID = re.compile(r"AC[0-9a-fA-F]+")
_FROM = re.compile(r"\+?([0-9]{5,15})")


class Account(msgspec.Struct, frozen=True):
    """What `twilio://SID:TOKEN@FROM?apikey=KEY` says."""

    sid: str
    token: str
    sender: str
    """E.164, or a short code."""
    api_key: str = ""
    """With one, `token` is its secret, and not what Twilio signs with."""


def account(url: str) -> Account | None:
    """None where the URL is another gateway's, or wants something of Twilio that is left to Apprise: calls, WhatsApp."""
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
        host = unquote(parts.hostname or "")
    except ValueError:
        return None
    api_key = options.pop("apikey", "")
    sid, token, sender = unquote(parts.username or ""), unquote(parts.password or ""), _FROM.fullmatch(host)
    if parts.scheme.lower() != "twilio" or options or parts.path.strip("/") or not (_SID.fullmatch(sid) and token and sender):
        return None
    return Account(sid, token, sender[1] if len(sender[1]) <= 6 else f"+{sender[1]}", api_key)


class Twilio:
    """Sends through one account.

    Args:
        callback_url: what Twilio calls with a message's status; empty: nothing.
    """

    def __init__(self, account: Account, outbound: Outbound, callback_url: str, api: str = API) -> None:
        self._sender = account.sender
        self._url = f"{api}/2010-04-01/Accounts/{account.sid}/Messages.json"
        secret = base64.b64encode(f"{account.api_key or account.sid}:{account.token}".encode()).decode()
        self._headers = (
            ("Authorization", f"Basic {secret}"),
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Accept", "application/json"),
            ("User-Agent", "nowserving"),
        )
        self._outbound = outbound
        self._callback_url = callback_url

    async def send(self, delivery: OutgoingDelivery, text: str) -> Outcome:
        from realtime.outbound import Forbidden, NotReachable

        form = {"To": delivery.delivery.recipient, "From": self._sender, "Body": text}
        if delivery.delivery.not_after_ms:
            left_s = int(delivery.delivery.not_after_ms / 1000 - time.time())
            form["ValidityPeriod"] = str(min(max(left_s, 1), LONGEST_VALIDITY_S))
        if self._callback_url:
            form["StatusCallback"] = f"{self._callback_url}?{urlencode({'delivery': delivery.id})}"
        try:
            return _outcome(await self._outbound.post(self._url, urlencode(form).encode(), self._headers))
        except (Forbidden, NotReachable):
            return Retry("The gateway could not be reached, or did not answer in time.", provider_down=True)

    async def close(self) -> None:
        await self._outbound.close()


class _Said(msgspec.Struct):
    """What is read of an answer."""

    sid: str | None = None
    code: int | None = None


def _outcome(answer: Answer) -> Outcome:
    try:
        said = msgspec.json.decode(answer.body, type=_Said)
    except (msgspec.DecodeError, UnicodeError):
        said = _Said()
    if answer.status in (200, 201):
        return Accepted(said.sid or "")
    return meaning.outcome(said.code or answer.status, answer.retry_after_s(time.time()))
