"""Queues from which nothing is taken until an operator says so. What is under way goes on, and what comes is kept."""

from __future__ import annotations

from realtime.storage.statement import Operation, Statement

NOT_PAUSED = "not exists (select 1 from paused_queues where queue = $1)"
"""A condition for a claim of queue $1."""


def pause(queue: str, now_ms: int) -> Operation[bool]:
    """Take nothing any more; False when that is so already."""
    rows = yield Statement(
        "insert into paused_queues (queue, since_ms) values ($1, $2) on conflict (queue) do nothing returning queue", (queue, now_ms)
    )
    return bool(rows)


def resume(queue: str) -> Operation[bool]:
    """Take jobs again; False when it was not paused."""
    rows = yield Statement("delete from paused_queues where queue = $1 returning queue", (queue,))
    return bool(rows)
