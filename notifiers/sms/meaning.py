"""What the numbers mean with which gateways answer: HTTP's, and Twilio's own."""

from __future__ import annotations

from realtime.hookspecs import Outcome, Permanent, Retry, Suppressed

MISCONFIGURED_RETRY_S = 1800.0
OPTED_OUT = 21610
"""Twilio: the recipient answered STOP."""
_TWILIO = {20003: 401, 20005: 403, 20429: 429, 20500: 500, 20503: 503}
"""Twilio tells its own codes where others tell those of HTTP."""
_TRY_AGAIN = frozenset({408, 409, 423, 425, 429})
_REFUSES_US = frozenset({401, 402, 403, 407})
WHY = {
    OPTED_OUT: "The guest wants no messages.",
    21211: "There is no such number.",
    21408: "Messages to this country are not enabled at the gateway.",
    21614: "This number takes no text messages.",
    30003: "The phone is off or out of reach.",
    30004: "The number refused it.",
    30005: "There is no such number.",
    30006: "This number takes no text messages.",
    30007: "The network filtered it out.",
    30008: "The network does not say why.",
    30036: "The phone was off for too long.",
}
"""Twilio's codes of what a person can do something about."""


def outcome(code: int, after_s: float | None = None) -> Outcome:
    """Of a refusal; `after_s` is how long the gateway asks to wait, if it does."""
    status = _TWILIO.get(code, code)
    if status == OPTED_OUT:
        return Suppressed(WHY[OPTED_OUT])
    if status in _REFUSES_US:
        why = f"The gateway refuses us ({status}). Check the credentials in sms_url, and the account."
        return Retry(why, MISCONFIGURED_RETRY_S, provider_down=True)
    if status in _TRY_AGAIN or 300 <= status < 400 or 500 <= status < 600:
        return Retry(f"The gateway answered {status}.", after_s or (60.0 if status == 429 else None), provider_down=status >= 500)
    return Permanent(WHY.get(status, f"The gateway refused the message ({status})."))
