"""The queues as an operator sees them: how much stands where, and single jobs with their attempts."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from realtime.operations import attempts, leases, posts, services
from realtime.operations.changes import DELIVERIES, HELD_MS
from realtime.operations.claims import NOW
from realtime.operations.receives import MESSAGES
from realtime.storage.statement import Operation, Row, Statement

BUILT_IN = (DELIVERIES, services.QUEUE, posts.QUEUE)


class Standing(StrEnum):
    """Where a job stands; `JobState`, told apart further."""

    READY = "ready"
    """Can be claimed: it waits, or its last lease ended without an answer."""
    DEFERRED = "deferred"
    """Not due yet."""
    BEHIND = "behind"
    """Not first in its lane."""
    HELD = "held"
    """Waits until its owner has confirmed their address."""
    IN_FLIGHT = "in_flight"
    DEAD = "dead"
    ENDED = "ended"
    """Done, expired or cancelled."""


class Backlog(Struct, frozen=True, kw_only=True):
    """One queue in figures."""

    queue: str
    ready: int = 0
    deferred: int = 0
    behind: int = 0
    held: int = 0
    in_flight: int = 0
    dead: int = 0
    oldest_ready_ms: int = 0
    """Since when the longest waiting job could have been claimed; 0: none can."""
    blocked_lanes: int = 0
    paused_ms: int = 0
    """Since when it is paused; 0: it is not."""


HEADS = (
    "select queue, count(case when ready_ms <= $1 then 1 end), count(case when ready_ms > $1 and ready_ms < $2 then 1 end),"
    " count(case when ready_ms >= $2 then 1 end), min(case when ready_ms <= $1 then ready_ms end)"
    " from jobs where state = 'waiting' and head = 1 group by queue"
)
BEHIND = (
    "select queue, count(*) from jobs where lane <> '' and state in ('waiting', 'leased') and state = 'waiting' and head = 0 group by queue"
)
LEASED = (
    "select queue, count(case when leased_until_ms > $1 then 1 end), count(case when leased_until_ms <= $1 then 1 end),"
    " min(case when leased_until_ms <= $1 then leased_until_ms end) from jobs where state = 'leased' group by queue"
)
LEASED_POSTGRES = LEASED.replace("$1", NOW).replace(" group by", " and $1::bigint is not null group by")
DEAD = "select queue, count(*) from dead_jobs group by queue"
BLOCKED = "select queue, count(*) from (select distinct store_id, queue, lane from dead_jobs where blocks = 1) as lanes group by queue"
# A report stays among the jobs of its store. SQLite takes the tables of a cross join in this order.
REPORTS = (
    "select j.queue, count(*) from stores s cross join jobs j where s.state <> 'purged' and s.closed_ms > 0 and j.store_id = s.id"
    " and j.state = 'dead' and j.needs_report = 1 group by j.queue"
)
COUNTS = (HEADS, BEHIND, LEASED, DEAD, BLOCKED, REPORTS)


def backlogs(now_ms: int) -> Operation[list[Backlog]]:
    """Every queue that holds anything pending or dead, or is paused, by name. Costs what is pending, not what has ended."""
    found: dict[str, dict[str, int]] = {}
    for name, ready, deferred, held, oldest in (yield Statement(HEADS, (now_ms, HELD_MS))):
        found[name] = {"ready": ready, "deferred": deferred, "held": held, "oldest_ready_ms": oldest or 0}
    for name, in_flight, lapsed, ended_ms in (yield Statement(LEASED, (now_ms,), LEASED_POSTGRES)):
        of_queue = found.setdefault(name, {})
        of_queue["in_flight"] = in_flight
        if lapsed:
            of_queue["ready"] = of_queue.get("ready", 0) + lapsed
            of_queue["oldest_ready_ms"] = min(of_queue.get("oldest_ready_ms") or ended_ms, ended_ms)
    for field, sql in (("behind", BEHIND), ("dead", DEAD), ("blocked_lanes", BLOCKED), ("dead", REPORTS)):
        for name, count in (yield Statement(sql)):
            of_queue = found.setdefault(name, {})
            of_queue[field] = of_queue.get(field, 0) + count
    for name, since_ms in (yield Statement("select queue, since_ms from paused_queues")):
        found.setdefault(name, {})["paused_ms"] = since_ms
    return [Backlog(queue=name, **figures) for name, figures in sorted(found.items())]


class Seen(Struct, frozen=True):
    """A job as an operator sees it: never what it says, and nobody's address in full."""

    owner: str
    id: str
    queue: str
    lane: str
    standing: Standing
    state: str
    attempts: int
    due_ms: int
    leased_until_ms: int
    worker: str
    outcome: str
    created_ms: int
    ended_ms: int
    notifier: str
    recipient: str
    moment: str
    needs_report: bool
    bytes: int
    lapsed: bool
    """Its last lease ended without an answer."""


