"""A tally: what this process counts of many things, told to the other processes by name, and what those told."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from realtime.broker.contract import MOST_NOTE_BYTES
from realtime.totals import Totals

T = TypeVar("T")

TELL_S = 0.25
"""The least time between two words of this process to the others about one thing."""
KEEP_S = 60.0
"""How long the word of a process that says no more holds, unless a tally says otherwise."""
AGAIN = 1 / 3
"""How soon a word that still holds is said again, as a part of that time."""
MOST_PROCESSES = 1024
"""That are known; of more the one that came first is forgotten."""
MOST_HEARD = 20_000
"""Words of other processes that are remembered."""


class Word(Struct, Generic[T], frozen=True, array_like=True):
    """A note: what one process counts by name. One without names says that it has come."""

    process: str
    at_ms: int
    counted: dict[str, T] = {}


class Tally(Generic[T]):
    """Whole counts are told, and told again, not differences: a note that is lost or comes twice does no harm, and what a killed process
    counted goes away by itself. All methods belong to the loop's thread.

    Args:
        kind: of its notes.
        value: the type of a count. What stands for nothing is `nothing`, and is never told but to take back what was told before.
        own: what this process counts of a name.
        tell: passes a note on to the other processes: its kind, its body.
        clock: seconds that only go forward.
        now_ms: the time of day. A word that is older than `keep_s` is passed over: it comes out of a jam, or somebody recorded it.
        news: called with a name of which the others count something else now.
        keep_s: how long a word holds.
    """

    def __init__(
        self,
        kind: str,
        value: type[T],
        nothing: T,
        own: Callable[[str], T],
        tell: Callable[[str, bytes], None],
        clock: Callable[[], float],
        now_ms: Callable[[], int],
        news: Callable[[str], None] = lambda name: None,
        keep_s: float = KEEP_S,
    ) -> None:
        self.kind = kind
        self._nothing = nothing
        self._own = own
        self._tell = tell
        self._clock = clock
        self._now_ms = now_ms
        self._news = news
        self._keep_s = keep_s
        self._process = secrets.token_hex(4)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(Word[value]).decode  # type: ignore[valid-type]  # msgspec reads the type at run time
        self._told: dict[str, tuple[T, float]] = {}
        """What the others were told last, and when; nothing is not kept."""
        self._untold: dict[str, None] = {}
        self._over = False
        self._others: Totals[T] = Totals(keep_s, MOST_HEARD)
        self._known: dict[str, float] = {}
        """Other processes, and when each was heard last."""

    def changed(self, name: str) -> None:
        """This process may count something else of a name now."""
        self._untold[name] = None

    def of(self, name: str) -> Iterator[T]:
        """What each of the other processes counts of a name."""
        return self._others.of(name)

    @property
    def silent(self) -> bool:
        """None of the others has told of anything that still holds."""
        return not len(self._others)

    def hear(self, body: bytes) -> None:
        """What another process told."""
        try:
            word = self._decode(body)
        except msgspec.MsgspecError:  # of another version of this program, as while a new one is rolled out
            return
        if abs(self._now_ms() - word.at_ms) > self._keep_s * 1000:
            return
        now = self._clock()
        if word.process not in self._known:  # it has not heard yet what is counted here
            self._say_again(self._told)
            if len(self._known) >= MOST_PROCESSES:
                del self._known[next(iter(self._known))]
        self._known[word.process] = now
        for name, value in word.counted.items():
            if value == self._nothing:
                news = self._others.take_back(word.process, name)
            else:
                news = self._others.hear(word.process, name, value, now)
            if news:
                self._news(name)

    async def run(self) -> None:
        """Tell the other processes, and forget those that are gone. Runs until cancelled."""
        self._say({})
        looked = self._clock()
        while True:
            await asyncio.sleep(TELL_S)
            now = self._clock()
            if now - looked >= self._keep_s / 12:
                looked = now
                self.look(now)
            self.tell_others()

    def look(self, now: float) -> None:
        """Find what is to be told again, and what is too old."""
        for name in self._others.expire(now):
            self._news(name)
        self._known = {process: heard for process, heard in self._known.items() if heard + self._keep_s > now}
        self._say_again([name for name, (_, at) in self._told.items() if now - at >= self._keep_s * AGAIN])

    def tell_others(self) -> None:
        """Tell what has changed since it was told last, and what is to be told again."""
        now, untold = self._clock(), self._untold
        self._untold = {}
        words: dict[str, T] = {}
        room = most = MOST_NOTE_BYTES - 32
        for name in untold:
            value, told = self._nothing if self._over else self._own(name), self._told.get(name)
            if value == (told[0] if told else self._nothing) and (told is None or now - told[1] < self._keep_s * AGAIN):
                continue
            if value == self._nothing:
                del self._told[name]
            else:
                self._told[name] = value, now
            size = len(self._encode({name: value}))
            if words and size > room:
                self._say(words)
                words, room = {}, most
            words[name] = value
            room -= size
        if words:
            self._say(words)

    def end(self) -> None:
        """Take back everything: what is counted here is over, or goes elsewhere."""
        self._over = True
        self._untold = dict.fromkeys(self._told)
        self.tell_others()

    def _say_again(self, names: dict[str, tuple[T, float]] | list[str]) -> None:
        for name in names:
            self._told[name] = self._told[name][0], float("-inf")
            self._untold[name] = None

    def _say(self, words: dict[str, T]) -> None:
        self._tell(self.kind, self._encode(Word(self._process, self._now_ms(), words)))
