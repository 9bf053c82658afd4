"""Alarms: what is wrong, since when, and whom it is told; once, however many processes look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from msgspec import Struct

from realtime.model import Delivery
from realtime.operations import leases
from realtime.operations.changes import owe
from realtime.storage.statement import Operation, Statement

OWNER = "account-operator"
"""Whose the deliveries are: no account's, and forgotten like one's."""
EMPTY: Mapping[str, str] = MappingProxyType({})
DEAD_LETTERS, BACKLOG, REPORTS, DELETIONS = "dead_letters", "backlog_age", "failed_reports", "missed_deletions"


class Figures(Struct, frozen=True):
    """What alarms are about. Each is 0 when all is well."""

    dead_letters: int
    backlog_seconds: int
    """How long the job that is ready has waited that waited longest, of queues that are not paused."""
    backlog_queue: str
    """Its queue; empty where nothing is ready."""
    backlog_count: int
    """How many are ready in that queue."""
    failed_reports: int
    """Closed stores whose report could not be delivered, or goes to nobody."""
    missed_deletions: int
    """Stores that should have been closed and deleted and were not."""


FIRST_READY = (
    "with recursive names (name) as ("
    "select (select queue from jobs where state = 'waiting' and head = 1 order by queue limit 1) union all"
    " select (select queue from jobs where state = 'waiting' and head = 1 and queue > names.name order by queue limit 1) from names"
    " where name is not null), each (priority) as (select 0 union all select 1 union all select 2 union all select 3)"
    " select name, (select ready_ms from jobs where queue = names.name and state = 'waiting' and head = 1 and priority = each.priority"
    " order by ready_ms limit 1) from names cross join each where name is not null"
    " and not exists (select 1 from paused_queues where queue = names.name)"
)
_READY = (
    "select (select count(*) from jobs where queue = $1 and state = 'waiting' and head = 1 and ready_ms <= $2)"
    " + (select count(*) from jobs where queue = $1 and state = 'leased' and leased_until_ms <= $2)"
)


def _oldest(now_ms: int) -> Operation[tuple[int, str]]:
    """Since when the job that is ready could have been begun that waits longest, and its queue; now and nothing where none is.

    It leaps from queue to queue, so it costs what there are queues, not what waits in them.
    """
    paused = {row[0] for row in (yield Statement("select queue from paused_queues"))}
    first = [(ready_ms, name) for name, ready_ms in (yield Statement(FIRST_READY)) if ready_ms is not None]
    first += [(until_ms, name) for name, until_ms in (yield from leases.first_ends()).items() if name not in paused]
    return min((each for each in first if each[0] < now_ms), default=(now_ms, ""))


def figures(late_ms: int, now_ms: int) -> Operation[Figures]:
    """Look.

    Args:
        late_ms: how long after its closing time a store may take to be closed, and after its report to be deleted.
    """
    (dead,) = (yield Statement("select count(*) from dead_jobs"))[0]
    oldest, queue = yield from _oldest(now_ms)
    ready = 0
    if queue:
        ((ready,),) = yield Statement(_READY, (queue, now_ms))
    (reports,) = (
        yield Statement(
            f"select count(*) from stores s where s.state = 'reported' and {_UNFINISHED} and (exists ({_REPORT} and j.state = 'dead')"
            f" or not exists ({_REPORT}))"
        )
    )[0]
    (missed,) = (
        yield Statement(
            f"select count(*) from stores s where {_UNFINISHED} and ((s.state <> 'open' and s.state <> 'reported' and s.closed_ms < $1)"
            " or (s.state = 'open' and s.closes_ms < $1))",
            (now_ms - late_ms,),
        )
    )[0]
    return Figures(dead, (now_ms - oldest) // 1000, queue, ready, reports, missed)


_UNFINISHED = "s.state <> 'purged'"
_REPORT = "select 1 from jobs j where j.store_id = s.id and j.needs_report = 1"


class Raised(Struct, frozen=True):
    name: str
    figure: int
    since_ms: int

    @property
    def text(self) -> str:
        return sentence(self.name, self.figure)


def raised() -> Operation[list[Raised]]:
    """What is wrong now, as far as anybody has looked."""
    rows = yield Statement("select name, figure, since_ms from alarms order by since_ms, name")
    return [Raised(*row) for row in rows]


def sentence(name: str, figure: int) -> str:
    """What the operator reads."""
    one = figure == 1
    return {
        DEAD_LETTERS: f"{figure} {'job was given up and waits' if one else 'jobs were given up and wait'} for a decision.",
        BACKLOG: f"A job has been ready for {lasting(figure)} and nobody has taken it.",
        REPORTS: f"The report of {figure} closed {'store' if one else 'stores'} could not be delivered.",
        DELETIONS: f"The customers' data of {figure} closed {'store' if one else 'stores'} should have been deleted by now.",
    }[name]


def backlog(found: Figures) -> str:
    """Where the backlog is, and how much of it."""
    return f"{found.backlog_count} {'is' if found.backlog_count == 1 else 'are'} ready in the queue {found.backlog_queue}."


def lasting(seconds: int) -> str:
    """A while in words."""
    if seconds < 120:
        return f"{seconds} {'second' if seconds == 1 else 'seconds'}"
    if seconds < 7200:
        return f"{seconds // 60} minutes"
    return f"{seconds // 3600} hours" if seconds < 172_800 else f"{seconds // 86_400} days"


def look(
    wrong: dict[str, int],
    to: Sequence[tuple[str, str]],
    again_ms: int,
    link: str,
    now_ms: int,
    more: Mapping[str, str] = EMPTY,
) -> Operation[int]:
    """Remember what is wrong now, and owe the operator a message for what is new, lasts for long, or is over. Returns how many are owed.

    Args:
        wrong: the figure of each alarm that is above its threshold.
        to: notifier and recipient of each message.
        again_ms: after so long an alarm that lasts is told again.
        more: a sentence more about some of what is wrong.
    """
    owed = 0
    known = {each.name: each for each in (yield from raised())}
    for name, figure in sorted(wrong.items()):
        told = yield Statement(
            "insert into alarms (name, since_ms, told_ms, figure) values ($1, $2, $2, $3) on conflict (name) do update"
            " set told_ms = excluded.told_ms, figure = excluded.figure where alarms.told_ms <= $4 returning since_ms",
            (name, now_ms, figure, now_ms - again_ms),
        )
        if told:
            text = " ".join(each for each in (sentence(name, figure), more.get(name)) if each)
            owed += yield from _owe(name, text, told[0][0], to, link, now_ms)
        elif name in known and known[name].figure != figure:
            yield Statement("update alarms set figure = $2 where name = $1", (name, figure))
    for name in known.keys() - wrong.keys():
        over = yield Statement("delete from alarms where name = $1 returning since_ms", (name,))
        if over:
            owed += yield from _owe(f"{name}-over", _over(name), over[0][0], to, link, now_ms)
    return owed


def _over(name: str) -> str:
    return {
        DEAD_LETTERS: "There are no longer too many dead letters.",
        BACKLOG: "The backlog has been worked off.",
        REPORTS: "Every closed store's report is on its way or delivered.",
        DELETIONS: "Every closed store's data that had to be deleted is deleted.",
    }[name]


def _owe(name: str, text: str, since_ms: int, to: Sequence[tuple[str, str]], link: str, now_ms: int) -> Operation[int]:
    said = f"{text} {link}" if link else text
    body: dict[str, str | int | bool] = {"subject": f"nowserving: {text}", "text": said, "alarm": name, "since_ms": since_ms}
    deliveries = [Delivery(notifier, recipient, "alarm", body) for notifier, recipient in to]
    return (yield from owe(OWNER, f"{name}-{now_ms}", deliveries, now_ms))
