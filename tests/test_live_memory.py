"""What is told from memory, how often a store is read, and what happens when the database goes back to an earlier state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from realtime import positions
from realtime.errors import StorageFailed
from realtime.live import Granted
from realtime.operations import snapshots, stores
from realtime.storage.statement import Operation, Statement
from tests.support.evening import Elsewhere, Evening, Owned, Phone, an_evening, topic
from tests.support.waiting import until_async


@pytest.fixture
async def evening(database_url: str) -> AsyncIterator[Evening]:
    async with an_evening(database_url) as evening:
        yield evening


@pytest.fixture
async def owned(evening: Evening) -> Owned:
    return await evening.open()


@pytest.fixture
def elsewhere(evening: Evening, owned: Owned) -> Elsewhere:
    return Elsewhere(evening, owned)


async def _seq(evening: Evening, owned: Owned) -> int:
    return (await evening.storage.read(stores.one, owned.store_id)).seq


async def test_who_comes_while_news_is_on_its_way_hears_it_once(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    def seqs(phone: Phone) -> list[int]:
        return [push["seq"] for push in phone.pushes]

    granted = await evening.granted(owned)
    first = await evening.listen(granted, topic(owned))
    event = await elsewhere.edit("now")
    evening.live.tell((event,))  # and the flush is still to come

    second = await evening.listen(granted, topic(owned))
    evening.live.tell((last := await elsewhere.edit("last"),))

    await until_async(lambda: last.seq in seqs(first) and last.seq in seqs(second))
    assert seqs(first) == [event.seq, last.seq]
    assert seqs(second) == [seq for seq in (event.seq, last.seq) if seq > second.said[0]["seq"]]


# ---- in memory ----------------------------------------------------------------------------------------------------


@pytest.fixture
def reads(evening: Evening, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The operations that were read since."""
    read, names = evening.storage.read, list[str]()

    async def noting(make: Callable[..., Any], /, *args: Any) -> Any:
        names.append(make.__name__)
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", noting)
    return names


async def test_who_was_away_for_a_moment_is_told_from_memory(evening: Evening, owned: Owned, reads: list[str]) -> None:
    granted = await evening.granted(owned)
    phone = await evening.listen(granted, topic(owned))
    first = phone.said[0]
    evening.live.drop(phone)
    await evening.join(owned, "Ann")
    reads.clear()

    (said,) = (await evening.listen(granted, topic(owned), (first["epoch"], first["seq"]))).said

    assert said["recovered"] is True
    assert [push["seq"] for push in said["events"]] == list(range(first["seq"] + 1, said["seq"] + 1))
    assert said["seq"] == await _seq(evening, owned)
    assert reads == ["one"], "the test's own look"


async def test_after_a_restart_the_events_are_read_once_for_all_who_come_back(evening: Evening, owned: Owned, reads: list[str]) -> None:
    granted = await evening.granted(owned)
    epoch = (await evening.storage.read(stores.one, owned.store_id)).epoch
    await evening.join(owned, *"abc")
    reads.clear()

    phones = await asyncio.gather(*(evening.listen(granted, topic(owned, "public"), (epoch, since)) for since in (0, 1, 2, 3) * 10))

    last = max(phone.said[0]["seq"] for phone in phones)
    for number, phone in enumerate(phones):
        assert [push["seq"] for push in phone.said[0]["events"]] == list(range(number % 4 + 1, last + 1))
    assert reads.count("tail") == 1
    assert "since" not in reads