_LIVE = (
    "select store_id, id, queue, lane, state, head, attempts, due_ms, leased_until_ms, worker, outcome, created_ms, ended_ms, notifier,"
    " recipient, moment, needs_report, length(body), case when leased_until_ms <= {clock} then 1 else 0 end from jobs"
)
_BURIED = (
    "select store_id, id, queue, lane, 'dead', 0, attempts, 0, 0, '', outcome, created_ms, died_ms, notifier,"
    " recipient, moment, 0, length(body), 0 from dead_jobs"
)
_ORDER = "order by queue, priority, ready_ms, id"
# What each standing means, how its list is sorted, and which of the list's own parameters it uses.
_WHERE = {
    Standing.READY: ("state = 'waiting' and head = 1 and ready_ms <= {now}", _ORDER),
    Standing.DEFERRED: ("state = 'waiting' and head = 1 and ready_ms > {now} and ready_ms < {held}", _ORDER),
    Standing.HELD: ("state = 'waiting' and head = 1 and ready_ms >= {held}", _ORDER),
    Standing.BEHIND: (
        "lane <> '' and state in ('waiting', 'leased') and state = 'waiting' and head = 0",
        "order by store_id, queue, lane, place",
    ),
    Standing.IN_FLIGHT: ("state = 'leased' and leased_until_ms > {clock}", "order by queue, leased_until_ms"),
    Standing.ENDED: ("ended_ms > 0", "order by ended_ms desc"),
}
_LAPSED = (leases.ENDED + "{clock}", "order by queue, leased_until_ms")


def page(standing: Standing, queue_name: str, owner: str, limit: int, now_ms: int, *, blocking: bool = False) -> Operation[list[Seen]]:
    """Up to `limit` jobs of one standing, in the order in which their turn comes; what ended: the newest first.

    Args:
        queue_name, owner: only theirs; empty: everybody's.
        blocking: of the dead letters only those for which a lane waits.
    """
    more, args = "", [limit]
    for column, value in (("queue", queue_name), ("store_id", owner)):
        if value:
            args.append(value)  # type: ignore[arg-type]  # texts and a number
            more += f" and {column} = ${len(args)}"
    if blocking:
        rows = yield Statement(f"{_BURIED} where blocks = 1{more} order by died_ms, id limit $1", tuple(args))
    elif standing is Standing.DEAD:
        rows = yield Statement(f"{_BURIED} where died_ms > 0{more} order by died_ms, id limit $1", tuple(args))
        if len(rows) < limit:
            reports = yield _by_clock(
                f"{_LIVE} where ended_ms > 0 and state = 'dead'{more} order by ended_ms desc limit $1", tuple(args), now_ms
            )
            rows = [*rows, *reports][:limit]
    else:
        rows = []
        for where, order in (_LAPSED, _WHERE[standing]) if standing is Standing.READY else (_WHERE[standing],):
            rows += yield _by_clock(f"{_LIVE} where {where}{more} {order} limit $1", tuple(args), now_ms)
        if standing is Standing.READY:  # what lapsed goes first, within each queue
            rows = sorted(rows, key=lambda row: str(row[2]))[:limit]
    return [_seen(row, now_ms) for row in rows]


