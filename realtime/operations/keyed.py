"""Jobs that are put in under a key: within its window one job stands for all of them, as it was, or as the newest says."""

from __future__ import annotations

from msgspec import Struct

from realtime.model import OnKey
from realtime.operations import queue
from realtime.operations.queue import NewJob
from realtime.storage.statement import Operation, Statement, changed


class Stands(Struct, frozen=True):
    """The job that stands for a key."""

    id: str
    first: bool
    """It was put in now."""
    replaced: bool = False
    """It says now what the new one says."""


def enqueue_once(job: NewJob, key: str, window_ms: int, now_ms: int, on_key: OnKey = OnKey.KEEP) -> Operation[Stands]:
    """Put a job in unless one with this key was put in within its window, which then stands for it.

    One that is to be replaced but is being done, or was, stands no more: the new one is put in, and the key's window begins anew.
    """
    until_ms, mine = now_ms + window_ms, (job.store_id, job.queue, key)
    id_, ends_ms = yield from stands_for(*mine, job.id, until_ms, now_ms)
    if id_ != job.id:
        if on_key is OnKey.KEEP:
            return Stands(id_, first=False)
        if (yield from _replace(id_, job, min(job.due_ms, ends_ms) if on_key is OnKey.POSTPONE else 0)):
            return Stands(id_, first=False, replaced=True)
        yield Statement(
            "update job_keys set job_id = $4, until_ms = $5 where store_id = $1 and queue = $2 and key = $3", (*mine, job.id, until_ms)
        )
    yield from queue.enqueue(job, now_ms)
    return Stands(job.id, first=True)


def stands_for(store_id: str, queue: str, key: str, id_: str, until_ms: int, now_ms: int) -> Operation[tuple[str, int]]:
    """What a key stands for, and until when: for `id_` from now on, unless it stood for another whose window has not ended.

    The key is held by this transaction either way.
    """
    mine = yield Statement(
        "insert into job_keys (store_id, queue, key, job_id, until_ms) values ($1, $2, $3, $4, $5)"
        " on conflict (store_id, queue, key) do update set job_id = excluded.job_id, until_ms = excluded.until_ms"
        " where job_keys.until_ms <= $6 returning job_id",
        (store_id, queue, key, id_, until_ms, now_ms),
    )
    if mine:
        return id_, until_ms
    found = yield Statement("select job_id, until_ms from job_keys where store_id = $1 and queue = $2 and key = $3", (store_id, queue, key))
    return str(found[0][0]), int(found[0][1])


def _replace(id_: str, job: NewJob, due_ms: int) -> Operation[bool]:
    """Have one that waits say what another says, in its own place; due then, or with 0 as it was. False when it waits no more."""
    due = "case when cast($7 as bigint) = 0 then {0} else cast($7 as bigint) end"
    count = yield from changed(
        "update jobs set body = $3, notifier = $4, trace = $5, not_after_ms = $6,"
        f" due_ms = {due.format('due_ms')}, ready_ms = case when head = 1 then {due.format('ready_ms')} else ready_ms end"
        " where store_id = $1 and id = $2 and state = 'waiting'",
        job.store_id, id_, job.body, job.notifier, job.trace, job.not_after_ms, due_ms,
    )  # fmt: skip
    return count == 1