async def test_a_state_that_is_a_moment_old_comes_with_what_happened_since(
    evening: Evening, owned: Owned, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.states.FRESH_S", 60)
    granted = await evening.granted(owned)
    await evening.listen(granted, topic(owned))
    await evening.join(owned, "Ann")
    reads.clear()

    phone = await evening.listen(granted, topic(owned))

    assert "everything" not in reads
    assert phone.said[0]["snapshot"]["tickets"] == []
    assert [push["ticket"]["name"] for push in phone.pushes if "ticket" in push] == ["Ann"]


async def test_an_older_state_is_read_anew(evening: Evening, owned: Owned, reads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.states.FRESH_S", -1)
    granted = await evening.granted(owned)
    await evening.listen(granted, topic(owned))
    await evening.join(owned, "Ann")

    phone = await evening.listen(granted, topic(owned))

    assert [ticket["name"] for ticket in phone.said[0]["snapshot"]["tickets"]] == ["Ann"]
    assert reads.count("everything") == 2


async def test_who_has_seen_something_is_never_sent_back(
    evening: Evening, owned: Owned, reads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.states.FRESH_S", 0.2)
    granted = await evening.granted(owned)
    await evening.listen(granted, topic(owned))
    await evening.join(owned, "Ann")

    phones = await asyncio.gather(*(evening.listen(granted, topic(owned), ("another past", 1)) for _ in range(20)))

    for phone in phones:
        assert [ticket["name"] for ticket in phone.said[0]["snapshot"]["tickets"]] == ["Ann"]
        assert phone.pushes == []
    assert reads.count("everything") == 2


async def test_owners_and_the_public_share_one_read(evening: Evening, owned: Owned, reads: list[str]) -> None:
    granted = await evening.granted(owned)

    await asyncio.gather(*(evening.listen(granted, topic(owned, audience)) for audience in ("owner", "public") * 20))

    assert reads.count("everything") == 1


# ---- a database that went back ------------------------------------------------------------------------------------


def _go_back(store_id: str, seq: int, epoch: str | None = None) -> Operation[None]:
    """What a restored backup, or a failover that lost the last commits, looks like."""
    yield Statement("delete from events where store_id = $1 and seq > $2", (store_id, seq))
    yield Statement("update stores set seq = $2 where id = $1", (store_id, seq))
    if epoch:
        yield Statement("update stores set epoch = $2 where id = $1", (store_id, epoch))


async def _told_thrice(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> tuple[Granted, Phone, dict[str, Any]]:
    """What the owner may hear, a screen that was told of three changes, and the last of them."""
    granted = await evening.granted(owned)
    phone = await evening.listen(granted, topic(owned))
    for name in "abc":
        evening.live.tell((await elsewhere.edit(name),))
    return granted, phone, (await phone.hears(3))[-1]


@pytest.mark.parametrize("epoch", [None, "restored"])
async def test_screens_of_a_store_that_went_back_are_sent_away_and_begin_anew(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, epoch: str | None
) -> None:
    granted, phone, last = await _told_thrice(evening, owned, elsewhere)
    await evening.storage.write(_go_back, owned.store_id, last["seq"] - 2, epoch)

    await evening.live.check_positions()

    await until_async(lambda: phone.closed, what="the end")
    assert phone.closed == 4000
    back = await evening.listen(granted, topic(owned), (phone.said[0]["epoch"], last["seq"]))
    assert (back.said[0]["recovered"], back.said[0]["seq"]) == (False, last["seq"] - 2)
    evening.live.tell((await elsewhere.edit("anew"),))
    assert [push["store"]["name"] for push in await back.hears(1)] == ["anew"]


async def test_another_change_under_a_number_that_was_told_says_that_the_store_went_back(
    evening: Evening, owned: Owned, elsewhere: Elsewhere
) -> None:
    granted, phone, last = await _told_thrice(evening, owned, elsewhere)
    await evening.storage.write(_go_back, owned.store_id, last["seq"] - 2)
    for name in "xyz":  # past what was told before
        evening.live.tell((await elsewhere.edit(name),))

    await until_async(lambda: phone.closed, what="the end")
    assert phone.closed == 4000
    back = await evening.listen(granted, topic(owned), (phone.said[0]["epoch"], last["seq"]))
    assert (back.said[0]["recovered"], back.said[0]["snapshot"]["store"]["name"]) == (False, "z")


async def test_the_same_change_told_again_says_nothing(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    told = [await elsewhere.edit(name) for name in "ab"]
    for event in (*told, *told):
        evening.live.tell((event,))
    evening.live.tell((await elsewhere.edit("c"),))

    assert [push["store"]["name"] for push in await phone.hears(3)] == ["a", "b", "c"]
    assert (await evening.storage.read(stores.one, owned.store_id)).epoch == phone.said[0]["epoch"]


@pytest.mark.parametrize("kind", ["owner", "board", "ticket"])
async def test_who_was_told_more_than_there_is_is_believed_if_it_is_the_owner(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, kind: str
) -> None:
    owner = await evening.granted(owned)
    last = await elsewhere.edit("last")
    here = topic(owned) if kind == "owner" else f"store/{owned.store_id}/{'board' if kind == 'board' else 'public'}"
    granted = msgspec.structs.replace(owner, kind=kind, topics=(here,))
    epoch = (await evening.storage.read(stores.one, owned.store_id)).epoch

    phone = await evening.listen(granted, here, (epoch, last.seq + 3))

    if kind == "owner":
        await until_async(lambda: phone.closed, what="the end")
    else:
        evening.live.tell((await elsewhere.edit("next"),))
        await phone.hears(1)
    assert ((await evening.storage.read(stores.one, owned.store_id)).epoch == epoch) is (kind != "owner")


async def test_nobody_sends_the_others_away_again_and_again(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    granted = await evening.granted(owned)
    last = await elsewhere.edit("last")
    first = await evening.listen(granted, topic(owned))
    await evening.listen(granted, topic(owned), (first.said[0]["epoch"], last.seq + 3))
    await until_async(lambda: first.closed, what="the end")

    second = await evening.listen(granted, topic(owned))
    await evening.listen(granted, topic(owned), (second.said[0]["epoch"], last.seq + 3))
    evening.live.tell((await elsewhere.edit("next"),))

    assert [push["store"]["name"] for push in await second.hears(1)] == ["next"]
    assert second.closed is None


async def test_a_past_gets_another_name_though_the_database_fails_for_a_while(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.pasts.AGAIN_S", 0.001)
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    event = await elsewhere.edit("a")
    evening.live.tell((event,))
    write, failures = evening.storage.write, [StorageFailed(), StorageFailed()]

    async def failing(make: Callable[..., Any], /, *args: Any) -> Any:
        if failures:
            raise failures.pop()
        return await write(make, *args)

    monkeypatch.setattr(evening.storage, "write", failing)
    evening.live.tell((msgspec.structs.replace(event, at_ms=event.at_ms + 1),))

    await until_async(lambda: phone.closed, what="the end")
    assert (await evening.storage.read(stores.one, owned.store_id)).epoch != phone.said[0]["epoch"]


async def test_whoever_asks_for_the_state_of_a_store_that_went_back_is_answered(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.states.FRESH_S", -1)
    granted, phone, last = await _told_thrice(evening, owned, elsewhere)
    await evening.storage.write(_go_back, owned.store_id, last["seq"] - 2)

    async with asyncio.timeout(10):
        asked = await evening.listen(granted, topic(owned))

    await until_async(lambda: phone.closed and asked.closed, what="the end of both")
    assert (await evening.listen(granted, topic(owned))).said[0]["seq"] == last["seq"] - 2


async def test_positions_are_compared_though_the_database_fails_for_a_while(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.positions.AGAIN_S", 0.001)
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    await elsewhere.edit("silent")
    read, failures = evening.storage.read, [StorageFailed(), StorageFailed()]

    async def failing(make: Callable[..., Any], /, *args: Any) -> Any:
        if make is snapshots.tops and failures:
            raise failures.pop()
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", failing)
    await evening.live.check_positions()

    assert [push["store"]["name"] for push in await phone.hears(1)] == ["silent"]


async def test_a_change_that_nobody_announced_is_found_by_itself(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    await elsewhere.edit("silent")

    looking = asyncio.create_task(positions.keep_comparing(evening.live.check_positions, 0.001))
    pushes = await phone.hears(1)
    looking.cancel()

    assert pushes[0]["store"]["name"] == "silent"


async def test_what_was_told_of_a_past_that_is_lost_is_not_published_in_the_next(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    granted, read = await evening.granted(owned), evening.storage.read
    await elsewhere.edit("before")
    lost = await elsewhere.edit("lost")

    async def after_a_failover(make: Callable[..., Any], /, *args: Any) -> Any:
        if make is snapshots.everything and not evening.live._followed[owned.store_id].early:
            evening.live.tell((lost,))
            await evening.storage.write(_go_back, owned.store_id, lost.seq - 2, "restored")
            # It is read once more, for what is on its way now was begun before.
            await read(make, *args)
            return await evening.live._states._read(evening.live._followed[owned.store_id]) and await read(make, *args)
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", after_a_failover)
    phone = await evening.listen(granted, topic(owned))
    monkeypatch.undo()
    for name in "ab":
        evening.live.tell((await elsewhere.edit(name),))

    assert [push["store"]["name"] for push in await phone.hears(2)] == ["a", "b"]
