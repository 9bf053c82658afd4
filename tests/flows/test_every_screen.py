"""Every change that is made over HTTP is pushed to every screen it concerns: the owner's, the public ones, the board's and the party's own."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, Owner, Screen, join, live_ticket, open_store, visitor
from tests.support.waiting import until_async

PICTURE = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


class House:
    """A store with one party in line, watched by everybody."""

    def __init__(self, owner: Owner, phone: httpx.AsyncClient, ticket: dict[str, Any], screens: dict[str, Screen]) -> None:
        self.owner = owner
        self.http = owner.http
        self.phone = phone
        self.ticket = ticket
        self.screens = screens
        self.path = owner.path
        self.ticket_path = f"{owner.path}/tickets/{ticket['id']}"


@pytest_asyncio.fixture
async def house(server: Serve) -> AsyncIterator[House]:
    async with contextlib.AsyncExitStack() as stack:
        started = server(**MANY)
        owner = await stack.enter_async_context(open_store(started, board_code=True))
        phone = await stack.enter_async_context(visitor(started))
        ticket = await join(owner, phone, "Ann")
        live = await live_ticket(owner, ticket)
        screens = {
            "owner": Screen(started, owner.token, owner.topic),
            "public": Screen(started, live["live_token"], live["topics"][0]),
            "board": Screen(started, await owner.board_token(), f"store/{owner.store_id}/board"),
            "party": Screen(started, live["live_token"], live["topics"][1]),
        }
        for screen in screens.values():
            await stack.enter_async_context(screen)
        yield House(owner, phone, ticket, screens)


Do = Callable[[House], Awaitable[httpx.Response]]


def patch(action: str) -> Do:
    return lambda house: house.http.patch(house.ticket_path, json={"action": action, "desk": "Bar"})


def put(**body: Any) -> Do:
    return lambda house: house.http.put(house.path, json=body)


async def scan(house: House) -> httpx.Response:
    return await house.http.post(f"/v1/codes/{await house.owner.code()}/scan", json={"key": "z" * 32})


async def called(house: House) -> None:
    (await house.http.patch(house.ticket_path, json={"action": "call"})).raise_for_status()


async def ended(house: House) -> None:
    (await house.http.patch(house.ticket_path, json={"action": "remove"})).raise_for_status()


async def scanned(house: House) -> str:
    code = await house.owner.code()
    (await house.phone.post(f"/v1/codes/{code}/scan", json={"key": "y" * 32})).raise_for_status()
    return code


async def second_join(house: House) -> httpx.Response:
    async with visitor(house.owner.server) as friend:
        code = await house.owner.code()
        (await friend.post(f"/v1/codes/{code}/scan", json={"key": "y" * 32})).raise_for_status()
        return await friend.post("/v1/tickets", json={"code": code, "key": "y" * 32, "parties": [{"name": "Zebedee", "queue": "B"}]})


ALL = ("owner", "public", "board")
EVERYBODY = (*ALL, "party")
CASES: list[tuple[str, Callable[[House], Awaitable[Any]] | None, Do, str, tuple[str, ...]]] = [
    ("POST scan", None, scan, "code_shown", ("owner", "board")),
    ("POST tickets", None, second_join, "joined", ALL),
    ("POST walk-in", None, lambda house: house.http.post(f"{house.path}/tickets", json={"name": "Zebedee", "queue": "A"}), "joined", ALL),
    ("POST call-next", None, lambda house: house.http.post(f"{house.path}/queues/A/call-next", json={"desk": "Bar"}), "called", EVERYBODY),
    ("PATCH call", None, patch("call"), "called", EVERYBODY),
    ("PATCH recall", called, patch("recall"), "recalled", EVERYBODY),
    ("PATCH serve", None, patch("serve"), "serving", EVERYBODY),
    ("PATCH done", called, patch("done"), "done", EVERYBODY),
    ("PATCH no_show", called, patch("no_show"), "no_show", EVERYBODY),
    ("PATCH return", ended, patch("return"), "returned", EVERYBODY),
    ("PATCH remove", None, patch("remove"), "removed", EVERYBODY),
    ("DELETE ticket", None, lambda house: house.phone.delete("/v1/ticket"), "left", EVERYBODY),
    ("PUT name", None, put(name="Mario's"), "store_changed", ALL),
    ("PUT description", None, put(description="Until ten"), "store_changed", ALL),
    ("PUT accent", None, put(accent="#112233"), "store_changed", ALL),
    ("PUT almost_at", None, put(almost_at=7), "store_changed", ("owner",)),
    ("PUT queue texts", None, put(queues=[{"id": "A", "name": "For two", "waiting_text": "Wait", "end_text": "Go"}]), "queue_changed", ALL),
    ("PUT paused", None, put(queues=[{"id": "B", "paused": True}]), "queue_changed", ALL),
    ("PUT logo", None, put(queues=[{"id": "A", "logo": PICTURE}]), "queue_changed", ALL),
    ("PUT add_queues", None, put(add_queues=[{"name": "Bar"}]), "queue_added", ALL),
    ("DELETE store", None, lambda house: house.http.delete(house.path), "closing", ALL),
]


@pytest.mark.parametrize(("before", "do", "change", "who"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
async def test_a_change_over_http_reaches_every_screen(
    house: House, before: Callable[[House], Awaitable[Any]] | None, do: Do, change: str, who: tuple[str, ...]
) -> None:
    if before:
        await before(house)
    (await do(house)).raise_for_status()

    for name in who:
        view = house.screens[name].view
        if name == "party":
            expected = {"recalled": "called", "returned": "waiting"}.get(change, change)
            await until_async(lambda: view.own["state"] == expected, PATIENCE_S, f"the party to hear {change}")  # noqa: B023 - waited for here
        else:
            await until_async(lambda: change in view.changes, PATIENCE_S, f"{name} to hear {change}")  # noqa: B023 - waited for here
    if change == "closing":
        # The board goes to look for the next store.
        assert await house.screens["board"].gone() == 4410
    for name in ALL:
        if house.screens[name].connected:
            await house.screens[name].check()
        assert not house.screens[name].faults
    for name in ("public", "board"):
        said = "".join(house.screens[name].heard)
        assert "Ann" not in said
        assert "Zebedee" not in said


async def test_a_push_gives_the_thing_it_names_as_whole_as_a_snapshot_does(house: House) -> None:
    """docs/protocol.md: "the thing it names is from now on exactly as given", but for the board's link."""
    for body in ({"name": "Mario's"}, {"queues": [{"id": "A", "paused": True}]}):
        (await house.http.put(house.path, json=body)).raise_for_status()
    (await house.http.patch(house.ticket_path, json={"action": "call"})).raise_for_status()

    for name in ALL:
        screen = house.screens[name]
        async with Screen(house.owner.server, screen.token, screen.view.topic) as fresh:
            await screen.reached(fresh.view.seq)
            pushes = [message for message in map(json.loads, screen.heard) if "change" in message]
            whole = {"store": fresh.view.store, "queue": fresh.view.queues["A"], "ticket": fresh.view.tickets[house.ticket["id"]]}
            for kind, right in whole.items():
                pushed = next(push[kind] for push in reversed(pushes) if kind in push and push[kind]["id"] == right["id"])
                assert set(pushed) == set(right) - {"board_link"}, (name, kind)


