"""A topic: who listens to one name, from where on, and what they have not been told yet. The hub moves it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto

from realtime.batch import Batch
from realtime.sink import Sink


class State(Enum):
    """Where a subscription stands."""

    HELD = auto()
    """Publications are kept for it, until it has its starting point."""
    STARTED = auto()
    """Some of what is about to be told was part of its starting point, and is left out for it."""
    LIVE = auto()
    LAGGING = auto()
    """Too much is buffered. Publications pass it by; one snapshot comes instead, once it has drained."""
    ENDED = auto()


class Topic:
    """Who listens to one name, and what they have not been told yet."""

    __slots__ = ("begun", "due", "ending", "flushing", "marks", "name", "pending", "pending_bytes", "retry", "subscriptions")

    def __init__(self, name: str) -> None:
        self.name = name
        self.subscriptions: dict[Sink, Subscription] = {}
        self.begun = 0
        """How many of them have their starting point."""
        self.pending: list[bytes] = []
        self.marks: list[int] = []
        """Of each of them, how far it brings its reader."""
        self.pending_bytes = 0
        self.flushing = False
        """A flush is scheduled or under way; what is published meanwhile goes with the next."""
        self.due = float("-inf")
        """When its window ends; before that nothing more is told."""
        self.retry = float("-inf")
        """When a snapshot that could not be had is asked for again."""
        self.ending: tuple[int, str] | None = None


class Subscription:
    """One sink's interest in one topic. It is held when made: publications are kept for it until `start`."""

    __slots__ = ("_start", "begun", "held", "held_bytes", "mark", "sink", "slow_since", "state", "topic")

    def __init__(self, start: Callable[[Subscription, bytes, int], None], topic: Topic, sink: Sink) -> None:
        self._start = start
        self.topic = topic
        self.sink = sink
        self.state = State.HELD
        self.begun = False
        self.mark = 0
        """How far its starting point brought it."""
        self.held: list[Batch] | None = []
        """What was published since; None when it was more than is kept."""
        self.held_bytes = 0
        self.slow_since = 0.0

    def start(self, first: bytes, mark: int = 0) -> None:
        """Writes `first` (frames), then what was held, then whatever comes, without a gap.

        Publications with a mark up to this one are not repeated. Does nothing when the subscription has ended or is started.
        """
        if self.state is State.HELD:
            self._start(self, first, mark)
