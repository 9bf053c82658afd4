"""What is measured while jobs are done: how long they waited and took, and how they went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

CONSUMER = "consumer"
"""Stands for whoever consumes messages, where others have the name of a notifier or handler."""


class Meter(Protocol):
    """Notes figures; never raises, never waits."""

    def began(self, queue: str, waited_s: float) -> None:
        """A job was taken for the first time, so long after it could have been."""
        ...

    def ended(self, queue: str, name: str, outcome: str, ran_s: float) -> None:
        """An attempt is over.

        Args:
            name: the notifier or handler.
            outcome: one of few words, "sent", "retry" ...
        """
        ...

    def lost(self, queue: str) -> None:
        """An outcome came too late: somebody else has the job."""
        ...

    def unanswered(self, queue: str, names: Sequence[str]) -> None:
        """Leases ended and nobody had answered: an attempt of each of these notifiers or handlers is over, as `lost`. Said once of each.

        An empty name stands for a consumer.
        """
        ...

    def deduplicated(self, queue: str) -> None:
        """Something was not put in, because its key stood for an earlier one."""
        ...

    def provider(self, notifier: str, *, down: bool) -> None:
        """The provider of a notifier went down, or is up again."""
        ...


class NoMeter:
    """Where nobody asks for figures."""

    def began(self, queue: str, waited_s: float) -> None:
        pass

    def ended(self, queue: str, name: str, outcome: str, ran_s: float) -> None:
        pass

    def lost(self, queue: str) -> None:
        pass

    def unanswered(self, queue: str, names: Sequence[str]) -> None:
        pass

    def deduplicated(self, queue: str) -> None:
        pass

    def provider(self, notifier: str, *, down: bool) -> None:
        pass
