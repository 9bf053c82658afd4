"""How often one visitor may ask: token buckets in memory, bounded in number, the longest unused forgotten first, and shared by all processes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache, partial
from math import ceil

from msgspec import Struct

from realtime.errors import TooMany
from realtime.keys import marked
from realtime.settings import Settings
from realtime.web.spending import Mark, Spending

DEEPEST = 8
"""What other processes gave at the same moment is owed, up to so many times what may come at once."""


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
        secret: makes keys unknowable for who sees what processes tell each other.
    """

    def __init__(
        self,
        per_minute: float,
        burst: float,
        clock: Callable[[], float],
        size: int = 20_000,
        name: str = "requests",
        secret: bytes = b"",
    ) -> None:
        self._name = name
        self._rate = per_minute / 60
        self._burst = burst
        self._most, self._window_s = int(burst), ceil(burst / self._rate)
        self._clock = clock
        self._size = size
        self._mark: Callable[[str], Mark] = lru_cache(maxsize=4096)(partial(marked, secret))
        self._left: OrderedDict[Mark, tuple[float, float]] = OrderedDict()
        self._spending: Spending | None = None
        self._rule = ""

    def share(self, spending: Spending, rule: str) -> None:
        """One allowance in all processes that share under this name."""
        self._spending, self._rule = spending, rule
        spending.join(rule, self)

    def take(self, key: str) -> Quota:
        """Counts one request; what is left.

        Raises:
            TooMany: the key has none left; says when to come back.
        """
        left = self._count(key)
        if left < 0:
            wait = ceil(-left / self._rate)
            refusal = TooMany(f"That was too often. Try again in {_in_words(wait)}.", retry_after=wait)
            refusal.headers = self._quota(left + 1).headers()
            raise refusal
        return self._quota(left)

    def quota(self, key: str) -> Quota:
        """What is left, counting nothing."""
        left, _ = self._left.get(self._mark(key), (self._burst, 0.0))
        return self._quota(left)

    def wait(self, key: str) -> float:
        """Counts one request if there is one left and returns 0; else the seconds until there is."""
        left = self._count(key)
        return 0.0 if left >= 0 else -left / self._rate

    def _quota(self, left: float) -> Quota:
        return Quota(self._name, self._most, self._window_s, max(0, int(left)), ceil((self._burst - left) / self._rate))

    def _count(self, key: str) -> float:
        """Counts one request if there is one left; what is left after it, which is below 0 where it was not counted."""
        mark = self._mark(key)
        now = self._clock()
        left = self._now_left(mark, now)
        if left >= 1:
            self._keep(mark, left - 1, now)
            if self._spending:
                self._spending.spent(self._rule, mark)
        else:
            self._keep(mark, left, now)
        return left - 1

    def forget(self, key: str) -> None:
        mark = self._mark(key)
        self._left.pop(mark, None)
        if self._spending:
            self._spending.forgot(self._rule, mark)

    def spent_elsewhere(self, mark: Mark, count: int) -> None:
        """Other processes counted so many requests of a key. What is over the allowance has to come back before the next one."""
        now = self._clock()
        self._keep(mark, max(self._now_left(mark, now) - count, -DEEPEST * self._burst), now)

    def forgot_elsewhere(self, mark: Mark) -> None:
        self._left.pop(mark, None)

    def _now_left(self, mark: Mark, now: float) -> float:
        left, at = self._left.get(mark, (self._burst, now))
        return min(self._burst, left + (now - at) * self._rate) if now > at else left

    def _keep(self, mark: Mark, left: float, now: float) -> None:
        self._left[mark] = (left, now)
        self._left.move_to_end(mark)
        if len(self._left) > self._size:
            self._left.popitem(last=False)

    def __len__(self) -> int:
        return len(self._left)


class Limits:
    """All rules of this server.

    Guesses are counted per address and per address-and-account pair, never per account alone: nobody can lock an owner
    out by failing in the owner's name.
    """

    def __init__(self, sign_ins: int, joins: int, clock: Callable[[], float], programs: int = 1_000_000, secret: bytes = b"") -> None:
        def buckets(per_minute: float, burst: float, name: str = "requests") -> Buckets:
            return Buckets(per_minute, burst, clock, name=name, secret=secret)

        self._pairs = buckets(sign_ins, sign_ins, "passwords")
        self._sign_ins = buckets(sign_ins * 5, sign_ins * 5, "sign-ins")
        self._sign_ups = buckets(sign_ins, sign_ins, "sign-ups")
        self._mail_asks = buckets(sign_ins, sign_ins, "mails")
        self._mails = buckets(1 / 12, 5)
        self._joins = buckets(joins, joins, "joins")
        self._pushes = buckets(joins, joins, "notifications")
        self._operators = buckets(sign_ins, sign_ins, "operators")
        self._programs = buckets(programs, programs, "programs")
        self._tests = buckets(1 / 6, 10, "tests")
        self._phones = buckets(1 / 20, 3, "tests")
        self._links = buckets(sign_ins * 3, sign_ins * 3, "links")

    @classmethod
    def from_settings(cls, settings: Settings, clock: Callable[[], float] = time.monotonic, secret: bytes = b"") -> Limits:
        return cls(settings.sign_in_tries_per_minute, settings.joins_per_minute, clock, settings.program_requests_per_minute, secret)

    def share(self, spending: Spending) -> None:
        """From now on all processes that hear each other count together."""
        for rule, buckets in vars(self).items():
            if isinstance(buckets, Buckets):
                buckets.share(spending, rule.removeprefix("_"))

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
