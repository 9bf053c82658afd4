"""Rows of the database as the values of the model: the column lists, and what is made of them."""

from __future__ import annotations

from realtime.model import Queue, Store, StoreState, Ticket, TicketState
from realtime.storage.statement import Row

TICKET = (
    "id, queue_id, number, name, phone, email, party, state, desk, place, walk_in, calls, joined_ms, called_ms, served_ms, ended_ms, notices,"
    " push, language, seen_ms, unreached_ms, was"
)
QUEUE = "id, name, waiting_text, end_text, paused, pace_ms, logo_version"
STORE = (
    "id, account_id, name, description, timezone, state, epoch, seq, almost_at, board_code, accent, opened_ms, closes_ms, ladder,"
    " coalesce((select hours from quiet_hours where store_id = stores.id), '')"
)


def ticket(row: Row) -> Ticket:
    id_, queue, number, name, phone, email, party, state, desk, place, walk_in, calls, joined, called, served, ended, *more = row
    return Ticket(
        id_,
        queue,
        number,
        name,
        phone,
        email,
        party,
        TicketState(state),
        desk,
        place,
        bool(walk_in),
        calls,
        joined,
        called,
        served,
        ended,
        *more,
    )


def queue(row: Row) -> Queue:
    id_, name, waiting_text, end_text, paused, pace_ms, logo = row
    return Queue(id_, name, waiting_text, end_text, bool(paused), pace_ms, logo)


def store(row: Row) -> Store:
    id_, account, name, description, timezone, state, epoch, seq, almost_at, board_code, accent, opened, closes, *more = row
    return Store(
        id_,
        account,
        name,
        description,
        timezone,
        StoreState(state),
        epoch,
        seq,
        almost_at,
        bool(board_code),
        accent,
        opened,
        closes,
        *more,
    )