async def test_a_board_that_may_not_show_the_code_any_more_comes_back_without_it(house: House) -> None:
    board = house.screens["board"]

    (await house.http.put(house.path, json={"board_code": False})).raise_for_status()

    assert await board.gone() == 4000
    async with Screen(house.owner.server, board.token, board.view.topic) as again:
        assert again.view.code is None
        before = again.view.seq
        await scan(house)
        await again.reached(before + 1)
        assert again.view.code is None
        assert "/j/" not in "".join(again.heard)
        await again.check()


async def test_nobody_hears_what_is_not_theirs(house: House) -> None:
    store = f"store/{house.owner.store_id}"
    forbidden = {
        "public": [f"{store}/owner", f"{store}/board", f"ticket/{house.owner.store_id}/1"],
        "board": [f"{store}/owner", house.screens["party"].view.topic],
        "party": [f"{store}/owner", f"{store}/board", f"ticket/{house.owner.store_id}/1"],
        "owner": ["store/another/owner", "store/another/public"],
    }
    for name, topics in forbidden.items():
        for topic in topics:
            screen = Screen(house.owner.server, house.screens[name].token, topic)
            with pytest.raises((AssertionError, ConnectionError), match=r"not_allowed|store_not_found|closed"):
                await screen.connect()
            assert await screen.gone() in (4403, 4404), (name, topic)


async def test_the_closing_is_followed_to_its_end_on_every_screen(house: House) -> None:
    (await house.http.delete(house.path)).raise_for_status()
    await until_async(lambda: house.screens["owner"].view.store["state"] == "reported", PATIENCE_S, "the report")

    (await house.http.post(f"{house.path}/delete")).raise_for_status()

    steps = {"owner": ["closing", "reported", "settled"], "public": ["closing", "reported", "settled"], "board": ["closing"]}
    for name in ALL:
        assert await house.screens[name].gone() == 4410, name
        changes = [change for change in house.screens[name].view.changes if change != "purged"]
        assert changes[-len(steps[name]) :] == steps[name]
        assert not house.screens[name].faults
