"""What sockets are told: whole states, missed events, and every commit in its order, once - whoever may hear it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from realtime.errors import StorageFailed
from realtime.frames import split
from realtime.messages import CallNext
from realtime.model import Event
from realtime.operations import snapshots, stores
from realtime.storage.statement import Statement
from tests.support.evening import Elsewhere, Evening, Owned, Phone, an_evening, settle_down, topic
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


# ---- order --------------------------------------------------------------------------------------------------------


async def test_commits_that_are_told_out_of_order_are_published_in_order(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    first, second, third = [await elsewhere.edit(name) for name in "abc"]

    for event in (third, first, second):
        evening.live.tell((event,))

    pushes = await phone.hears(3)
    assert [push["store"]["name"] for push in pushes] == ["a", "b", "c"]


async def test_a_commit_that_nobody_tells_is_read_from_the_event_rows(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    await elsewhere.edit("silent")

    evening.live.tell((await elsewhere.edit("told"),))

    pushes = await phone.hears(2)
    assert [push["store"]["name"] for push in pushes] == ["silent", "told"]


async def test_nobody_is_told_twice(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    told = [await elsewhere.edit(name) for name in "abc"]

    for event in (*told, *reversed(told), *told):
        evening.live.tell((event,))
        evening.live.reached(owned.store_id, event.seq)
    await phone.hears(3)
    await settle_down(evening)

    assert _seqs(phone) == [event.seq for event in told]


async def test_what_another_process_committed_is_read_once_it_says_how_far_it_is(
    evening: Evening, owned: Owned, elsewhere: Elsewhere
) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    made = [await elsewhere.edit(f"Shop {number}") for number in range(5)]

    evening.live.reached(owned.store_id, made[-1].seq)

    assert [push["store"]["name"] for push in await phone.hears(5)] == [f"Shop {number}" for number in range(5)]


async def test_what_is_reached_while_a_gap_is_being_read_is_not_forgotten(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    read = evening.storage.read
    first = await elsewhere.edit("first")
    late: list[Event] = []

    async def then_more(make: Callable[..., Any], /, *args: Any) -> Any:
        found = await read(make, *args)
        if make is snapshots.after and not late:
            late.append(await elsewhere.edit("second"))
            evening.live.reached(owned.store_id, late[0].seq)
        return found

    monkeypatch.setattr(evening.storage, "read", then_more)
    evening.live.reached(owned.store_id, first.seq)

    assert [push["store"]["name"] for push in await phone.hears(2)] == ["first", "second"]


async def test_a_gap_is_filled_although_the_database_fails_for_a_while(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("realtime.live._AGAIN_S", 0.001)
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    read, failures = evening.storage.read, [StorageFailed(), StorageFailed()]

    async def failing(make: Callable[..., Any], /, *args: Any) -> Any:
        if make is snapshots.after and failures:
            raise failures.pop()
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", failing)
    event = await elsewhere.edit("after all")
    evening.live.reached(owned.store_id, event.seq)

    assert [push["store"]["name"] for push in await phone.hears(1)] == ["after all"]


async def test_events_that_were_deleted_are_passed_over(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    events = [await elsewhere.edit(name) for name in "abc"]

    def delete() -> Any:
        yield from stores.one(owned.store_id)
        yield Statement("delete from events where store_id = $1 and seq = $2", (owned.store_id, events[0].seq))

    await evening.storage.write(delete)
    evening.live.reached(owned.store_id, events[-1].seq)

    assert [push["store"]["name"] for push in await phone.hears(2)] == ["b", "c"]


async def test_after_a_lost_connection_everything_missed_is_read(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    for name in "ab":
        await elsewhere.edit(name)

    evening.live.catch_up()

    assert [push["store"]["name"] for push in await phone.hears(2)] == ["a", "b"]


async def test_a_busy_evening_arrives_whole_and_in_order_on_every_screen(evening: Evening, owned: Owned) -> None:
    granted = await evening.granted(owned)
    phones = [await evening.listen(granted, topic(owned, audience)) for audience in ("owner", "public") for _ in range(3)]
    await evening.join(owned, *"abcde")
    calls = (evening.reception.call_next(owned.account_id, owned.store_id, "A", CallNext(f"Desk {number}")) for number in range(5))
    await asyncio.gather(*calls)

    last = await _seq(evening, owned)
    await until_async(lambda: all(_seqs(phone)[-1:] == [last] for phone in phones), what="the last change")
    for phone in phones:
        first = phone.said[0]["seq"]
        assert _seqs(phone) == list(range(first + 1, last + 1))


# ---- coming -------------------------------------------------------------------------------------------------------


async def test_who_comes_gets_the_whole_state_and_its_seq(evening: Evening, owned: Owned) -> None:
    await evening.join(owned, "Ann", "Bo")

    phone = await evening.listen(await evening.granted(owned), topic(owned))

    (state,) = phone.said
    assert state["recovered"] is False
    assert state["seq"] == await _seq(evening, owned)
    assert [ticket["name"] for ticket in state["snapshot"]["tickets"]] == ["Ann", "Bo"]


async def test_who_was_here_gets_every_missed_event(evening: Evening, owned: Owned) -> None:
    granted = await evening.granted(owned)
    (state,) = (await evening.listen(granted, topic(owned, "public"))).said
    await evening.join(owned, "Ann")

    again = await evening.listen(granted, topic(owned, "public"), (state["epoch"], state["seq"]))

    (said,) = again.said
    assert said["recovered"] is True
    assert [push["seq"] for push in said["events"]] == list(range(state["seq"] + 1, said["seq"] + 1))
    assert all("name" not in push.get("ticket", {}) for push in said["events"])


async def test_who_missed_nothing_gets_nothing(evening: Evening, owned: Owned) -> None:
    granted = await evening.granted(owned)
    (state,) = (await evening.listen(granted, topic(owned))).said

    (said,) = (await evening.listen(granted, topic(owned), (state["epoch"], state["seq"]))).said

    assert (said["recovered"], said["events"], said["seq"]) == (True, [], state["seq"])


@pytest.mark.parametrize(
    "since",
    [("another", 1), ("", 0), (None, 10**9), (None, -1), (None, -(10**18)), (None, 0)],
    ids=["epoch", "no epoch", "future", "-1", "past", "too many"],
)
async def test_what_cannot_be_given_whole_is_not_given_at_all(database_url: str, since: tuple[str | None, int]) -> None:
    async with an_evening(database_url, replay_events=3) as evening:
        owned = await evening.open()
        await evening.join(owned, *"abcde")
        granted = await evening.granted(owned)
        epoch = (await evening.storage.read(stores.one, owned.store_id)).epoch

        (said,) = (await evening.listen(granted, topic(owned), (epoch if since[0] is None else since[0], since[1]))).said

        assert said["recovered"] is False
        assert said["snapshot"]["tickets"]


async def test_as_many_missed_events_as_are_kept_are_given(database_url: str) -> None:
    async with an_evening(database_url, replay_events=3) as evening:
        owned = await evening.open()
        granted = await evening.granted(owned)
        (state,) = (await evening.listen(granted, topic(owned))).said
        await evening.join(owned, *"ab")  # one event of the code, two of the tickets

        (said,) = (await evening.listen(granted, topic(owned), (state["epoch"], state["seq"]))).said
        assert len(said["events"]) == 3

        await evening.join(owned, "c", key="another phone's key")
        (said,) = (await evening.listen(granted, topic(owned), (state["epoch"], state["seq"]))).said
        assert said["recovered"] is False


async def test_who_recovers_hears_of_what_other_processes_do_next(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    """After a restart nothing is known of a store but what those who come back say."""
    epoch = (await evening.storage.read(stores.one, owned.store_id)).epoch
    phone = await evening.listen(await evening.granted(owned), topic(owned), (epoch, await _seq(evening, owned)))
    assert phone.said[0]["recovered"] is True

    evening.live.reached(owned.store_id, (await elsewhere.edit("elsewhere")).seq)

    assert [push["store"]["name"] for push in await phone.hears(1)] == ["elsewhere"]


@pytest.mark.parametrize("recovers", [False, True])
async def test_a_commit_between_registering_and_reading_is_neither_lost_nor_out_of_order(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, recovers: bool
) -> None:
    granted = await evening.granted(owned)
    store = await evening.storage.read(stores.one, owned.store_id)
    read, made = evening.storage.read, list[Event]()

    async def between(make: Callable[..., Any], /, *args: Any) -> Any:
        first = make in (snapshots.everything, snapshots.tail) and not made
        if first:
            made.append(await elsewhere.edit("before the read"))
            evening.live.tell((made[0],))
        found = await read(make, *args)
        if first:
            made.extend([await elsewhere.edit("after the read"), await elsewhere.edit("last")])
            # The later one is told first, as tasks of a pool may.
            evening.live.tell((made[2],))
            evening.live.tell((made[1],))
        return found

    monkeypatch.setattr(evening.storage, "read", between)
    phone = await evening.listen(granted, topic(owned), (store.epoch, store.seq) if recovers else None)
    await until_async(lambda: len(made) == 3 and made[2].seq in (phone.said[0]["seq"], *_seqs(phone)), what="the last change")

    begins = phone.said[0]["seq"]
    newer = [seq for seq in _seqs(phone) if seq > begins]
    missed = [push["seq"] for push in phone.said[0].get("events", ())]
    # What happened while its rows were read may stand among the missed, or come after them.
    assert begins == made[0].seq or recovers
    assert [*(missed if recovers else [begins]), *newer] == [event.seq for event in made]


@pytest.mark.parametrize("recovers", [False, True])
async def test_what_another_process_reaches_while_the_first_here_reads_is_not_forgotten(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, recovers: bool
) -> None:
    granted = await evening.granted(owned)
    store = await evening.storage.read(stores.one, owned.store_id)
    read, made = evening.storage.read, list[Event]()

    async def then_more(make: Callable[..., Any], /, *args: Any) -> Any:
        found = await read(make, *args)
        if make in (snapshots.everything, snapshots.tail) and not made:
            made.append(await elsewhere.edit("meanwhile"))
            evening.live.reached(owned.store_id, made[0].seq)
        return found

    monkeypatch.setattr(evening.storage, "read", then_more)
    phone = await evening.listen(granted, topic(owned), (store.epoch, store.seq) if recovers else None)

    assert [push["store"]["name"] for push in await phone.hears(1)] == ["meanwhile"]


async def test_what_is_told_while_positions_are_compared_is_not_forgotten(
    evening: Evening, owned: Owned, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = await evening.listen(await evening.granted(owned), topic(owned))
    read, told = evening.storage.read, list[Event]()

    async def then_more(make: Callable[..., Any], /, *args: Any) -> Any:
        found = await read(make, *args)
        if make is snapshots.tops and not told:
            await elsewhere.edit("silent")
            told.append(await elsewhere.edit("told"))
            evening.live.tell((told[0],))
        return found

    monkeypatch.setattr(evening.storage, "read", then_more)
    evening.live.catch_up()

    assert [push["store"]["name"] for push in await phone.hears(2)] == ["silent", "told"]


async def test_the_state_is_read_once_for_many_who_come_at_once(evening: Evening, owned: Owned, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = await evening.granted(owned)
    read, count = evening.storage.read, 0

    async def counting(make: Callable[..., Any], /, *args: Any) -> Any:
        nonlocal count
        count += make is snapshots.everything
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", counting)
    phones = await asyncio.gather(*(evening.listen(granted, topic(owned, "public")) for _ in range(50)))
    later = await evening.listen(granted, topic(owned, "public"))

    assert count == 1
    assert all(phone.said == later.said for phone in phones)


async def test_who_goes_away_while_a_state_is_read_spoils_it_for_nobody(evening: Evening, owned: Owned) -> None:
    granted = await evening.granted(owned)
    gone = asyncio.create_task(evening.listen(granted, topic(owned)))
    stays = asyncio.create_task(evening.listen(granted, topic(owned)))
    await asyncio.sleep(0)
    gone.cancel()

    assert (await stays).said[0]["recovered"] is False
    assert evening.live.hub.subscribers(topic(owned)) == 1


async def test_a_subscription_that_could_not_be_answered_is_none(evening: Evening, owned: Owned, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = await evening.granted(owned)
    read = evening.storage.read

    async def failing(make: Callable[..., Any], /, *args: Any) -> Any:
        if make is snapshots.everything:
            raise StorageFailed
        return await read(make, *args)

    monkeypatch.setattr(evening.storage, "read", failing)
    with pytest.raises(StorageFailed):
        await evening.listen(granted, topic(owned))

    assert evening.live.hub.subscribers(topic(owned)) == 0


async def test_a_slow_reader_gets_the_present_state(evening: Evening, owned: Owned, elsewhere: Elsewhere) -> None:
    await evening.listen(await evening.granted(owned), topic(owned))
    evening.live.tell((event := await elsewhere.edit("now"),))

    frames, mark = await evening.live.snapshot(topic(owned))
    text = next(split(frames))[1].decode()

    assert mark == event.seq
    assert f'"seq":{event.seq},"conflated":true' in text
    assert '"name":"now"' in text


async def test_who_asks_between_the_end_of_a_reading_and_its_putting_away_has_a_new_one(evening: Evening, owned: Owned) -> None:
    live, granted = evening.live, await evening.granted(owned)
    await evening.listen(granted, topic(owned))
    followed = live._followed[owned.store_id]
    followed.reading = asyncio.get_running_loop().create_future()
    assert followed.seen is not None
    followed.reading.set_result(followed.seen)
    followed.seen = None
    await evening.join(owned, "Ann")

    async with asyncio.timeout(10):
        phone = await evening.listen(granted, topic(owned))

    assert [ticket["name"] for ticket in phone.said[0]["snapshot"]["tickets"]] == ["Ann"]
