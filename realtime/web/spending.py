"""Spending: what visitors took from their allowances is told to the other processes, so that several together give nobody more than one would."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec
from msgspec import Struct

from realtime.broker.contract import MOST_NOTE_BYTES

NOTE = "spent"
TELL_S = 0.25
MOST_NOTES = 8
"""Told at a time. What does not fit goes with the next."""
MOST_WAITING = 10_000
"""Allowances that wait to be told of; of more the oldest are not told."""
OLD_MS = 10_000
"""What was spent so long ago comes out of a jam, and is mostly there again. More than the clocks of two machines differ by."""

Mark = bytes
"""Stands for a visitor; says nothing about who it is."""


class Word(Struct, frozen=True, array_like=True):
    """A note: what was spent of each rule since the one before."""

    at_ms: int
    spent: dict[str, dict[Mark, int]]
    forgot: dict[str, list[Mark]] = {}
    """Whose allowance was made whole before that."""


class Spendable(Protocol):
    """The allowances of one rule."""

    def spent_elsewhere(self, mark: Mark, count: int) -> None: ...
    def forgot_elsewhere(self, mark: Mark) -> None: ...


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Word).decode


class Spending:
    """Gathers what is spent here and tells it a few times a second; takes from the allowances here what was spent elsewhere.

    Only differences are told, so a note that is lost is an allowance that was given twice. All methods belong to the loop's thread.

    Args:
        tell: passes a note on: its kind, its body.
        now_ms: the time of day.
    """

    def __init__(self, tell: Callable[[str, bytes], None], now_ms: Callable[[], int]) -> None:
        self._tell = tell
        self._now = now_ms
        self._rules: dict[str, Spendable] = {}
        self._waiting: dict[tuple[str, Mark], tuple[bool, int]] = {}
        """Rule and visitor -> whether it was made whole, and what was spent since."""

    def join(self, rule: str, allowances: Spendable) -> None:
        """From now on what other processes tell of this rule is taken from these allowances."""
        self._rules[rule] = allowances

    def spent(self, rule: str, mark: Mark) -> None:
        whole, count = self._waiting.get((rule, mark), (False, 0))
        self._wait(rule, mark, whole, count + 1)

    def forgot(self, rule: str, mark: Mark) -> None:
        self._wait(rule, mark, True, 0)

    def hear(self, body: bytes) -> None:
        """What another process told."""
        try:
            word = _decode(body)
        except msgspec.MsgspecError:  # of another version of this program, as while a new one is rolled out
            return
        if abs(self._now() - word.at_ms) > OLD_MS:
            return
        for rule, marks in word.forgot.items():
            if (allowances := self._rules.get(rule)) is not None:
                for mark in marks:
                    allowances.forgot_elsewhere(mark)
        for rule, counts in word.spent.items():
            if (allowances := self._rules.get(rule)) is not None:
                for mark, count in counts.items():
                    allowances.spent_elsewhere(mark, count)

    async def run(self) -> None:
        """Tell the others. Runs until cancelled."""
        while True:
            await asyncio.sleep(TELL_S)
            self.tell_others()

    def tell_others(self) -> None:
        for word in self._words(MOST_NOTES):
            self._tell(NOTE, _encode(word))

    def _wait(self, rule: str, mark: Mark, whole: bool, count: int) -> None:
        self._waiting[rule, mark] = whole, count
        if len(self._waiting) > MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]

    def _words(self, most: int) -> Iterator[Word]:
        at_ms = self._now()
        for _ in range(most):
            spent: dict[str, dict[Mark, int]] = {}
            forgot: dict[str, list[Mark]] = {}
            room = MOST_NOTE_BYTES - 64
            while self._waiting and room > 0:
                rule, mark = key = next(iter(self._waiting))
                whole, count = self._waiting.pop(key)
                if whole:
                    forgot.setdefault(rule, []).append(mark)
                if count:
                    spent.setdefault(rule, {})[mark] = count
                # Each is said twice at most, with its length and a number; a rule's name once.
                room -= 2 * (len(mark) + 8)
            if not (spent or forgot):
                return
            yield Word(at_ms, spent, forgot)
