"""The statements with which jobs are claimed - through partial indexes that hold nothing but what can be claimed - and what a claim brings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from realtime.operations import attempts, pauses

T = TypeVar("T")

PRIORITIES = 4
NOW = "(extract(epoch from clock_timestamp()) * 1000)::bigint"
"""Leases go by Postgres's clock: the processes' own may differ."""

_PICK = "select store_id, id{more} from jobs where queue = $1 and "
_LAPSED = _PICK + "state = 'leased' and leased_until_ms <= {now}{room} order by leased_until_ms limit $4 {lock}"
_OF_PRIORITY = _PICK + (
    "state = 'waiting' and head = 1 and priority = {priority} and ready_ms <= $5{room} order by ready_ms, id limit $4 {lock}"
)


def _candidates(more: str = "", room: str = "") -> str:
    """What can be claimed, in its order: leases that ended, then what waits, by priority.

    Args:
        more: columns besides the id; `{turn}` in it counts the parts of that order.
        room: a further condition.
    """
    parts = [_LAPSED, *(_OF_PRIORITY.replace("{priority}", str(each)) for each in range(PRIORITIES))]
    return " union all ".join(
        f"select * from ({part.replace('{more}', more.replace('{turn}', str(at))).replace('{room}', room)}) as p{at}"
        for at, part in enumerate(parts)
    )


_OF_NOTIFIER = (
    "select * from ("
    + _PICK.format(more="")
    + "state = 'leased' and leased_until_ms <= {now} and notifier = $7 order by leased_until_ms limit $4 {lock}) as l"
    " union all select * from ("
    + _PICK.format(more="")
    + "state = 'waiting' and head = 1 and notifier = $7 and notifier <> '' and ready_ms <= $5"
    " order by ready_ms, id limit $4 {lock}) as w"
)
_PICKED = f"with picked as materialized (select * from ({{candidates}}) as c where {pauses.NOT_PAUSED} limit $4)"
# Where each owner may have so many in flight, whoever has is passed by, and of the others no more are picked than they have room for.
_BUSY = "busy as materialized (select store_id, count(*) as held from jobs where queue = $1 and state = 'leased' and leased_until_ms > {now} group by store_id)"
_TURNS = _candidates(", ready_ms, {turn} as turn", " and store_id not in (select store_id from busy where held >= $7)")
_PICKED_EACH = (
    f"with {_BUSY}, picked as materialized (select nth.store_id, nth.id from (select c.*, row_number() over"
    f" (partition by store_id order by turn, ready_ms, id) as number from ({_TURNS}) as c) as nth left join busy on busy.store_id = nth.store_id"
    f" where nth.number + coalesce(busy.held, 0) <= $7 and {pauses.NOT_PAUSED} order by turn, ready_ms, id limit $4)"
)
_TAKEN = (
    "update jobs set state = 'leased', attempts = attempts + 1, lease = $2, leased_until_ms = {now} + $3, worker = $6"
    " where (store_id, id) in (select store_id, id from picked) returning store_id, id, queue, lane, body, attempts, leased_until_ms,"
    " created_ms, notifier, recipient, moment, not_after_ms, needs_report, max_attempts, priority, ready_ms, ticket_id, called_ms, outcome, trace"
)


def _statements(picked: str) -> tuple[str, str]:
    """A claim on SQLite and on Postgres. Each round trip to Postgres costs more than what it asks for, so there it records the attempts, too."""
    begun = f"{picked}, claimed as ({_TAKEN}), begun as ({attempts.BEGUN_BY_CLAIM}) select * from claimed"
    return f"{picked} {_TAKEN}".format(now="$5", lock=""), begun.format(now=NOW, lock="for update skip locked")


CLAIM_SQLITE, CLAIM_POSTGRES = _statements(_PICKED.replace("{candidates}", _candidates()))
CLAIM_OF_SQLITE, CLAIM_OF_POSTGRES = _statements(_PICKED.replace("{candidates}", _OF_NOTIFIER))
CLAIM_EACH_SQLITE, CLAIM_EACH_POSTGRES = _statements(_PICKED_EACH)


class Claimed(list[T]):
    """What was leased.

    Args:
        lost: the notifier or handler of each attempt that the claim found ended without an answer. Each is found once.
        again: it was asked for before, and this is what is left of the answer.
    """

    def __init__(self, held: Iterable[T] = (), lost: Iterable[str] = (), *, again: bool = False) -> None:
        super().__init__(held)
        self.lost = list(lost)
        self.again = again
