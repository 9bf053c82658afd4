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

    __slots__ = (
        "apart",
        "begun",
        "conflates",
        "due",
        "ending",
        "first_at",
        "flushing",
        "gathers",
        "gone",
        "live",
        "marks",
        "name",
        "patience",
        "pending",
        "pending_bytes",
        "retry",
        "waited",
    )

    def __init__(self, name: str) -> None:
        self.name = name
        self.live: dict[Sink, Subscription] = {}
        """Those that are told everything: nearly all of them, so that telling them needs no look at each."""
        self.apart: dict[Sink, Subscription] = {}
        """The others, each in a state of its own."""
        self.gone: set[Sink] = set()
        """Whose subscriptions are live no more since what is being told was begun."""
        self.begun = 0
        """How many of them have their starting point."""
        self.pending: list[bytes] = []
        self.marks: list[int] = []
        """Of each of them, how far it brings its reader."""
        self.pending_bytes = 0
        self.conflates = False
        """More was waiting than anybody is sent at once: everybody who is here gets a snapshot instead, before anything else is told."""
        self.flushing = False
        """A flush is scheduled or under way; what is published meanwhile goes with the next."""
        self.due = float("-inf")
        """When its window ends; before that nothing more is told."""
        self.first_at = 0.0
        """The turn of the loop in which the first of what is pending was published."""
        self.gathers = False
        """More was published in a later turn."""
        self.waited = False
        """What is pending waits for the end of a window."""
        self.patience = 1.0
        """What part of a whole window is worth waiting: less after each that brought nothing more, all of it when more comes in a window or while
        the topic is told."""
        self.retry = float("-inf")
        """When a snapshot that could not be had is asked for again."""
        self.ending: tuple[int, str] | None = None

    def find(self, sink: Sink) -> Subscription | None:
        """A sink's subscription."""
        return self.live.get(sink) or self.apart.get(sink)

    def __len__(self) -> int:
        return len(self.live) + len(self.apart)


class Subscription:
    """One sink's interest in one topic. It is held when made: publications are kept for it until `start`."""

    __slots__ = ("_start", "begun", "held", "held_bytes", "mark", "sink", "slow_since", "state", "topic")

    def __init__(self, start: Callable[[Subscription, bytes, int], None], topic: Topic, sink: Sink) -> None:
        self._start = start
        self.topic = topic
        self.sink = sink
        self.state = State.HELD
        topic.apart[sink] = self
        self.begun = False
        self.mark = 0
        """How far its starting point brought it."""
        self.held: list[Batch] | None = []
        """What was published since; None when it was more than is kept."""
        self.held_bytes = 0
        self.slow_since = 0.0

    def become(self, state: State) -> None:
        """Moves it to another state, and to its place in the topic."""
        topic, sink, was = self.topic, self.sink, self.state
        self.state = state
        if was is State.LIVE:
            del topic.live[sink]
            if topic.flushing:
                topic.gone.add(sink)
        else:
            del topic.apart[sink]
        if state is State.LIVE:
            topic.live[sink] = self
        elif state is not State.ENDED:
            topic.apart[sink] = self

    def start(self, first: bytes, mark: int = 0) -> None:
        """Writes `first` (frames), then what was held, then whatever comes, without a gap.

        Publications with a mark up to this one are not repeated. Does nothing when the subscription has ended or is started.
        """
        if self.state is State.HELD:
            self._start(self, first, mark)
