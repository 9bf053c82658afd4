"""What the client makes of what a server says: recovery, gaps, ends, commands, and what it tells whoever waits."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from websockets.datastructures import Headers
from websockets.http11 import Response

from realtime.client import Change, Unanswered
from realtime.client.connection import MOST_WAITING
from realtime.errors import (
    BadMessage,
    Dropped,
    InvalidInput,
    NotAllowed,
    NotSignedIn,
    NowServingError,
    StoreClosed,
    StoreNotFound,
    TooMany,
    WrongState,
)
from tests.client.stub import PUBLIC, Stub, client, push, replay, state, ticket

OWN = "ticket/s/3"


def problem(status: int, code: str, *, retry: bool, **headers: str) -> Response:
    body = msgspec.json.encode({"code": code, "detail": "No.", "retry": retry, "status": status})
    return Response(status, "No", Headers({"Content-Type": "application/problem+json", "Content-Length": str(len(body)), **headers}), body)


# ---- views ----------------------------------------------------------------------------------------------------------


async def test_it_signs_in_first_and_knows_the_state_of_every_topic_of_its_token(stub: Stub) -> None:
    async with client(stub) as listening:
        view = listening.views[PUBLIC]

        assert (view.epoch, view.seq, [*view.tickets]) == ("e", 5, [3])
        assert listening.signed_in["as"] == "board"
    assert stub.tokens == ["secret"]
    assert stub.subscriptions == [{"topic": PUBLIC}]


async def test_pushes_change_the_view_and_are_iterated_over_in_order(stub: Stub) -> None:
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC)
        called = push(6, change="called", pace_ms=900, ticket=ticket(3, "called"))
        await stub.say(called, push(7))

        assert [await anext(changes), await anext(changes)] == [Change(PUBLIC, 6, called), Change(PUBLIC, 7, push(7))]
        assert (listening.views[PUBLIC].tickets[3]["state"], listening.views[PUBLIC].queues["A"]["pace_ms"]) == ("called", 900)


async def test_messages_that_come_as_one_text_are_heard_one_by_one(stub: Stub) -> None:
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC)
        together = b"\n".join(map(msgspec.json.encode, (push(6), {}, push(7))))
        await stub.sockets[-1].send(together, text=True)

        assert [(await anext(changes)).seq, (await anext(changes)).seq] == [6, 7]
    assert len(stub.subscriptions) == 1, "nothing was missed"


async def test_a_gap_subscribes_to_that_topic_again_and_keeps_the_socket(stub: Stub) -> None:
    stub.topics = [PUBLIC, OWN]
    own = {"topic": OWN, "epoch": "e", "seq": 5, "recovered": False, "snapshot": {"state": "waiting"}}
    stub.answers = [state(5, ticket(3)), own, replay(7, push(6, ticket=ticket(3, "called")), push(7))]
    async with client(stub) as listening:
        await stub.say(push(9, OWN, own={"state": "called"}), push(7))

        await listening.until(PUBLIC, lambda view: view.seq == 7)

        assert listening.views[PUBLIC].tickets[3]["state"] == "called"
        assert listening.views[OWN].own == {"state": "called"}, "its numbers jump, and that is no gap"
    assert stub.subscriptions[2:] == [{"topic": PUBLIC, "since": {"epoch": "e", "seq": 5}}]
    assert len(stub.sockets) == 1


async def test_a_state_in_place_of_what_a_slow_reader_missed_is_taken_and_told_as_whole(stub: Stub) -> None:
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC)
        conflated = {**state(90, ticket(4)), "conflated": True}
        del conflated["recovered"]
        await stub.say(conflated, push(91))

        assert await anext(changes) == Change(PUBLIC, 90, {}, whole=True)
        assert (await anext(changes)).seq == 91
        assert [*listening.views[PUBLIC].tickets] == [4]


async def test_a_reader_of_changes_that_falls_behind_goes_on_with_the_present(stub: Stub) -> None:
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC, most=3)
        await stub.say(*(push(seq) for seq in range(6, 16)))
        await listening.until(PUBLIC, lambda view: view.seq == 15)

        assert await anext(changes) == Change(PUBLIC, 15, {}, whole=True)
        await stub.say(push(16))
        assert (await anext(changes)).seq == 16


async def test_one_more_topic_can_be_heard_and_left_again(stub: Stub) -> None:
    stub.answers = [state(5), replay(7, push(6, "store/s/board"), push(7, "store/s/board"), topic="store/s/board")]
    async with client(stub) as listening:
        view = await listening.subscribe("store/s/board", since=("e", 5))

        assert (view.seq, view.recovered) == (7, True)
        leaving = asyncio.create_task(listening.unsubscribe("store/s/board"))
        await stub.until(lambda: stub.others)
        await stub.say({"id": stub.others[0]["id"], "ok": {}})
        await leaving
        assert [*listening.views] == [PUBLIC]
    assert stub.subscriptions[1] == {"topic": "store/s/board", "since": {"epoch": "e", "seq": 5}}


async def test_a_topic_that_was_added_is_heard_again_after_a_break(stub: Stub) -> None:
    stub.answers = [state(5), state(5, topic="store/s/board"), replay(5), replay(5, topic="store/s/board")]
    async with client(stub) as listening:
        await listening.subscribe("store/s/board")
        await stub.end(4000)
        await listening.when(lambda: not listening.connected)

        await listening.when(lambda: listening.caught_up)

        assert [*listening.views] == [PUBLIC, "store/s/board"]
    assert len(stub.subscriptions) == 4


async def test_a_refused_topic_is_an_error_for_who_asked_and_no_end(stub: Stub) -> None:
    stub.answers = [state(5), {"code": "invalid_input", "message": "Too many topics.", "retry": False, "field": "subscribe.topic"}]
    async with client(stub) as listening:
        with pytest.raises(InvalidInput, match="Too many topics") as refused:
            await listening.subscribe("store/s/board")

        assert refused.value.field == "subscribe.topic"
        assert listening.caught_up


# ---- pings, commands ------------------------------------------------------------------------------------------------


async def test_pings_are_answered(stub: Stub) -> None:
    async with client(stub):
        await stub.say({})

        await stub.until(lambda: {} in stub.others)


async def test_a_command_has_its_reply_or_its_refusal_as_an_error_of_the_tree(stub: Stub) -> None:
    async with client(stub) as listening:
        first = asyncio.create_task(listening.ask({"leave": {}}))
        second = asyncio.create_task(listening.ask({"seen": {"called_ms": 1}}))
        await stub.until(lambda: len(stub.others) == 2)
        refusal = {"code": "wrong_state", "message": "A05 is gone.", "retry": False, "field": None}
        await stub.say({"id": stub.others[1]["id"], "error": refusal}, {"id": stub.others[0]["id"], "ok": {}})

        assert await first == {}
        with pytest.raises(WrongState, match="A05 is gone"):
            await second


async def test_a_command_under_way_when_the_connection_is_lost_fails_and_is_not_sent_again(stub: Stub) -> None:
    async with client(stub) as listening:
        asking = asyncio.create_task(listening.ask({"call_next": {"store_id": "s", "queue": "A"}}))
        await stub.until(lambda: stub.others)
        stub.sockets[-1].transport.abort()

        with pytest.raises(Unanswered, match="nobody knows"):
            await asking
        await listening.when(lambda: listening.caught_up)
        assert not Unanswered().retry
    assert len(stub.others) == 1
    assert len(stub.sockets) == 2


async def test_a_command_without_a_connection_fails_at_once(stub: Stub) -> None:
    async with client(stub) as listening:
        await listening.pause()
        await listening.when(lambda: not listening.connected)

        with pytest.raises(Dropped, match="nothing was sent"):
            await listening.ask({"leave": {}})


async def test_more_commands_than_the_server_takes_are_not_sent(stub: Stub) -> None:
    async with client(stub) as listening:
        asking = [asyncio.create_task(listening.ask({"leave": {}})) for _ in range(MOST_WAITING)]
        await stub.until(lambda: len(stub.others) == MOST_WAITING)

        with pytest.raises(TooMany):
            await listening.ask({"leave": {}})
        for each in asking:
            each.cancel()


# ---- coming back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 4000, 4008, 4012, 4399])
async def test_after_these_codes_it_comes_back_and_asks_for_what_it_missed(stub: Stub, code: int) -> None:
    stub.answers = [state(5, ticket(3)), replay(6, push(6, change="left", ticket=ticket(3, "left")))]
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC)
        await stub.end(code)

        await listening.until(PUBLIC, lambda view: view.seq == 6)

        assert (await anext(changes)).change == "left"
        assert listening.views[PUBLIC].recovered is True
    assert stub.subscriptions[1] == {"topic": PUBLIC, "since": {"epoch": "e", "seq": 5}}


async def test_a_connection_that_is_lost_without_a_word_is_taken_up_again(stub: Stub) -> None:
    stub.answers = [state(5), replay(5)]
    async with client(stub) as listening:
        listening.lose()
        await listening.when(lambda: not listening.connected)

        await listening.when(lambda: listening.caught_up)

        assert listening.views[PUBLIC].recovered is True


async def test_it_stays_away_for_as_long_as_a_server_that_drains_asks(stub: Stub) -> None:
    async with client(stub) as listening:
        await stub.say({"disconnect": {"code": 1012, "after_ms": 300}})
        await stub.end(1012)
        gone = time.monotonic()
        await listening.when(lambda: not listening.connected)

        await listening.when(lambda: listening.caught_up)

        assert 0.28 <= time.monotonic() - gone < 5


async def test_a_refused_handshake_is_tried_again_when_the_server_asks_for_it(stub: Stub) -> None:
    stub.handshakes = [
        Response(502, "Bad Gateway", Headers({"Content-Length": "0"}), b""),
        problem(503, "restarting", retry=True, **{"Retry-After": "0"}),
    ]

    async with client(stub) as listening:
        assert listening.caught_up
    assert stub.handshakes == []


async def test_it_leaves_and_stays_away_until_it_is_told_to_come_back(stub: Stub) -> None:
    async with client(stub) as listening:
        await listening.pause()
        await stub.sockets[-1].wait_closed()
        assert stub.sockets[-1].close_code == 1000
        assert len(stub.sockets) == 1

        listening.resume()

        await listening.when(lambda: listening.caught_up)
        assert len(stub.sockets) == 2


# ---- ends for good --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (4400, BadMessage),
        (4401, NotSignedIn),
        (4403, NotAllowed),
        (4404, StoreNotFound),
        (4410, StoreClosed),
        (1003, BadMessage),
        (4999, NowServingError),
    ],
)
async def test_a_final_code_ends_it_with_the_error_that_it_stands_for(stub: Stub, code: int, error: type[NowServingError]) -> None:
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC)
        await stub.say(push(6))
        await stub.end(code, "The reason.")

        with pytest.raises(error, match=r"The reason\."):
            await listening.until(PUBLIC, lambda view: view.seq == 7)

        assert (await anext(changes)).seq == 6, "what came before is not lost"
        with pytest.raises(error):
            await anext(changes)
        with pytest.raises(error):
            await listening.ask({"leave": {}})
        assert type(listening.error) is error
    assert len(stub.sockets) == 1


async def test_a_refused_sign_in_ends_it_before_it_began(stub: Stub) -> None:
    stub.refusals = [{"code": "store_closed", "message": "This store has closed.", "retry": False, "field": None}]

    with pytest.raises(StoreClosed):
        async with client(stub):
            pytest.fail("it is over")


async def test_a_refused_handshake_that_is_the_servers_last_word_ends_it(stub: Stub) -> None:
    stub.handshakes = [problem(403, "cross_site", retry=False)]

    with pytest.raises(NowServingError, match="No"):
        async with client(stub):
            pytest.fail("it is over")


async def test_closing_it_ends_the_iteration_and_whoever_waits(stub: Stub) -> None:
    async with client(stub) as listening:
        changes = listening.changes(PUBLIC)
        waiting = asyncio.create_task(listening.until(PUBLIC, lambda view: False))
        await asyncio.sleep(0)

    assert [change async for change in changes] == []
    with pytest.raises(Dropped, match="closed"):
        await waiting


async def test_a_predicate_that_breaks_is_told_to_its_owner_only(stub: Stub) -> None:
    async with client(stub) as listening:
        waiting = asyncio.create_task(listening.until(PUBLIC, lambda view: view.seq > 5 and view.tickets[99] is not None))
        await asyncio.sleep(0)
        await stub.say(push(6))

        with pytest.raises(KeyError):
            await waiting
        await stub.say(push(7))
        await listening.until(PUBLIC, lambda view: view.seq == 7)
