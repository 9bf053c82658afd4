"""Committed events on their way to plugins: one after another, without holding anybody else up."""

from __future__ import annotations

from realtime.clerk import Tasks
from realtime.facts import facts_of
from realtime.model import Event
from realtime.registry import Registry


class PluginEvents:
    """Implements Tells."""

    def __init__(self, registry: Registry, tasks: Tasks) -> None:
        self._registry = registry
        self._tasks = tasks

    def tell(self, events: tuple[Event, ...]) -> None:
        if self._registry.implements("on_event"):
            for event in events:
                for waits in self._registry.tell(facts_of(event)):
                    self._tasks.start("on_event", waits)
