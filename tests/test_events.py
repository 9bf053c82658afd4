"""What happened, on the wire: what each audience sees of it, and the frame around it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import events
from realtime.model import Queue, Store, StoreState, Ticket, TicketState

STORE = Store("shop", "owner", "Luigi's", "Best pasta", "Europe/Rome", StoreState.OPEN, "epoch", 7, 3, True, "#0B6E4F", 1_000, 2_000)
QUEUE = Queue("A", "Table for two", "Have a drink.", "Enjoy.", False, 240_000, "")
TICKET = Ticket(12, "A", 7, "Ünal", "+4915112345678", "u@example.com", 4, TicketState.CALLED, "Desk 2", 12, False, 1, 100, 200, 0, 0)


def test_the_owner_sees_the_party_and_the_public_its_number_only() -> None:
    event = events.ticket_event("shop", 12, 200, "called", TICKET, 240_000)
    owner, public = msgspec.json.decode(event.owner), msgspec.json.decode(event.public)

    assert owner["change"] == public["change"] == "called"
    assert owner["pace_ms"] == public["pace_ms"] == 240_000
    assert owner["ticket"]["name"] == "Ünal"
    assert set(public["ticket"]) == {"id", "queue", "label", "state", "desk", "place", "called_ms"}
    assert all(secret not in event.public for secret in ("Ünal", "+49", "u@example.com"))


def test_a_ticket_event_without_a_new_pace_says_none() -> None:
    event = events.ticket_event("shop", 12, 200, "done", TICKET)

    assert "pace_ms" not in event.owner + event.public


@given(st.text(), st.text(), st.text())
def test_whatever_people_write_comes_out_as_they_wrote_it(name: str, desk: str, label: str) -> None:
    ticket = msgspec.structs.replace(TICKET, name=name, desk=desk, queue=label)
    event = events.ticket_event("shop", 1, 2, "joined", ticket)

    pushed = msgspec.json.decode(events.push("store/shop/owner", 1, 2, event.owner))

    assert (pushed["ticket"]["name"], pushed["ticket"]["desk"]) == (name, desk)


def test_what_a_store_keeps_for_itself_is_not_told_to_the_public() -> None:
    event = events.store_event(3, 4, "store_changed", STORE)
    owner, public = msgspec.json.decode(event.owner)["store"], msgspec.json.decode(event.public)["store"]

    assert (owner["almost_at"], owner["board_code"]) == (3, True)
    assert owner.keys() - public.keys() == {"almost_at", "board_code", "ladder", "quiet_hours"}
    assert "account" not in event.owner


def test_a_new_code_is_a_tick_for_the_public_and_a_number_for_others() -> None:
    event = events.code_event("shop", 5, 6, 8, 9_000)

    assert event.public == events.TICK
    assert msgspec.json.decode(event.owner) == {"change": "code_shown", "code": {"number": 8, "expires_ms": 9_000}}


def test_a_queue_names_its_logo_by_an_address_that_changes_with_it() -> None:
    assert events.queue_view("shop", QUEUE).logo == ""
    assert events.queue_view("shop", msgspec.structs.replace(QUEUE, logo="abc")).logo == "/v1/stores/shop/queues/A/logo/abc"


@pytest.mark.parametrize("body", ["{}", '{"change":"done"}', b'{"own":{}}'])
def test_a_push_is_its_body_with_topic_seq_and_time_in_front(body: str | bytes) -> None:
    pushed = msgspec.json.decode(events.push("store/shop/public", 41, 42, body))

    assert pushed == {"topic": "store/shop/public", "seq": 41, "at_ms": 42, **msgspec.json.decode(body)}


def test_a_snapshot_says_whether_it_answers_or_stands_for_what_was_not_taken() -> None:
    answer = msgspec.json.decode(events.snapshot("t", "e", 3, b'{"store":{}}'))
    conflated = msgspec.json.decode(events.snapshot("t", "e", 3, b'{"store":{}}', conflated=True))

    assert answer == {"topic": "t", "epoch": "e", "seq": 3, "recovered": False, "snapshot": {"store": {}}}
    assert conflated == {"topic": "t", "epoch": "e", "seq": 3, "conflated": True, "snapshot": {"store": {}}}


def test_a_replay_holds_every_push_in_its_order() -> None:
    pushes = [events.push("t", seq, 0, "{}") for seq in (4, 5, 6)]

    replayed = msgspec.json.decode(events.replay("t", "e", 6, pushes))

    assert replayed["recovered"] is True
    assert [push["seq"] for push in replayed["events"]] == [4, 5, 6]
    assert msgspec.json.decode(events.replay("t", "e", 6, []))["events"] == []
