"""The job service's jobs of one account: those that wait, those that ended, and dead letters, as one list."""

from __future__ import annotations

from msgspec import Struct

from realtime.storage.statement import Operation, Row, Statement

QUEUE = "service"
"""One queue for all accounts: whoever works takes from it, and lanes are each account's own."""
STATES = {
    "PENDING": ("waiting", "leased"),
    "SUCCESS": ("done",),
    "FAILED": ("dead", "expired", "cancelled"),
}
STATUS = {state: status for status, states in STATES.items() for state in states}


LAST = "9" * 20
"""Behind every id."""


def owner(account_id: str) -> str:
    """Under which an account's jobs are kept, apart from its messages."""
    return f"account-{account_id}-jobs"


def account_of(owner: str) -> str:
    return owner.removeprefix("account-").removesuffix("-jobs")


class KnownJob(Struct, frozen=True):
    id: str
    state: str
    attempts: int
    created_ms: int
    handler: str
    lane: str
    outcome: str


class Attempt(Struct, frozen=True):
    number: int
    started_ms: int
    ended_ms: int
    outcome: str
    detail: str


_LIVE = "select id, state, attempts, created_ms, notifier, lane, outcome from jobs where store_id = $1"
_DEAD = "select id, 'dead', attempts, created_ms, notifier, lane, outcome from dead_jobs where store_id = $1"


def page(owner: str, status: str, before: str, limit: int, since: str = "", lane: str = "") -> Operation[list[KnownJob]]:
    """An owner's jobs, the newest first, those before an id and not before `since`; of one status and lane, or with an empty one all."""
    parts = []
    states = STATES.get(status, ())
    either = " or ".join(f"state = '{state}'" for state in states)
    wanted = f" and ({either})" if states else ""
    wanted += " and lane = $5" if lane else " and $5 = ''"
    parts.append(f"select * from ({_LIVE} and id < $2 and id >= $4{wanted} order by id desc limit $3) as live")
    if status in ("", "FAILED"):
        of_lane = " and lane = $5" if lane else ""
        parts.append(f"select * from ({_DEAD} and id < $2 and id >= $4{of_lane} order by id desc limit $3) as dead")
    rows = yield Statement(f"{' union all '.join(parts)} order by 1 desc limit $3", (owner, before or LAST, limit, since, lane))
    return [_job(row) for row in rows]


def one(owner: str, id_: str) -> Operation[tuple[KnownJob, list[Attempt]] | None]:
    """A job and its attempts, the first one first; None when there is none, or it ended long ago."""
    rows = yield Statement(f"{_LIVE} and id = $2 union all {_DEAD} and id = $2", (owner, id_))
    if not rows:
        return None
    tries = yield Statement(
        "select number, started_ms, ended_ms, outcome, detail from attempts where store_id = $1 and job_id = $2 order by started_ms, number",
        (owner, id_),
    )
    return _job(rows[0]), [Attempt(at, *row[1:]) for at, row in enumerate(tries, 1)]


def _job(row: Row) -> KnownJob:
    return KnownJob(*row)
