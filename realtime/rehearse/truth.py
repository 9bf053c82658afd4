"""What really is: the rows of the server's SQLite file, or its answer to the owner where that is out of reach."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from realtime.rehearse.view import Json

_TICKET = (
    "id queue_id number state desk place name phone email party walk_in calls joined_ms called_ms served_ms ended_ms".split()  # noqa: SIM905 - reads like the table
)
_QUEUE = "id name waiting_text end_text paused pace_ms".split()  # noqa: SIM905 - reads like the table
_STORE = "id name description timezone accent state opened_ms closes_ms almost_at board_code".split()  # noqa: SIM905 - reads like the table
EMPTIED = ("tickets", "codes", "events", "answers", "reports", "report_files", "jobs", "dead_jobs", "attempts")
"""Tables in which nothing of a store is left once its data is deleted."""


class Truth(Struct, frozen=True):
    """A store at one moment, in the shapes of the wire."""

    origin: str
    """"the database" or "the server", for sentences."""
    seq: int
    store: Json
    queues: dict[str, Json]
    tickets: dict[int, Json]
    """All; from the server only those it still shows."""
    events: dict[int, Json]
    """Public bodies by seq, as far as they are known."""
    faults: tuple[str, ...] = ()
    """What is wrong with it by itself."""


def from_server(snapshot: Json, seq: int, events: dict[int, Json]) -> Truth:
    """The owner's snapshot, read while nothing happened after event `seq`."""
    return Truth(
        "the server",
        seq,
        snapshot["store"],
        {queue["id"]: queue for queue in snapshot["queues"]},
        {ticket["id"]: ticket for ticket in snapshot["tickets"]},
        events,
    )


def from_database(file: Path, store_id: str, personal: str) -> Truth:
    """The rows, read while the server runs. `personal` is a pattern (SQL like) of what no public event may hold. Blocks."""
    with closing(_open(file)) as database:
        database.execute("begin")  # one snapshot for all of it
        seq = database.execute("select seq from stores where id = ?", (store_id,)).fetchone()[0]
        store = _rows(database, _STORE, "stores where id = ?", store_id)[0]
        queues = [_queue(row) for row in _rows(database, _QUEUE, "queues where store_id = ? order by id", store_id)]
        tickets = [_ticket(row) for row in _rows(database, _TICKET, "tickets where store_id = ?", store_id)]
        events = database.execute("select seq, public from events where store_id = ? order by seq", (store_id,)).fetchall()
        return Truth(
            "the database",
            seq,
            {**store, "board_code": bool(store["board_code"])},
            {queue["id"]: queue for queue in queues},
            {ticket["id"]: ticket for ticket in tickets},
            {number: msgspec.json.decode(body) for number, body in events},
            tuple(_faults(database, store_id, seq, [number for number, _ in events], personal)),
        )


def left(file: Path, store_id: str) -> dict[str, int]:
    """How many rows of a store there are, by table; those without any are left out. Blocks."""
    with closing(_open(file)) as database:
        counts = {
            table: database.execute(f"select count(*) from {table} where store_id = ?", (store_id,)).fetchone()[0] for table in EMPTIED
        }
    return {table: count for table, count in counts.items() if count}


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{file}?mode=ro", uri=True, isolation_level=None)


def _rows(database: sqlite3.Connection, columns: list[str], rest: str, store_id: str) -> list[Json]:
    found = database.execute(f"select {', '.join(columns)} from {rest}", (store_id,))
    return [dict(zip(columns, row, strict=True)) for row in found]


def _queue(row: Json) -> Json:
    return {**row, "paused": bool(row["paused"]), "logo": ""}


def _ticket(row: Json) -> Json:
    queue, number = row.pop("queue_id"), row.pop("number")
    return {**row, "queue": queue, "label": f"{queue}{number:02d}", "walk_in": bool(row["walk_in"])}


def _faults(database: sqlite3.Connection, store_id: str, seq: int, events: list[int], personal: str) -> list[str]:
    faults = []
    if events != list(range(1, seq + 1)):
        faults.append(f"the store is at event {seq}, but its {len(events)} event rows are not 1 to {seq}")
    found = database.execute("select seq, public from events where store_id = ? and public like ?", (store_id, personal)).fetchall()
    faults += [f"the public body of event {number} holds a name: {body}" for number, body in found]
    wrong = database.execute(
        "select q.id, q.waiting, count(t.id) from queues q left join tickets t"
        " on t.store_id = q.store_id and t.queue_id = q.id and t.state = 'waiting' where q.store_id = ? group by q.id having q.waiting <> count(t.id)",
        (store_id,),
    ).fetchall()
    faults += [f"queue {queue} says that {said} wait, and {really} do" for queue, said, really in wrong]
    used: dict[str, Any] = {}
    for number, tickets in database.execute("select number, tickets from codes where store_id = ? and state = 'used'", (store_id,)):
        for ticket in tickets.split(","):
            if ticket in used:
                faults.append(f"ticket {ticket} was made by code {used[ticket]} and by code {number}")
            used[ticket] = number
    return faults
