"""Messages that are kept instead of sent: written as their delivery ends, read by whom they concern, deleted with the rest."""

from __future__ import annotations

from msgspec import Struct

from realtime.model import Job, JobState, Notice
from realtime.operations import jobs, notices
from realtime.operations.changes import Change
from realtime.storage.statement import Operation, Statement

CAPTURED = "captured"
"""How a delivery ended that was kept."""
NOT_SENT = "kept in the outbox, not sent"
"""What became of a report's: nothing is deleted as if it had arrived."""


class Kept(Struct, frozen=True):
    store_id: str
    """Whose it is; see schema.sql."""
    id: str
    """The delivery's."""
    at_ms: int
    notifier: str
    recipient: str
    moment: str
    subject: str
    text: str
    html: str


_KEPT = "store_id, id, at_ms, notifier, recipient, moment, subject, text, html"


def keep(job: Job, kept: Kept, now_ms: int) -> Operation[Change]:
    """End a delivery with its message kept. One that carries a report does not count as delivered: somebody must download it.

    Raises:
        LeaseLost: somebody else has the delivery; nothing was kept.
    """
    if job.ticket_id:
        notice = Notice(job.delivery.notifier, job.delivery.moment, CAPTURED, now_ms, "")
        change = yield from notices.settle(job, JobState.DONE, CAPTURED, notice, now_ms)
    else:
        state, outcome = (JobState.DEAD, NOT_SENT) if job.delivery.needs_report else (JobState.DONE, CAPTURED)
        if not (yield from jobs.settle(job.store_id, job.id, job.lease, state, outcome, now_ms)):
            raise notices.LeaseLost
        change = Change(True)
    yield Statement(
        f"insert into outbox ({_KEPT}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (store_id, id) do update set"
        " at_ms = excluded.at_ms, recipient = excluded.recipient, subject = excluded.subject, text = excluded.text, html = excluded.html",
        (
            kept.store_id, kept.id, kept.at_ms, kept.notifier, kept.recipient, kept.moment, kept.subject, kept.text, kept.html,
        ),
    )  # fmt: skip
    return change


def of_account(account_id: str, limit: int) -> Operation[list[Kept]]:
    """What an owner and the guests of their stores would have got, the newest first."""
    found = yield Statement(
        f"select {_KEPT} from outbox where store_id = $2 or store_id like $3 or store_id in (select id from stores where account_id = $1)"
        " order by at_ms desc, id desc limit $4",
        (account_id, f"account-{account_id}", f"account-{account_id}-%", limit),
    )
    return [Kept(*row) for row in found]


def of_no_store(limit: int) -> Operation[list[Kept]]:
    """What owners and the operator would have got themselves, the newest first: no guest is in it."""
    found = yield Statement(f"select {_KEPT} from outbox where store_id like 'account-%' order by at_ms desc, id desc limit $1", (limit,))
    return [Kept(*row) for row in found]


def forget(before_ms: int, limit: int) -> Operation[int]:
    """Delete what is old and belongs to no store; how many. A store's goes with its data."""
    gone = yield Statement(
        "delete from outbox where (store_id, id) in (select store_id, id from outbox where at_ms < $1"
        " and store_id like 'account-%' limit $2) returning id",
        (before_ms, limit),
    )
    return len(gone)
