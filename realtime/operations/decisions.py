"""What an operator, or the account that put it in, decides about one job: try it now or at a time, or end it."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from realtime.operations import attempts, dead, leases, oversight, queue
from realtime.operations.oversight import Seen, Standing
from realtime.operations.receives import MESSAGES
from realtime.storage.statement import Operation, Statement


class Answer(StrEnum):
    """What became of something that an operator asked for."""

    DONE = "done"
    NOT_FOUND = "not_found"
    IN_FLIGHT = "in_flight"
    """A worker holds it."""
    WAS_DONE = "was_done"
    WAS_EXPIRED = "was_expired"
    WAS_CANCELLED = "was_cancelled"
    HELD = "held"
    """Its owner has to act first."""
    REPORT = "report"
    """It carries a store's report, about which only the store's owner may decide."""
    DEAD = "dead"
    """It was given up."""
    TOO_LATE = "too_late"
    """It is dropped before then."""


class Decided(Struct, frozen=True):
    """What became of it."""

    answer: Answer
    queue: str = ""
    lost: tuple[str, ...] = ()
    """Its notifier or handler, where its last lease turned out to have ended without an answer."""


_WAS = {"done": Answer.WAS_DONE, "expired": Answer.WAS_EXPIRED, "cancelled": Answer.WAS_CANCELLED}


def retry(owner: str, id_: str, now_ms: int, *, receives: int = 0) -> Operation[Decided]:
    """Let a job be tried now: one that waits loses its delay, a dead letter goes back to its old place.

    Args:
        receives: how often a message is received at most.
    """
    found, lost = yield from _settled(owner, id_, receives, now_ms)
    if found is None:
        return Decided(Answer.NOT_FOUND)
    return Decided((yield from _retry(found, now_ms)), found.queue, lost)


def _settled(owner: str, id_: str, receives: int, now_ms: int) -> Operation[tuple[Seen | None, tuple[str, ...]]]:
    """A job, once a lease of it that ended is settled; and whose lease that was."""
    lost: tuple[str, ...] = ()
    found = yield from oversight.find(owner, id_, now_ms)
    if found and found.lapsed:
        lost = yield from _settle(found, receives if found.queue.startswith(MESSAGES) else 0, now_ms)
        found = yield from oversight.find(owner, id_, now_ms)
    return found, lost


def _settle(found: Seen, most: int, now_ms: int) -> Operation[tuple[str, ...]]:
    """Whose lease ended, unless another has settled that meanwhile."""
    return (found.notifier,) if (yield from leases.settle_one(found.owner, found.id, most, now_ms)) else ()


def _retry(found: Seen, now_ms: int) -> Operation[Answer]:
    if found.standing is Standing.DEAD and not found.needs_report:
        again = yield from dead.put_back(found.owner, found.id, now_ms)
        return Answer.DONE if again else Answer.NOT_FOUND
    if refusal := _refusal(found):
        return refusal
    rows = yield Statement(
        "update jobs set state = 'waiting', due_ms = $3, ready_ms = $3, ended_ms = 0,"
        " attempts = case when state = 'dead' then 0 else attempts end, head = case when state = 'dead' then 1 else head end"
        " where store_id = $1 and id = $2 and (state = 'waiting' or (state = 'dead' and needs_report = 1)) returning id",
        (found.owner, found.id, now_ms),
    )
    if rows and found.standing is Standing.DEAD:
        yield from attempts.set_aside(found.owner, found.id)
    return Answer.DONE if rows else Answer.IN_FLIGHT


def _refusal(found: Seen) -> Answer | None:
    """Why it cannot be said when a job is tried; None where it can."""
    return {Standing.IN_FLIGHT: Answer.IN_FLIGHT, Standing.ENDED: _WAS.get(found.state), Standing.HELD: Answer.HELD}.get(found.standing)


def reschedule(owner: str, id_: str, due_ms: int, now_ms: int, *, receives: int = 0) -> Operation[Decided]:
    """Let a job that waits be tried at a time, and not before; it keeps its place in its lane.

    Args:
        receives: how often a message is received at most.
    """
    found, lost = yield from _settled(owner, id_, receives, now_ms)
    if found is None:
        return Decided(Answer.NOT_FOUND)
    return Decided((yield from _reschedule(found, max(due_ms, now_ms))), found.queue, lost)


def _reschedule(found: Seen, due_ms: int) -> Operation[Answer]:
    refusal = Answer.DEAD if found.standing is Standing.DEAD else _refusal(found)
    if refusal:
        return refusal
    rows = yield Statement(
        "update jobs set due_ms = $3, ready_ms = $3 where store_id = $1 and id = $2 and state = 'waiting'"
        " and (not_after_ms = 0 or not_after_ms > $3) returning id",
        (found.owner, found.id, due_ms),
    )
    if rows:
        return Answer.DONE
    waits = yield Statement("select 1 from jobs where store_id = $1 and id = $2 and state = 'waiting'", (found.owner, found.id))
    return Answer.TOO_LATE if waits else Answer.IN_FLIGHT


def cancel(owner: str, id_: str, now_ms: int) -> Operation[Decided]:
    """End a job that nobody holds, or delete a dead letter; its lane goes on."""
    lost: tuple[str, ...] = ()
    found = yield from oversight.find(owner, id_, now_ms)
    if found and found.lapsed and not found.needs_report:
        lost = yield from _settle(found, 0, now_ms)
        found = yield from oversight.find(owner, id_, now_ms)
    if found is None:
        return Decided(Answer.NOT_FOUND)
    return Decided((yield from _cancel(found, now_ms)), found.queue, lost)


def _cancel(found: Seen, now_ms: int) -> Operation[Answer]:
    if found.needs_report:
        return Answer.REPORT
    if found.standing is Standing.DEAD:
        gone = yield from dead.let_go(found.owner, found.id, now_ms)
        return Answer.DONE if gone else Answer.NOT_FOUND
    if found.standing is Standing.ENDED:
        return _WAS[found.state]
    ended = yield from queue.cancel(found.owner, found.id, now_ms)
    return Answer.DONE if ended else Answer.IN_FLIGHT
