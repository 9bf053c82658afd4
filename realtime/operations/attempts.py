"""Attempts: one row for each time a job was claimed - who had it, from when to when, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import json

from realtime.storage.statement import NOTHING, Operation, Row, Statement, changed

_ASIDE = 1_000_000_000
KEPT = 50
"""So many attempts of one job are kept, the newest."""
LOST = "its worker ended without an answer"
LONGEST_MS = 12 * 3_600_000
"""However often its lease is extended, an attempt is over so long after the claim: who still extends may hang all the same."""
BEGAN = "coalesce((select started_ms from attempts where store_id = $1 and job_id = $2 and number = jobs.attempts), $4)"
"""When a job was claimed last, for a statement about $1's job $2 at $4."""


def given_up(tries: int, why: str) -> str:
    """Why there was no further attempt, with the reason of the last one."""
    return f"given up after {tries} {'attempt' if tries == 1 else 'attempts'}: {why}"


_BEGUN = (
    "insert into attempts (store_id, job_id, number, worker, started_ms) {each} on conflict (store_id, job_id, number) do update"
    " set worker = excluded.worker, started_ms = excluded.started_ms, ended_ms = 0, outcome = '', detail = ''"
)
_BEGUN_EACH = _BEGUN.format(each="values ($1, $2, $3, $4, $5)")
BEGUN_BY_CLAIM = _BEGUN.format(each="select store_id, id, attempts, $6, $5 from claimed")
"""For a claim on Postgres: what `begun` does, of the rows that are `claimed`."""

_OLDEST = (
    "delete from attempts where store_id = $1 and job_id = $2 and number in (select number from attempts where store_id = $1 and job_id = $2"
    " and number <> $4 order by started_ms desc, number desc limit 1000000 offset $3)"
)
"""For a statement that forgets all attempts at a job but number $4 and the newest $3 of the others."""


def begun(rows: Sequence[Row], worker: str, now_ms: int) -> Operation[None]:
    """Record an attempt at each job that was claimed, from what the claim has said: not from a look at everything that is in flight."""
    yield Statement(_BEGUN_EACH, (), NOTHING, [(row[0], row[1], row[5], worker, now_ms) for row in rows])
    if again := [(row[0], row[1], KEPT - 1, row[5]) for row in rows if row[5] > 1]:
        yield Statement(_OLDEST, each=again)


def lost(before: Sequence[tuple[str, str, int]], now_ms: int) -> Operation[set[tuple[str, str]]]:
    """Of the attempts before those that were just begun, note which have ended without an answer."""
    found = set()
    for store_id, id_, number in before:
        count = yield from changed(
            "update attempts set ended_ms = $4, outcome = 'lost', detail = $5 where store_id = $1 and job_id = $2 and number = $3 and ended_ms = 0",
            store_id, id_, number, now_ms, LOST,
        )  # fmt: skip
        if count:
            found.add((store_id, id_))
    return found


def untried(store_id: str, id_: str, number: int) -> Operation[None]:
    """Take back an attempt that a claim began and that nobody was given: its job was ended instead."""
    yield Statement("delete from attempts where store_id = $1 and job_id = $2 and number = $3", (store_id, id_, number))
    for table in ("jobs", "dead_jobs"):
        yield Statement(
            f"update {table} set attempts = attempts - 1 where store_id = $1 and id = $2 and attempts = $3", (store_id, id_, number)
        )


def ended(store_id: str, id_: str, number: int, outcome: str, detail: str, now_ms: int, *, postgres: str = "") -> Operation[None]:
    """Record how an attempt went; on Postgres by another text, where it is recorded already."""
    yield Statement(
        "update attempts set ended_ms = $4, outcome = $5, detail = $6 where store_id = $1 and job_id = $2 and number = $3",
        (store_id, id_, number, now_ms, outcome, detail),
        postgres,
    )


def uncounted(store_id: str, id_: str, number: int) -> Operation[None]:
    """An attempt that does not count stays, under a number below those that do: the next one gets its own."""
    yield Statement(
        "update attempts set number = coalesce((select min(number) - 1 from attempts where store_id = $1 and job_id = $2 and number < 1), 0)"
        " where store_id = $1 and job_id = $2 and number = $3",
        (store_id, id_, number),
    )
    yield from _make_room(store_id, id_)


def set_aside(store_id: str, id_: str) -> Operation[None]:
    """A job begins anew: the attempts so far stay, numbered up to 0, before those that come."""
    rows = yield Statement("select max(number) from attempts where store_id = $1 and job_id = $2", (store_id, id_))
    if last := rows[0][0]:
        for by in (_ASIDE, last - _ASIDE):  # in one step a number could be taken by a row that has not moved yet
            yield Statement("update attempts set number = number - $3 where store_id = $1 and job_id = $2", (store_id, id_, by))
        yield from _make_room(store_id, id_)


def _make_room(store_id: str, id_: str) -> Operation[None]:
    """Forget the oldest attempts, so that with the next one there are no more than are kept."""
    yield Statement(_OLDEST, (store_id, id_, KEPT - 1, _ASIDE))  # no attempt has this number


def forget(jobs: Sequence[tuple[str, str]]) -> Operation[None]:
    """Delete the attempts at these jobs, each named by owner and id."""
    yield Statement(
        "delete from attempts where (store_id, job_id) in (select json_extract(value, '$[0]'), json_extract(value, '$[1]') from json_each($1))",
        (json.encode(jobs).decode(),),
        "delete from attempts using json_array_elements($1::json) as e where store_id = e ->> 0 and job_id = e ->> 1",
    )
