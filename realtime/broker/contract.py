"""What a broker promises: what one process tells, the others hear in its order, or are told that they may have missed something."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from realtime.model import Event

MOST_NOTE_BYTES = 4096
"""The longest note, so that it fits into a NOTIFY."""
MOST_KIND = 64
"""Characters of a note's kind."""


def _nothing(*heard: Any) -> None:
    """Who has no use for something does nothing with it."""


@dataclass(frozen=True, slots=True)
class Hears:
    """What a process does with what it hears from others. Each is called on the loop's thread and must not wait."""

    told: Callable[[tuple[Event, ...]], None] = _nothing
    """Committed events, in the order in which their process told them. Those of two processes may cross."""
    reached: Callable[[str, int], None] = _nothing
    """A store's `seq`: what is missing up to there is to be read."""
    catch_up: Callable[[], None] = _nothing
    """Messages may have been lost: look at everything."""
    work: Callable[[str], None] = _nothing
    """Something was put into a queue. A hint, for whoever works looks by itself as well."""
    note: Callable[[str, bytes], None] = _nothing
    """A note's kind and body. It may be lost, and may come again."""


class Broker(Protocol):
    """Tells the other processes what this one committed, and hears it from them; never what it told itself.

    Nothing in it is the truth: that is in the database. A lost message costs time and no data, for `catch_up` follows every loss that is
    noticed, and comes now and then whether or not there is a connection.
    """

    def tell(self, events: tuple[Event, ...]) -> None:
        """Announce committed events; never waits, never raises."""

    def tell_work(self, queue: str) -> None:
        """Announce that something was put into a queue; the same."""

    def tell_note(self, kind: str, body: bytes = b"") -> None:
        """Pass a few bytes on. Never waits; of very many that wait the oldest are dropped.

        Raises: ValueError where `body` has more than MOST_NOTE_BYTES, or `kind` more than MOST_KIND characters.
        """

    async def run(self) -> None:
        """Keep connected until cancelled."""

    async def told(self, within_s: float) -> None:
        """Returns once everything so far was sent, without a connection at once, and in any case after so long."""


class NoBroker:
    """One process: there is nobody to tell."""

    def tell(self, events: tuple[Event, ...]) -> None:
        """Nobody is told."""

    def tell_work(self, queue: str) -> None:
        """The same."""

    def tell_note(self, kind: str, body: bytes = b"") -> None:
        """The same."""
        check_note(kind, body)

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def told(self, within_s: float) -> None:
        """There is nothing to wait for."""


def check_note(kind: str, body: bytes) -> None:
    """Raises: ValueError where a note is too long for every broker."""
    if len(kind) > MOST_KIND or len(body) > MOST_NOTE_BYTES:
        raise ValueError(f"A note has at most {MOST_NOTE_BYTES} bytes, and its kind {MOST_KIND} characters.")
