"""Posting: what becomes of a post that was tried, and of the webhook that it went to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from realtime.model import Delivery, Endpoint, JobState
from realtime.operations import attempts, lanes, queue, webhooks
from realtime.operations.changes import owe
from realtime.operations.posts import LATER, PING, QUEUE
from realtime.operations.queue import Leased, Settled
from realtime.operations.webhooks import Webhook
from realtime.storage.statement import Operation, Statement, changed

FAILING_MS = 5 * 24 * 3_600_000
"""A webhook that has failed for so long without one success is turned off."""
KEEP_MS = 7 * 24 * 3_600_000
"""How long a post is kept after it ended."""

Compose = Callable[[Webhook, str], Sequence[Delivery]]
"""What the owner, at this e-mail address, is owed when a webhook is turned off."""


def endpoint(id_: str, also_off: bool, now_ms: int) -> Operation[Endpoint | None]:
    """Where to post and what to sign with; None when the webhook is gone or, unless `also_off`, turned off."""
    rows = yield Statement("select url, secret, old_secret, old_until_ms, off_ms from webhooks where id = $1", (id_,))
    if not rows or (rows[0][4] and not also_off):
        return None
    url, secret, old, until_ms, _ = rows[0]
    return Endpoint(url, (secret, old) if old and until_ms > now_ms else (secret,))


def sent(job: Leased, url: str, outcome: str, now_ms: int) -> Operation[Settled]:
    """It arrived: it is done, and kept, and the webhook does not fail any more."""
    settled = yield from queue.end(job.store_id, job.id, job.lease, JobState.DONE, outcome, now_ms, keep=True)
    yield from changed("update webhooks set failing_ms = 0 where id = $1 and url = $2 and failing_ms > 0", job.recipient, url)
    return settled


def dropped(job: Leased, state: JobState, outcome: str, now_ms: int) -> Operation[Settled]:
    """It is not tried any more, and kept."""
    return (yield from queue.end(job.store_id, job.id, job.lease, state, outcome, now_ms, keep=True))


def again(job: Leased, due_ms: int, outcome: str, now_ms: int) -> Operation[Settled]:
    """It failed, and is tried again at `due_ms`. It goes on to the lane of those that failed as often: nothing waits behind it but these,
    which are due later, and a webhook that hangs is called only a few times at once."""
    settled = yield from queue.retry(job.store_id, job.id, job.lease, due_ms, outcome, now_ms)
    if settled is Settled.DONE and job.lane:
        lane = f"{job.recipient}/{job.attempts}"
        place, head = yield from lanes.next_place(job.store_id, QUEUE, lane, now_ms)
        yield Statement(
            "update jobs set lane = $3, place = $4, head = $5, priority = $6 where store_id = $1 and id = $2",
            (job.store_id, job.id, lane, place, head, LATER),
        )
        yield from lanes.promote(job.store_id, QUEUE, job.lane, now_ms)
    return settled


def failed(job: Leased, url: str, gone: str, compose: Compose, now_ms: int) -> Operation[int]:
    """A post did not arrive. A webhook that is gone, or has failed for days, is turned off, and its owner told; how many mails that owes.

    Args:
        url: where it was tried; a webhook that is elsewhere by now is not blamed.
        gone: why it must not be tried any more; empty: it may.
    """
    rows = yield Statement("select account_id, failing_ms from webhooks where id = $1 and url = $2 and off_ms = 0", (job.recipient, url))
    if not rows or job.moment == PING:
        return 0
    account_id, since_ms = rows[0]
    if not gone and not (since_ms and now_ms - since_ms >= FAILING_MS):
        if not since_ms:
            yield from changed(
                "update webhooks set failing_ms = $3 where id = $1 and url = $2 and failing_ms = 0", job.recipient, url, now_ms
            )
        return 0
    webhook = yield from webhooks.turn_off(account_id, job.recipient, url, gone or "Nothing has arrived there for five days.", now_ms)
    if webhook is None:
        return 0
    found = yield Statement("select email from accounts where id = $1 and confirmed_ms > 0", (account_id,))
    owed = compose(webhook, found[0][0]) if found else ()
    return (yield from owe(f"account-{account_id}", f"webhook-{job.recipient}-{now_ms}", owed, now_ms))


def forget(before_ms: int, limit: int) -> Operation[int]:
    """Delete some posts that ended before a time; how many."""
    rows = yield Statement(
        "delete from jobs where (store_id, id) in (select store_id, id from jobs where ended_ms > 0 and ended_ms < $1 and queue = $3"
        " order by ended_ms limit $2) returning store_id, id",
        (before_ms, limit, QUEUE),
    )
    if rows:
        yield from attempts.forget([(row[0], row[1]) for row in rows])
    return len(rows)
