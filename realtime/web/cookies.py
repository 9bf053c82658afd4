"""The three cookies: the owner's sign-in, the phone's tickets, and the phone's scan key for pages without JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from starlette.types import Scope

from realtime.web import addresses

MAX_TICKETS = 5
"""How many tickets one phone holds at once; the oldest give way."""
_SEPARATOR = "~"
_TOKENS = re.compile(r"[A-Za-z0-9._-]{1,512}(?:~[A-Za-z0-9._-]{1,512})*")


class Cookies:
    """The cookies of one kind of address: with the `__Host-` prefix over TLS, plain names on http (RFC 6265bis section 4.1.3).

    A `__Host-` cookie is Secure, has no Domain and the path /, so no other host and no plain-text page can set it.
    """

    __slots__ = ("phone", "secure", "session", "tickets")

    def __init__(self, secure: bool) -> None:
        prefix = "__Host-" if secure else ""
        self.secure = secure
        self.session = f"{prefix}nowserving_session"
        """The owner's refresh token."""
        self.tickets = f"{prefix}nowserving_ticket"
        """The phone's ticket tokens, the newest first."""
        self.phone = f"{prefix}nowserving_phone"
        """A random key that stands for the phone when it scans without JavaScript."""

    def read(self, scope: Scope, name: str) -> str:
        """A cookie's value; empty when it is absent, given twice with different values, or has strange characters."""
        if not addresses.given(scope, b"cookie"):
            return ""
        headers = scope["headers"]
        found = {
            value.strip()
            for key, header in headers
            if key == b"cookie"
            for part in header.decode("latin-1").split(";")
            for given, _, value in (part.partition("="),)
            if given.strip() == name
        }
        value = found.pop() if len(found) == 1 else ""
        return value if _TOKENS.fullmatch(value) else ""

    def read_tickets(self, scope: Scope) -> tuple[str, ...]:
        value = self.read(scope, self.tickets)
        return tuple(value.split(_SEPARATOR)[:MAX_TICKETS]) if value else ()

    def set_session(self, refresh_token: str, days: int) -> str:
        return self._make(self.session, refresh_token, days * 86_400, "Strict")

    def set_tickets(self, newest: Iterable[str], held: Iterable[str], seconds: int) -> str:
        tokens = list(dict.fromkeys([*newest, *held]))[:MAX_TICKETS]
        return self._make(self.tickets, _SEPARATOR.join(tokens), seconds, "Lax")

    def set_phone(self, key: str, seconds: int) -> str:
        return self._make(self.phone, key, seconds, "Lax")

    def end_session(self) -> str:
        return self._make(self.session, "", 0, "Strict")

    def _make(self, name: str, value: str, seconds: int, same_site: Literal["Strict", "Lax"]) -> str:
        if value and not _TOKENS.fullmatch(value):
            raise ValueError(f"{name} cannot hold that value")
        secure = "; Secure" if self.secure else ""
        return f"{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite={same_site}{secure}"
