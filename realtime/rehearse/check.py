"""The comparison at the end: what every client shows against what really is. Pure; every difference is a sentence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from realtime.rehearse.truth import Truth
from realtime.rehearse.view import LIVE, PUBLIC_TICKET, Json, View, ahead, last_called

PUBLIC_STORE = frozenset({"id", "name", "description", "timezone", "accent", "state", "opened_ms", "closes_ms"})
OWN = ("label", "state", "desk", "name", "phone", "email", "party", "joined_ms", "called_ms", "ended_ms")
MOST_NAMED = 5
"""Differences of one kind that are named for one client; the rest is counted."""

TOLD_LATER = 20
"""A party is told of its own ticket a moment after everybody; a page may have been closed in between, so many events early at most."""


class Shown(Struct, frozen=True):
    """One client's last views."""

    who: str
    public: View
    own: View | None = None
    ticket: int = 0
    gone: bool = False
    """It closed its page before the end: it must show what was true at the event it reached."""


def compare(truth: Truth, shown: Iterable[Shown]) -> list[str]:
    """Every difference between the truth and what the clients show."""
    found = [f"In {truth.origin}, {fault}" for fault in truth.faults]
    all_shown = list(shown)
    for client in all_shown:
        if not client.gone:
            found += [f"{client.who}: {fault}" for fault in few(_present(truth, client))]
    gone = [client for client in all_shown if client.gone]
    found += [f"{client.who}, closed earlier: {fault}" for client, faults in _at_their_time(truth, gone) for fault in few(faults)]
    return found


def few(faults: Iterable[str]) -> list[str]:
    found = list(faults)
    return found if len(found) <= MOST_NAMED else [*found[:MOST_NAMED], f"and {len(found) - MOST_NAMED} differences more"]


def _present(truth: Truth, client: Shown) -> Iterator[str]:
    yield from _store(truth, client.public)
    if client.own is not None:
        yield from _own(truth, client.own.own, client.public, client.ticket)


def _store(truth: Truth, view: View) -> Iterator[str]:
    if view.seq != truth.seq:
        yield f"stands at event {view.seq}, {truth.origin} at {truth.seq}"
    yield from _fields("the store", view.store, truth.store, truth, PUBLIC_STORE if view.public else truth.store.keys() & view.store.keys())
    if view.queues.keys() != truth.queues.keys():
        yield f"shows the queues {sorted(view.queues)}, {truth.origin} has {sorted(truth.queues)}"
    for letter in view.queues.keys() & truth.queues.keys():
        yield from _fields(f"queue {letter}", view.queues[letter], truth.queues[letter], truth, truth.queues[letter].keys())
    yield from _tickets(view.tickets, truth.tickets, truth, view.public)
    if view.public and view.snapshots == 1 and truth.origin == "the database":
        # It was there from the first call on, so it has seen all of them.
        shown, real = ([ticket["label"] for ticket in last_called(each.values())] for each in (view.tickets, truth.tickets))
        if view.topic.endswith("/board") and shown != real:
            yield f"shows {shown} as the last called, {truth.origin} has {real}"


def _tickets(shown: dict[int, Json], real: dict[int, Json], truth: Truth, public: bool) -> Iterator[str]:
    for id_, ticket in real.items():
        if ticket["state"] in LIVE and id_ not in shown:
            yield f"does not show {ticket['label']}, which is {ticket['state']} in {truth.origin}"
    for id_, ticket in shown.items():
        if id_ in real:
            fields = PUBLIC_TICKET if public else real[id_].keys()
            yield from _fields(ticket["label"], ticket, real[id_], truth, fields)
        elif ticket["state"] in LIVE or truth.origin == "the database":
            yield f"shows {ticket['label']} as {ticket['state']}, which {truth.origin} does not have"


