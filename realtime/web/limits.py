"""How often one visitor may ask: token buckets in memory, bounded in number, the longest unused forgotten first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from math import ceil

from msgspec import Struct

from realtime.errors import TooMany
from realtime.settings import Settings


class Quota(Struct, frozen=True):
    """What one rule leaves a visitor, as the fields of draft-ietf-httpapi-ratelimit-headers say it."""

    name: str
    most: int
    window_s: int
    """In how long so many may come."""
    left: int
    reset_s: int
    """Until all is there again."""

    def raw(self) -> list[tuple[bytes, bytes]]:
        """As an answer carries them."""
        name = self.name.encode()
        return [
            (b"ratelimit-policy", b'"%b";q=%d;w=%d' % (name, self.most, self.window_s)),
            (b"ratelimit", b'"%b";r=%d;t=%d' % (name, self.left, self.reset_s)),
        ]

    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.raw()}


class Buckets:
    """One rule: `per_minute` on average, `burst` at once, for each key by itself.

    Args:
        name: what it is called where it is told.
        size: how many keys are remembered. Whoever floods it with keys frees others early; it never locks anyone out.
        clock: seconds that only go forward.
    """

    def __init__(self, per_minute: float, burst: float, clock: Callable[[], float], size: int = 20_000, name: str = "requests") -> None:
        self._name = name
        self._rate = per_minute / 60
        self._burst = burst
        self._clock = clock
        self._size = size
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> Quota:
        """Counts one request; what is left.

        Raises:
            TooMany: the key has none left; says when to come back.
        """
        if wait := self.wait(key):
            refusal = TooMany(f"That was too often. Try again in {_in_words(ceil(wait))}.", retry_after=ceil(wait))
            refusal.headers = self.quota(key).headers()
            raise refusal
        return self.quota(key)

    def quota(self, key: str) -> Quota:
        """What is left, counting nothing."""
        left, _ = self._left.get(key, (self._burst, 0.0))
        return Quota(self._name, int(self._burst), ceil(self._burst / self._rate), int(left), ceil((self._burst - left) / self._rate))

    def wait(self, key: str) -> float:
        """Counts one request if there is one left and returns 0; else the seconds until there is."""
        now = self._clock()
        left, at = self._left.pop(key, (self._burst, now))
        if now > at:
            left = min(self._burst, left + (now - at) * self._rate)
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

    def __init__(self, sign_ins: int, joins: int, clock: Callable[[], float], programs: int = 1_000_000) -> None:
        self._pairs = Buckets(sign_ins, sign_ins, clock, name="passwords")
        self._sign_ins = Buckets(sign_ins * 5, sign_ins * 5, clock, name="sign-ins")
        self._sign_ups = Buckets(sign_ins, sign_ins, clock, name="sign-ups")
        self._mail_asks = Buckets(sign_ins, sign_ins, clock, name="mails")
        self._mails = Buckets(1 / 12, 5, clock)
        self._joins = Buckets(joins, joins, clock, name="joins")
        self._pushes = Buckets(joins, joins, clock, name="notifications")
        self._operators = Buckets(sign_ins, sign_ins, clock, name="operators")
        self._programs = Buckets(programs, programs, clock, name="programs")
        self._tests = Buckets(1 / 6, 10, clock, name="tests")
        self._phones = Buckets(1 / 20, 3, clock, name="tests")
        self._links = Buckets(sign_ins * 3, sign_ins * 3, clock, name="links")

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Limits:
        return cls(settings.sign_in_tries_per_minute, settings.joins_per_minute, clock, settings.program_requests_per_minute)

    def sign_in(self, address: str, email: str) -> Quota:
        """One try at a password; the rule that is nearest. Raises: TooMany."""
        self._sign_ins.take(address)
        return self._pairs.take(_pair(address, email))

    def signed_in(self, address: str, email: str) -> None:
        """The try was right: earlier wrong ones from there no longer count."""
        self._pairs.forget(_pair(address, email))

    def sign_up(self, address: str) -> Quota:
        """A new account. Raises: TooMany."""
        return self._sign_ups.take(address)

    def ask_mail(self, address: str) -> Quota:
        """A request that makes us send a mail. Raises: TooMany."""
        return self._mail_asks.take(address)

    def may_mail(self, email: str) -> bool:
        """Whether one more mail may go there: five at once, then five an hour. The asker is not told, so nobody learns who has an account."""
        return self._mails.wait(email.strip().lower()[:254]) == 0

    def operator(self, address: str) -> None:
        """A wrong operator's token. Raises: TooMany."""
        self._operators.take(address)

    def program(self, key: str) -> Quota:
        """A request of a program, by its token. Raises: TooMany."""
        return self._programs.take(key)

    def try_out(self, account_id: str, phone: str) -> Quota:
        """A message to oneself: ten an hour, three to one phone, whoever asks. Raises: TooMany."""
        quota = self._tests.take(account_id)
        # Its last digits, for a number may be written in many ways.
        digits = "".join(character for character in phone if character.isdecimal())[-9:]
        return min(quota, self._phones.take(digits), key=lambda each: each.left) if digits else quota

    def use_link(self, address: str) -> Quota:
        """A secret out of a mail is tried. Raises: TooMany."""
        return self._links.take(address)

    def join(self, address: str) -> Quota:
        """A scan or a join; a whole shop may share one address. Raises: TooMany."""
        return self._joins.take(address)

    def subscribe(self, address: str) -> Quota:
        """A browser that wants to be notified. Raises: TooMany."""
        return self._pushes.take(address)


def _pair(address: str, email: str) -> str:
    return f"{address}\0{email.strip().lower()[:254]}"


def _in_words(seconds: int) -> str:
    if seconds < 60:
        return "a second" if seconds <= 1 else f"{seconds} seconds"
    minutes = ceil(seconds / 60)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
