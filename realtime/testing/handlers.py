"""A plugin's handler of jobs, tried on one job without a database."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from realtime.hookspecs import JobFacts, JobOutcome
from realtime.registry import Registry
from realtime.settings import Settings

GROUP = "nowserving.testing"
"""An entry-point group in which nothing is found: only the plugin under test is there."""


async def run_job(
    plugin: object, payload: Any = None, *, handler: str = "", settings: Mapping[str, Any] | None = None, **facts: Any
) -> JobOutcome:
    """Have one job done by a plugin's handler, behind the wall that it has in a server: what it does wrong is a `Retry`.

    Args:
        plugin: a module or an object with `register_handlers`.
        payload: what a program would put in; the handler gets what is left of it as JSON.
        handler: its name; may be left out where the plugin has one.
        settings: those of the server that differ from the defaults.
        facts: fields of `JobFacts` that matter, such as `attempt=3`.

    Raises:
        ValueError: the plugin takes no part, has no such handler, or has several and none is named.
    """
    given = msgspec.json.decode(msgspec.json.encode(payload))
    registry = await load(plugin, await asyncio.to_thread(partial(Settings.defaults, **settings or {})))
    try:
        chosen = _one_of(registry, handler)
        wanted = {"id": "job-1", "attempt": 1, "account_id": "account", "created_ms": 0, **facts}
        return await registry.handle(chosen, JobFacts(payload=given, **wanted))
    finally:
        await registry.close()


async def load(plugin: object, settings: Settings) -> Registry:
    """A registry with one plugin. Raises: ValueError, where it takes no part, with the reason."""
    registry = await asyncio.to_thread(partial(Registry.load, settings, [("under_test", plugin)], group=GROUP))
    (info,) = registry.plugins()
    if info.status != "active":
        await registry.close()
        raise ValueError(f"The plugin takes no part: {info.status}.")
    return registry


def _one_of(registry: Registry, handler: str) -> str:
    names = sorted(registry.handlers())
    if not handler and len(names) == 1:
        return names[0]
    if handler not in names:
        there = f"It has: {', '.join(names)}." if names else "It has none."
        raise ValueError(f"The plugin has no handler {handler!r}. {there}" if handler else f"Say which handler. {there}")
    return handler
