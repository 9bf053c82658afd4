"""What one simulated client makes of what it is told, and what it notices."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.rehearse.view import ENDED_KEPT, View, ahead, last_called

TOPIC = "store/s/public"


def ticket(id_: int, state: str = "waiting", **more: Any) -> dict[str, Any]:
    return {"id": id_, "queue": "A", "label": f"A{id_:02d}", "state": state, "desk": "", "place": id_, "called_ms": 0, **more}


def push(seq: int, **more: Any) -> dict[str, Any]:
    return {"topic": TOPIC, "seq": seq, "at_ms": 1, **more}


def snapshot(seq: int, *tickets: dict[str, Any]) -> dict[str, Any]:
    whole = {"store": {"id": "s", "name": "S"}, "queues": [{"id": "A", "pace_ms": 0}], "tickets": list(tickets), "code": None}
    return {"topic": TOPIC, "epoch": "e", "seq": seq, "recovered": False, "snapshot": whole}


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def view(told: list[str]) -> View:
    view = View(TOPIC, told.append)
    view.begin()
    view.stand(snapshot(5, ticket(3)))
    return view


def test_pushes_in_order_are_applied(view: View, told: list[str]) -> None:
    assert view.take(push(6, change="called", pace_ms=900, ticket=ticket(3, "called", desk="Desk 1"))) == "apply"
    assert view.take(push(7)) == "apply"

    assert (view.seq, view.tickets[3]["desk"], view.queues["A"]["pace_ms"]) == (7, "Desk 1", 900)
    assert told == []


def test_a_missing_push_is_noticed_and_not_applied(view: View, told: list[str]) -> None:
    assert view.take(push(7, ticket=ticket(3, "called"))) == "gap"

    assert (view.seq, view.tickets[3]["state"]) == (5, "waiting")
    assert told == ["store/s/public: after event 5 came 7"]


def test_what_the_subscription_itself_said_may_come_again_but_nothing_else(view: View, told: list[str]) -> None:
    assert view.take(push(5)) == "drop"
    assert told == []

    view.take(push(6))
    assert view.take(push(6)) == "drop"
    assert told == ["store/s/public: event 6 came again, after 6"]


def test_a_private_field_on_a_public_topic_is_noticed(view: View, told: list[str]) -> None:
    view.take(push(6, ticket=ticket(4, name="Ann", phone="")))

    assert told == ["store/s/public: tells everybody name, phone"]


def test_coming_back_gives_every_event_or_it_is_noticed(view: View, told: list[str]) -> None:
    assert view.begin() == {"topic": TOPIC, "since": {"epoch": "e", "seq": 5}}
    assert view.take(push(6)) == "drop", "the answer holds it"
    view.stand({"topic": TOPIC, "epoch": "e", "seq": 7, "recovered": True, "events": [push(6), push(7, ticket=ticket(3, "left"))]})
    assert (view.seq, view.tickets[3]["state"], told) == (7, "left", [])

    view.begin()
    view.stand({"topic": TOPIC, "epoch": "e", "seq": 9, "recovered": True, "events": [push(9)]})
    assert told == ["store/s/public: came back at 7, was given 9 to 9 (1) and told to be at 9"]


def test_the_past_does_not_come_back(view: View, told: list[str]) -> None:
    view.replace(snapshot(4))

    assert told == ["store/s/public: was at 5, and given the state of 4"]


def test_the_oldest_that_are_over_are_forgotten(view: View) -> None:
    for number in range(ENDED_KEPT + 1):
        view.take(push(6 + number, ticket=ticket(100 + number, "done", called_ms=1000 + number)))

    assert len(view.tickets) == ENDED_KEPT + 1, "and the one that still waits"
    assert 100 not in view.tickets


def test_its_own_ticket_comes_whole_each_time(told: list[str]) -> None:
    own = View("ticket/s/3", told.append)
    own.begin()
    own.stand({"topic": "ticket/s/3", "epoch": "e", "seq": 5, "recovered": False, "snapshot": {"state": "waiting"}})

    assert own.take({"topic": "ticket/s/3", "seq": 9, "at_ms": 1, "own": {"state": "called"}}) == "apply"
    assert (own.own, told) == ({"state": "called"}, [])


def test_parties_ahead_wait_in_the_same_line_at_an_earlier_place() -> None:
    tickets = [ticket(1), ticket(2, "called"), ticket(3, queue="B"), ticket(4), ticket(5)]

    assert [ahead(tickets, one) for one in tickets] == [0, 0, 0, 1, 2]


def test_the_last_called_are_those_whose_call_is_over() -> None:
    tickets = [ticket(1, "done", called_ms=5), ticket(2, "no_show", called_ms=7), ticket(3, "called", called_ms=9), ticket(4, "left")]

    assert [one["id"] for one in last_called(tickets)] == [2, 1]