def _by_clock(sql: str, args: tuple[str | int, ...], now_ms: int) -> Statement:
    """Leases go by the database's clock, the rest by the process's."""
    sqlite, postgres = (sql.format(clock=clock, now=int(now_ms), held=HELD_MS) for clock in (int(now_ms), NOW))
    return Statement(sqlite, args, postgres)


class Tried(Struct, frozen=True):
    number: int
    worker: str
    started_ms: int
    ended_ms: int
    outcome: str
    detail: str
    counted: bool
    """False: it was given back, or its job has begun anew since."""


def one(owner: str, id_: str, now_ms: int) -> Operation[tuple[Seen, list[Tried]] | None]:
    """A job and its attempts, the first one first; None when there is none."""
    found = yield from find(owner, id_, now_ms)
    if found is None:
        return None
    rows = yield Statement(
        "select worker, started_ms, ended_ms, outcome, detail, number from attempts where store_id = $1 and job_id = $2 order by started_ms, number",
        (owner, id_),
    )
    tries = [_tried(at, row) for at, row in enumerate(rows, 1)]
    if found.lapsed and tries and not tries[-1].ended_ms:
        tries[-1] = replace(tries[-1], ended_ms=found.leased_until_ms, outcome="lost", detail=attempts.LOST)
    return found, tries


def _tried(at: int, row: Row) -> Tried:
    worker, started_ms, ended_ms, outcome, detail, number = row
    return Tried(at, worker, started_ms, ended_ms, outcome, detail, number > 0)


def find(owner: str, id_: str, now_ms: int) -> Operation[Seen | None]:
    """A job, wherever it stands; None when there is none."""
    sql = f"{_LIVE} where store_id = $1 and id = $2 union all {_BURIED} where store_id = $1 and id = $2"
    rows = yield _by_clock(sql, (owner, id_), now_ms)
    return _seen(rows[0], now_ms) if rows else None


def _seen(row: Row, now_ms: int) -> Seen:
    owner, id_, queue_name, lane, state, head, attempts, due_ms, until_ms, worker, outcome, created_ms, ended_ms, *rest = row
    notifier, recipient, moment, needs_report, size, lease_ended = rest
    lapsed = state == "leased" and bool(lease_ended)
    if recipient:
        lane = lane.partition(":")[0]  # a delivery's lane is its recipient
    standing = Standing.READY if lapsed else _standing(state, head, due_ms, now_ms)
    return Seen(
        owner, id_, queue_name, lane, standing, state, attempts, due_ms if standing in _DUE else 0, until_ms, worker, outcome, created_ms,
        ended_ms, notifier, covered(recipient), moment, bool(needs_report), size, lapsed,
    )  # fmt: skip


_DUE = (Standing.READY, Standing.DEFERRED, Standing.BEHIND)


def _standing(state: str, head: int, due_ms: int, now_ms: int) -> Standing:
    if state == "waiting":
        if not head:
            return Standing.BEHIND
        return Standing.READY if due_ms <= now_ms else Standing.HELD if due_ms >= HELD_MS else Standing.DEFERRED
    return {"leased": Standing.IN_FLIGHT, "dead": Standing.DEAD}.get(state, Standing.ENDED)


def covered(recipient: str) -> str:
    """An address or number of which enough is left to tell two apart."""
    if len(recipient) < 8:
        return "…" if recipient else ""
    name, at, host = recipient.rpartition("@")
    return f"{name[:1]}…{at}{host}" if at else f"{recipient[:3]}…{recipient[-2:]}"


def known(name: str) -> Operation[bool]:
    """Whether there is a queue of this name: one that this installation works on itself, or one that holds something, or did lately, or is paused."""
    if name in BUILT_IN:
        return True
    account = name.split("/")[1] if name.startswith(MESSAGES) else ""
    rows = yield Statement(
        "select 1 where exists (select 1 from jobs where queue = $1 and state = 'waiting' and head = 1)"
        " or exists (select 1 from jobs where queue = $1 and state = 'leased') or exists (select 1 from dead_jobs where queue = $1)"
        " or exists (select 1 from paused_queues where queue = $1) or exists (select 1 from jobs where store_id = $2 and queue = $1)",
        (name, f"account-{account}"),
    )
    return bool(rows)