def _own(truth: Truth, own: Json, public: View, ticket_id: int) -> Iterator[str]:
    real = truth.tickets.get(ticket_id)
    if real is None:
        return  # the server shows the owner only those that ended last
    yield from _fields("its own ticket", own, real, truth, OWN)
    shown, really = (ahead(tickets.values(), tickets.get(ticket_id, real)) for tickets in (public.tickets, truth.tickets))
    if shown != really:
        yield f"says {shown} parties are ahead, by {truth.origin} there are {really}"


def _fields(what: str, shown: Json, real: Json, truth: Truth, fields: Iterable[str]) -> Iterator[str]:
    for field in sorted(fields):
        if shown.get(field) != real.get(field):
            yield f"{what}, {field}: shows {shown.get(field)!r}, {truth.origin} has {real.get(field)!r}"


def _at_their_time(truth: Truth, gone: list[Shown]) -> Iterator[tuple[Shown, list[str]]]:
    """Walks through the events once, and compares each client's tickets when the event it reached has happened."""
    tickets: dict[int, Json] = {}
    moved: dict[int, int] = {}
    seq = 0
    for client in sorted(gone, key=lambda client: client.public.seq):
        while seq < client.public.seq:
            seq += 1
            if seq not in truth.events:
                return  # the events are known only up to here
            if ticket := truth.events[seq].get("ticket"):
                tickets[ticket["id"]], moved[ticket["id"]] = ticket, seq
        faults = list(_tickets(client.public.tickets, tickets, truth, True))
        if client.own and client.ticket in tickets:
            known, last = client.own.seq, moved[client.ticket]
            if last <= known <= seq:
                faults += _fields("its own ticket", client.own.own, tickets[client.ticket], truth, ("label", "state", "desk", "called_ms"))
            elif known < last - TOLD_LATER:
                faults.append(f"its own ticket: was never told of event {last}")
        yield client, faults


def compare_server(truth: Truth, snapshot: Json) -> list[str]:
    """What the server answers its owner, against the database."""
    found = list[str]()
    shown = {ticket["id"]: ticket for ticket in snapshot["tickets"]}
    found += _fields("the store", snapshot["store"], truth.store, truth, truth.store.keys())
    for queue in snapshot["queues"]:
        found += _fields(f"queue {queue['id']}", queue, truth.queues.get(queue["id"], {}), truth, queue.keys())
    found += _tickets(shown, truth.tickets, truth, False)
    return [f"The server's answer to its owner: {fault}" for fault in found]


def compare_answer(truth: Truth, label: str, ticket_id: int, answer: Json) -> list[str]:
    """What the server answers one party, against the truth."""
    real = truth.tickets.get(ticket_id)
    if real is None:
        return []
    found = list(_fields("the ticket", answer, real, truth, OWN))
    if answer["ahead"] != (really := ahead(truth.tickets.values(), real)):
        found.append(f"says {answer['ahead']} parties are ahead, by {truth.origin} there are {really}")
    return [f"The server's answer to {label}: {fault}" for fault in found]


def compare_report(truth: Truth, rows: list[dict[str, str]]) -> list[str]:
    """The report's rows, against every ticket there was."""
    shown = {row["number"]: row for row in rows}
    real = {ticket["label"]: ticket for ticket in truth.tickets.values()}
    found = list[str]()
    if len(shown) != len(rows):
        found.append(f"The report has {len(rows)} rows for {len(shown)} tickets")
    if truth.origin == "the database" and shown.keys() != real.keys():
        found.append(
            f"The report has {len(shown)} tickets, {truth.origin} had {len(real)}; not in both: {sorted(shown.keys() ^ real.keys())[:10]}"
        )
    for label in sorted(shown.keys() & real.keys()):
        row, ticket = shown[label], real[label]
        said = (row["name"], row["state"], row["party_size"], row["phone"].lstrip("'"))
        if said != (ticket["name"], ticket["state"], str(ticket["party"]), ticket["phone"]):
            found.append(f"The report says {said} of {label}")
    return found
