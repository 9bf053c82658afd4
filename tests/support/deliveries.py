"""Deliveries as the courier claims them, of every notifier that has any."""

from __future__ import annotations

from realtime.model import Job
from realtime.operations import jobs
from realtime.storage.statement import Operation


def claim(lease: str, lease_ms: int, limit: int, now_ms: int, *, worker: str = "", most: int = 0) -> Operation[list[Job]]:
    """Up to `limit` of each notifier."""
    rooms = dict.fromkeys((yield from jobs.fronts()), limit)
    return (yield from jobs.claim_each(lease, lease_ms, rooms, now_ms, worker=worker, most=most))
