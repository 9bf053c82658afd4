"""How often one visitor may ask: token buckets in memory, bounded in number, the longest unused forgotten first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from realtime.errors import TooMany
from realtime.settings import Settings


class Buckets:
    """One rule: `per_minute` on average, `burst` at once, for each key by itself.

    Args:
        size: how many keys are remembered. Whoever floods it with keys frees others early; it never locks anyone out.
        clock: seconds that only go forward.
    """

    def __init__(self, per_minute: float, burst: float, clock: Callable[[], float], size: int = 20_000) -> None:
        self._rate = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._size = size
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Counts one request.

        Raises:
            TooMany: the key has none left; says when to come back.
        """
        wait = self.wait(key)
        if wait > 0:
            raise TooMany(f"That was too often. Try again in {_in_words(ceil(wait))}.", retry_after=ceil(wait))

    def wait(self, key: str) -> float:
        """Counts one request if there is one left and returns 0; else the seconds until there is."""
        now = self._clock()
        left, at = self._left.pop(key, (self._burst, now))
        left = min(self._burst, left + max(0.0, now - at) * self._rate)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        if len(self._left) > self._size:
            self._left.popitem(last=False)
        return 0.0 if allowed else (1 - left) / self._rate

    def forget(self, key: str) -> None:
        self._left.pop(key, None)

    def __len__(self) -> int:
        return len(self._left)


class Limits:
    """All rules of this server.

    Guesses are counted per address and per address-and-account pair, never per account alone: nobody can lock an owner
    out by failing in the owner's name.
    """

    def __init__(self, sign_ins: int, joins: int, clock: Callable[[], float]) -> None:
        self._pairs = Buckets(sign_ins, sign_ins, clock)
        self._sign_ins = Buckets(sign_ins * 5, sign_ins * 5, clock)
        self._sign_ups = Buckets(sign_ins, sign_ins, clock)
        self._mail_asks = Buckets(sign_ins, sign_ins, clock)
        self._mails = Buckets(1 / 12, 5, clock)
        self._joins = Buckets(joins, joins, clock)
        self._operators = Buckets(sign_ins, sign_ins, clock)
        self._links = Buckets(sign_ins * 3, sign_ins * 3, clock)

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Limits:
        return cls(settings.sign_in_tries_per_minute, settings.joins_per_minute, clock)

    def sign_in(self, address: str, email: str) -> None:
        """One try at a password. Raises: TooMany."""
        self._sign_ins.take(address)
        self._pairs.take(_pair(address, email))

    def signed_in(self, address: str, email: str) -> None:
        """The try was right: earlier wrong ones from there no longer count."""
        self._pairs.forget(_pair(address, email))

    def sign_up(self, address: str) -> None:
        """A new account. Raises: TooMany."""
        self._sign_ups.take(address)

    def ask_mail(self, address: str) -> None:
        """A request that makes us send a mail. Raises: TooMany."""
        self._mail_asks.take(address)

    def may_mail(self, email: str) -> bool:
        """Whether one more mail may go there: five at once, then five an hour. The asker is not told, so nobody learns who has an account."""
        return self._mails.wait(email.strip().lower()[:254]) == 0

    def operator(self, address: str) -> None:
        """A wrong operator's token. Raises: TooMany."""
        self._operators.take(address)

    def use_link(self, address: str) -> None:
        """A secret out of a mail is tried. Raises: TooMany."""
        self._links.take(address)

    def join(self, address: str) -> None:
        """A scan or a join; a whole shop may share one address. Raises: TooMany."""
        self._joins.take(address)


def _pair(address: str, email: str) -> str:
    return f"{address}\0{email.strip().lower()[:254]}"


def _in_words(seconds: int) -> str:
    if seconds < 60:
        return "a second" if seconds <= 1 else f"{seconds} seconds"
    minutes = ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
