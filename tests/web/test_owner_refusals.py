"""What guests may not do now, told to the staff in words of their own, over HTTP and over the socket."""

from __future__ import annotations

import pytest

from realtime.errors import QueuePaused, TicketNotFound
from tests.web.conftest import House, Owner
from tests.web.serving import Talk, served

PAUSED = ("queue_paused", "This queue is paused. Resume it first.")
CLOSED = ("store_closed", "This store is closed. Open the next one first.")


async def test_over_http_the_staff_are_told_what_to_do_and_guests_whom_to_ask(house: House, owner: Owner) -> None:
    guest, code = await house.client(), await owner.code()
    await guest.post(f"/v1/codes/{code}/scan", json={"key": "k" * 20})
    await owner.client.put(owner.url, json={"queues": [{"id": "A", "paused": True}]})

    joining = await guest.post("/v1/tickets", json={"code": code, "key": "k" * 20, "parties": [{"name": "Ann", "queue": "A"}]})
    adding = await owner.client.post(f"{owner.url}/tickets", json={"name": "Bo", "queue": "A"})

    assert (joining.json()["code"], joining.json()["detail"]) == ("queue_paused", QueuePaused.sentence)
    assert (adding.json()["code"], adding.json()["detail"]) == PAUSED
    assert (adding.status_code, adding.json()["field"], adding.json()["retry"]) == (409, "queue", True)


@pytest.mark.parametrize(("method", "path"), [("POST", "/queues/A/call-next"), ("PUT", ""), ("POST", "/tickets"), ("DELETE", "")])
async def test_whatever_an_owner_asks_of_a_closed_store_they_are_told_to_open_the_next(
    house: House, owner: Owner, method: str, path: str
) -> None:
    await owner.client.delete(owner.url)

    body = {"/tickets": {"name": "Bo", "queue": "A"}, "": {"description": "Late"}}.get(path, {}) if method != "DELETE" else None
    refused = await owner.client.request(method, owner.url + path, json=body)

    assert (refused.json()["code"], refused.json()["detail"]) == CLOSED


async def test_over_the_socket_the_staff_are_told_the_same(house: House, owner: Owner) -> None:
    async with served(house, fanout=True) as place, place.connect() as socket:
        talk = Talk(socket)
        await talk.say(authenticate={"token": str(owner.client.headers["Authorization"].removeprefix("Bearer "))})
        await talk.say(edit_store={"store_id": owner.store_id, "queues": [{"id": "A", "paused": True}]})

        paused = await talk.say(walk_in={"store_id": owner.store_id, "name": "Bo", "queue": "A"})
        await owner.client.delete(owner.url)
        closed = await talk.say(call_next={"store_id": owner.store_id, "queue": "A"})

    assert (paused["error"]["code"], paused["error"]["message"]) == PAUSED
    assert (closed["error"]["code"], closed["error"]["message"]) == CLOSED


def test_a_sentence_of_an_errors_own_is_said_to_everybody() -> None:
    own, same = QueuePaused("The bar opens at nine."), TicketNotFound()

    assert own.for_owner() is own
    assert same.for_owner() is same
