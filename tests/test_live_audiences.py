"""Who may hear what over a socket: the topics of each token, the end of a store, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from realtime.errors import NotAllowed, NotSignedIn, StoreClosed, StoreNotFound, TicketNotFound
from realtime.events import notice_event
from realtime.live import Granted
from realtime.messages import ChangeTicket, EditStore, QueueEdit
from realtime.model import Action, Event
from realtime.operations import reports, snapshots, stores, tickets
from realtime.operations.changes import Change, append, take
from realtime.storage.statement import Operation
from realtime.web import held
from tests.support.evening import BASE, Elsewhere, Evening, Owned, Phone, an_evening, settle_down, topic
from tests.support.waiting import until_async

MINUTE_MS = 60_000


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    return await evening.open()


async def _seq(evening: Evening, owned: Owned) -> int:
    return (await evening.storage.read(stores.one, owned.store_id)).seq


async def _events(evening: Evening, owned: Owned, after: int = 0) -> list[Event]:
    return await evening.storage.read(snapshots.after, owned.store_id, after, 1000)


def _seqs(phone: Phone) -> list[int]:
    return [push["seq"] for push in phone.pushes]


@pytest.fixture
def elsewhere(evening: Evening, owned: Owned) -> Elsewhere:
    return Elsewhere(evening, owned)


# ---- who may hear what --------------------------------------------------------------------------------------------


async def _matrix(evening: Evening) -> tuple[dict[str, Granted], dict[str, str]]:
    one, other = await evening.open("one@example.com", board_code=True), await evening.open("other@example.com")
    (ann,) = (await evening.join(one, "Ann")).tickets
    (bo,) = (await evening.join(other, "Bo")).tickets
    live_token = (await evening.reception.own_ticket(ann.token, base=BASE)).live_token
    granted = {
        "owner": await evening.granted(one),
        "party": await evening.live.authenticate(live_token),
        "board": await evening.live.authenticate(evening.keys.board_token(one.account_id)),
        "plain board": await evening.live.authenticate(evening.keys.board_token(other.account_id)),
    }
    topics = {
        "owner": topic(one),
        "public": topic(one, "public"),
        "board": topic(one, "board"),
        "own ticket": f"ticket/{one.store_id}/{ann.id}",
        "other's owner": topic(other),
        "other's public": topic(other, "public"),
        "other's board": topic(other, "board"),
        "other's ticket": f"ticket/{other.store_id}/{bo.id}",
        "another ticket": f"ticket/{one.store_id}/{ann.id + 1}",
    }
    return granted, topics


MAY = {
    "owner": {"owner", "public"},
    "party": {"public", "own ticket"},
    "board": {"board"},
    "plain board": {"other's board"},
}


async def test_everybody_hears_what_is_theirs_and_nothing_else(evening: Evening) -> None:
    granted, topics = await _matrix(evening)
    heard: dict[str, set[str]] = {kind: set() for kind in granted}

    for kind, who in granted.items():
        for name, wanted in topics.items():
            try:
                await evening.listen(who, wanted)
            except NotAllowed:
                continue
            heard[kind].add(name)

    assert heard == MAY


@pytest.mark.parametrize(
    "odd",
    [
        "",
        "/",
        "//",
        "store",
        "store/",
        "store//owner",
        "store/x",
        "store/x/owner/",
        "ticket/x/1",
        "store/\0/owner",
        "store/x\ud800/owner",
        "owner",
        "*",
    ],
)
async def test_a_topic_that_is_none_is_refused(evening: Evening, owned: Owned, odd: str) -> None:
    with pytest.raises((NotAllowed, StoreNotFound)):
        await evening.listen(await evening.granted(owned), odd)


async def test_tokens_say_who_comes_and_until_when(evening: Evening, owned: Owned) -> None:
    (ticket,) = (await evening.join(owned, "Ann")).tickets
    live_token = (await evening.reception.own_ticket(ticket.token, base=BASE)).live_token
    owner, party = await evening.granted(owned), await evening.live.authenticate(live_token)
    board = await evening.live.authenticate(evening.keys.board_token(owned.account_id))

    assert (owner.kind, owner.topics) == ("owner", (topic(owned),))
    assert (party.kind, party.topics) == ("ticket", (topic(owned, "public"), f"ticket/{owned.store_id}/{ticket.id}"))
    assert (board.kind, board.topics, board.expires_ms) == ("board", (topic(owned, "board"),), 0)
    assert owner.expires_ms > evening.clock() < party.expires_ms


async def test_tokens_that_are_none_of_these_are_refused(evening: Evening, owned: Owned) -> None:
    (ticket,) = (await evening.join(owned, "Ann")).tickets
    for token in ("", "nonsense", "board.x.y", ticket.token, owned.signed_in.refresh_token, evening.keys.link_token("reset", "x")):
        with pytest.raises(NotSignedIn):
            await evening.live.authenticate(token)
    with pytest.raises(StoreClosed):
        await evening.live.authenticate(evening.keys.board_token("nobody"))


async def test_tokens_end(evening: Evening, owned: Owned) -> None:
    (ticket,) = (await evening.join(owned, "Ann")).tickets
    live_token = (await evening.reception.own_ticket(ticket.token, base=BASE)).live_token
    evening.clock.ahead_ms += 10 * MINUTE_MS

    for token in (owned.token, live_token):
        with pytest.raises(NotSignedIn):
            await evening.live.authenticate(token)


# ---- a party's own ticket -----------------------------------------------------------------------------------------


async def _party(evening: Evening, owned: Owned, name: str = "Ann", key: str = "key of one phone") -> tuple[Granted, int]:
    (ticket,) = (await evening.join(owned, name, key=key)).tickets
    own = await evening.reception.own_ticket(ticket.token, base=BASE)
    return await evening.live.authenticate(own.live_token), ticket.id


async def test_a_party_is_told_what_becomes_of_its_own_ticket(evening: Evening, owned: Owned) -> None:
    granted, ann = await _party(evening, owned)
    _, bo = await _party(evening, owned, "Bo", "key of another phone")
    phone = await evening.listen(granted, f"ticket/{owned.store_id}/{ann}")
    assert phone.said[0]["snapshot"]["label"] == "A01"

    await evening.reception.change_ticket(owned.account_id, owned.store_id, bo, ChangeTicket("call", "Bar"))
    await evening.reception.change_ticket(owned.account_id, owned.store_id, ann, ChangeTicket("call", "Desk 2"))

    (push,) = await phone.hears(1)
    assert (push["own"]["label"], push["own"]["state"], push["own"]["desk"]) == ("A01", "called", "Desk 2")
    assert push["own"]["live_token"] == ""


def _noted(store_id: str, ticket_id: int, now_ms: int) -> Operation[Change]:
    taken = yield from take(store_id, 1)
    event = notice_event(store_id, taken.first_seq, now_ms, (yield from tickets.one(store_id, ticket_id)))
    yield from append(event)
    return Change(None, (event,))


async def test_how_a_notification_went_is_no_news_for_its_party_and_stops_nothing(evening: Evening, owned: Owned) -> None:
    granted, ann = await _party(evening, owned)
    phone = await evening.listen(granted, f"ticket/{owned.store_id}/{ann}")

    noted = await evening.storage.write(_noted, owned.store_id, ann, evening.clock())
    evening.live.tell(noted.events)
    await evening.reception.change_ticket(owned.account_id, owned.store_id, ann, ChangeTicket("call", "Desk 2"))

    (push,) = await phone.hears(1)
    assert push["own"]["state"] == "called"


async def test_a_party_that_hears_its_own_ticket_only_is_told_by_other_processes_too(
    evening: Evening, owned: Owned, elsewhere: Elsewhere
) -> None:
    granted, ann = await _party(evening, owned)
    phone = await evening.listen(granted, f"ticket/{owned.store_id}/{ann}")
    called = await evening.storage.write(tickets.change, owned.store_id, ann, Action.CALL, "Desk 2", None, evening.clock())
    evening.live.reached(owned.store_id, called.events[0].seq)

    (push,) = await phone.hears(1)
    assert push["own"]["state"] == "called"


# ---- the end ------------------------------------------------------------------------------------------------------


async def test_when_the_data_is_deleted_every_socket_of_the_store_is_closed_for_good(evening: Evening, owned: Owned) -> None:
    granted, ann = await _party(evening, owned)
    owner = await evening.granted(owned)
    phones = [
        await evening.listen(owner, topic(owned)),
        await evening.listen(owner, topic(owned, "public")),
        await evening.listen(granted, f"ticket/{owned.store_id}/{ann}"),
    ]

    await evening.closing.close(owned.account_id, owned.store_id)
    await until_async(lambda: _is(evening, owned, "reported"), what="the report")
    await evening.closing.delete(owned.account_id, owned.store_id)

    await until_async(lambda: all(phone.closed for phone in phones), what="the end")
    assert [phone.closed for phone in phones] == [4410] * 3
    with pytest.raises(StoreClosed):
        await evening.listen(owner, topic(owned))
    assert [push["change"] for push in phones[0].pushes if "store" in push][:3] == ["closing", "reported", "settled"]


async def _is(evening: Evening, owned: Owned, state: str) -> bool:
    return (await evening.storage.read(stores.one, owned.store_id)).state == state


async def test_a_socket_that_comes_while_the_data_is_deleted_is_turned_away(
    evening: Evening, owned: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted = await evening.granted(owned)
    read, purged = evening.storage.read, asyncio.Event()

    async def after_the_purge(make: Callable[..., Any], /, *args: Any) -> Any:
        if make is snapshots.everything and not purged.is_set():
            purged.set()
            await evening.closing.close(owned.account_id, owned.store_id)
            await until_async(lambda: _is(evening, owned, "reported"), what="the report")
            await evening.closing.delete(owned.account_id, owned.store_id)
            await until_async(lambda: _is(evening, owned, "purged"), what="the purge")
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", after_the_purge)
    phone = Phone()
    with pytest.raises(StoreClosed):
        await evening.listen(granted, topic(owned), phone=phone)


async def test_another_process_hears_of_the_end_when_it_catches_up(evening: Evening, owned: Owned) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    store = await evening.storage.read(stores.one, owned.store_id)
    for make, args in (
        (stores.close, (owned.store_id, 1)),
        (reports.finish, (owned.store_id, 0, [], lambda account: [], 2)),
        (reports.decide, (owned.store_id, 3)),
        (reports.delete_some, (owned.store_id, 1000)),
        (reports.purge, (owned.store_id, store.account_id, "{}")),
    ):
        await evening.storage.write(make, *args)

    evening.live.catch_up()

    await until_async(lambda: phone.closed, what="the end")
    assert phone.closed == 4410


# ---- memory -------------------------------------------------------------------------------------------------------


@pytest.fixture
def quickly(evening: Evening) -> Callable[[], Coroutine[Any, Any, None]]:
    """Has the codes looked at once."""

    async def look() -> None:
        task = asyncio.create_task(evening.live.keep_codes_fresh(0))
        await settle_down(evening)
        task.cancel()

    return look


def _kept(evening: Evening) -> int:
    live = evening.live
    return len(live._followed) + len(list(live._codes))


async def test_nothing_is_kept_of_stores_that_nobody_listens_to(evening: Evening, quickly: Callable[[], Coroutine[Any, Any, None]]) -> None:
    for number in range(5):
        owned = await evening.open(f"owner{number}@example.com")
        granted, ann = await _party(evening, owned)
        phone = await evening.listen(await evening.granted(owned), topic(owned))
        await evening.listen(granted, f"ticket/{owned.store_id}/{ann}", phone=phone)
        await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(queues=[QueueEdit("A", name="x")]), base=BASE)
        evening.live.drop(phone)

    await quickly()

    assert _kept(evening) == 0


async def test_stores_that_nobody_here_ever_listened_to_cost_nothing(evening: Evening) -> None:
    for number in range(3):
        owned = await evening.open(f"owner{number}@example.com")
        await evening.join(owned, "Ann")
        evening.live.reached(owned.store_id, 100)

    assert _kept(evening) == 0


async def test_who_comes_back_to_a_forgotten_store_misses_nothing(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, quickly: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    granted = await evening.granted(owned)
    phone = await evening.listen(granted, topic(owned))
    evening.live.drop(phone)
    await quickly()
    await elsewhere.edit("while nobody was here")

    again = await evening.listen(granted, topic(owned))
    evening.live.tell((await elsewhere.edit("and now"),))

    assert again.said[0]["snapshot"]["store"]["name"] == "while nobody was here"
    assert [push["store"]["name"] for push in await again.hears(1)] == ["and now"]


async def test_the_party_of_a_store_whose_data_was_deleted_is_told_so(evening: Evening, owned: Owned) -> None:
    token = (await evening.join(owned, "Ann")).tickets[0].token
    await evening.closing.close(owned.account_id, owned.store_id)
    await until_async(lambda: _is(evening, owned, "reported"), what="the report")
    await evening.closing.delete(owned.account_id, owned.store_id)
    await until_async(lambda: _is(evening, owned, "purged"), what="the purge")

    with pytest.raises(TicketNotFound, match="The store has closed, and its list was deleted"):
        await held.shown(evening.reception, (token,), BASE)
