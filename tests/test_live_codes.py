"""The join code on screens: who is shown it, when it is replaced, and who never sees it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from realtime.messages import EditStore
from realtime.model import Event
from realtime.operations import codes, snapshots, stores
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


# ---- the code -----------------------------------------------------------------------------------------------------


async def test_owner_and_board_see_the_code_and_the_public_never(evening: Evening) -> None:
    owned = await evening.open(board_code=True)
    board = await evening.live.authenticate(evening.keys.board_token(owned.account_id))
    owner = await evening.granted(owned)
    phones = {
        "owner": await evening.listen(owner, topic(owned)),
        "board": await evening.listen(board, topic(owned, "board")),
        "public": await evening.listen(owner, topic(owned, "public")),
    }
    links = {name: (phone.said[0]["snapshot"]["code"] or {}).get("link", "") for name, phone in phones.items()}
    assert links["owner"] == links["board"]
    assert links["owner"].endswith(f"/j/{await evening.code(owned)}")
    assert links["public"] == ""

    await evening.join(owned, "Ann")

    for name in ("owner", "board"):
        shown = (await phones[name].hears(2))[0]
        assert shown["change"] == "code_shown"
        assert shown["code"]["link"].endswith(f"/j/{await evening.code(owned)}")
        assert shown["code"]["svg"].startswith("<svg")
    tick = (await phones["public"].hears(2))[0]
    assert tick.keys() == {"topic", "seq", "at_ms"}
    secret = (await evening.code(owned)).partition(".")[2]
    assert secret not in str(phones["public"].said)


async def test_a_missed_code_is_given_to_owners_only_and_only_the_last(evening: Evening) -> None:
    owned = await evening.open()
    granted = await evening.granted(owned)
    (state,) = (await evening.listen(granted, topic(owned))).said
    await evening.join(owned, "Ann")
    await evening.join(owned, "Bo", key="another phone's key")

    since = state["epoch"], state["seq"]
    (owner,) = (await evening.listen(granted, topic(owned), since)).said
    (public,) = (await evening.listen(granted, topic(owned, "public"), since)).said

    shown = [push["code"] for push in owner["events"] if "code" in push]
    assert [code["link"].rpartition("/")[2] for code in shown] == [await evening.code(owned)]
    assert not any("code" in push for push in public["events"])


async def test_a_board_without_the_owners_leave_sees_no_code(evening: Evening, owned: Owned) -> None:
    board = await evening.live.authenticate(evening.keys.board_token(owned.account_id))

    phone = await evening.listen(board, topic(owned, "board"))
    await evening.join(owned, "Ann")
    pushes = await phone.hears(2)

    assert phone.said[0]["snapshot"]["code"] is None
    assert not any("code" in push for push in pushes)
    assert "board_code" not in str(phone.said)


@pytest.mark.parametrize("shows", [False, True])
async def test_switching_the_boards_code_sends_the_boards_away_to_come_back_as_the_owner_wants_them(evening: Evening, shows: bool) -> None:
    owned = await evening.open(board_code=not shows)
    board = await evening.live.authenticate(evening.keys.board_token(owned.account_id))
    phone = await evening.listen(board, topic(owned, "board"))

    await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(board_code=shows), base=BASE)
    await until_async(lambda: phone.closed, what="the board's end")
    back = await evening.listen(board, topic(owned, "board"))

    assert phone.closed == 4000
    assert (back.said[0]["snapshot"]["code"] is not None) is shows


async def test_another_edit_leaves_the_boards_alone(evening: Evening, owned: Owned) -> None:
    board = await evening.live.authenticate(evening.keys.board_token(owned.account_id))
    phone = await evening.listen(board, topic(owned, "board"))

    await evening.reception.edit_store(owned.account_id, owned.store_id, EditStore(name="Luigi's Bar"), base=BASE)
    (push,) = await phone.hears(1)

    assert push["store"]["name"] == "Luigi's Bar"
    assert not phone.closed


async def test_a_board_shows_the_next_store_of_its_owner(evening: Evening, owned: Owned) -> None:
    token = evening.keys.board_token(owned.account_id)
    await evening.storage.write(stores.close, owned.store_id, evening.clock())

    store_id = await evening.reception.open_again(owned.account_id, base=BASE)

    assert (await evening.live.authenticate(token)).topics == (f"store/{store_id}/board",)


async def _codes_shown(evening: Evening, owned: Owned) -> int:
    code = await evening.storage.read(codes.current, owned.store_id)
    assert code is not None
    return code.number


@pytest.fixture
def quickly(evening: Evening) -> Callable[[], Coroutine[Any, Any, None]]:
    """Has the codes looked at once."""

    async def look() -> None:
        task = asyncio.create_task(evening.live.keep_codes_fresh(0))
        await settle_down(evening)
        task.cancel()

    return look


async def test_a_code_on_a_screen_is_replaced_before_it_expires(
    evening: Evening, owned: Owned, quickly: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    await quickly()
    assert phone.pushes == []

    evening.clock.ahead_ms += 9 * MINUTE_MS + 1_000
    await quickly()

    (push,) = await phone.hears(1)
    assert push["code"]["number"] == 2
    assert push["code"]["expires_ms"] > evening.clock() + 9 * MINUTE_MS


async def test_a_code_on_the_screen_of_an_owner_who_came_back_is_replaced_too(
    evening: Evening, owned: Owned, quickly: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    store = await evening.storage.read(stores.one, owned.store_id)
    phone = await evening.listen(await evening.granted(owned), topic(owned), (store.epoch, store.seq))
    assert phone.said[0]["recovered"] is True

    evening.clock.ahead_ms += 9 * MINUTE_MS + 1_000
    await quickly()

    assert (await phone.hears(1))[0]["code"]["number"] == 2


@pytest.mark.parametrize("recovers", [False, True])
async def test_an_owner_who_comes_late_is_never_shown_an_expired_code(
    evening: Evening, owned: Owned, quickly: Callable[[], Coroutine[Any, Any, None]], recovers: bool
) -> None:
    phone = Phone()
    granted = await evening.granted(owned)
    await evening.listen(granted, topic(owned, "public"))  # customers keep the store known here
    (state,) = (await evening.listen(granted, topic(owned), phone=phone)).said
    evening.live.drop(phone)
    evening.clock.ahead_ms += 11 * MINUTE_MS
    await quickly()

    late = await evening.listen(granted, topic(owned), (state["epoch"], state["seq"]) if recovers else None)

    said = late.said[0]
    code = said["events"][-1]["code"] if recovers else said["snapshot"]["code"]
    assert code["expires_ms"] > evening.clock()
    assert await _codes_shown(evening, owned) == code["number"]


async def test_a_code_that_nobody_sees_is_not_replaced(
    evening: Evening, owned: Owned, quickly: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    granted = await evening.granted(owned)
    phone = await evening.listen(granted, topic(owned))
    await evening.listen(granted, topic(owned, "public"))
    evening.live.drop(phone)
    evening.clock.ahead_ms += 60 * MINUTE_MS

    await quickly()

    assert await _codes_shown(evening, owned) == 1


async def test_a_closed_store_is_not_asked_for_new_codes(
    evening: Evening, owned: Owned, quickly: Callable[[], Coroutine[Any, Any, None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    await evening.closing.close(owned.account_id, owned.store_id)
    await until_async(lambda: any(push.get("change") == "reported" for push in phone.pushes), what="the report")
    write, tried = evening.storage.write, list[Any]()

    async def watching(make: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        tried.append(make)
        return await write(make, *args, **kwargs)

    monkeypatch.setattr(evening.storage, "write", watching)
    evening.clock.ahead_ms += 60 * MINUTE_MS
    await quickly()

    assert codes.renew not in tried
