"""What happened to sockets is counted where it happens."""

from __future__ import annotations

import asyncio

import pytest

from realtime.counts import LOST, OTHER, Counts
from realtime.operations import stores
from tests.support.evening import Elsewhere, Phone, an_evening, topic
from tests.support.waiting import until_async


@pytest.mark.parametrize(
    ("code", "counted"), [(1000, 1000), (4008, 4008), (4410, 4410), (LOST, LOST), (4999, OTHER), (1016, OTHER), (-1, OTHER)]
)
def test_a_close_code_of_a_clients_own_makes_no_series(code: int, counted: int) -> None:
    counts = Counts()
    series = set(counts.closes)

    counts.closed(code)

    assert {code: n for code, n in counts.closes.items() if n} == {counted: 1}
    assert set(counts.closes) == series


async def test_events_reads_and_recoveries_are_counted(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        granted, counts = await evening.granted(owned), evening.live.counts
        epoch = (await evening.storage.read(stores.one, owned.store_id)).epoch

        phone = await evening.listen(granted, topic(owned))
        assert (counts.whole_reads, counts.published, sum(counts.recoveries.values())) == (1, 0, 0)

        await evening.join(owned, "Ann")
        last = phone.said[-1]["seq"]
        assert counts.published == last - phone.said[0]["seq"]

        await evening.listen(granted, topic(owned), (epoch, last - 1))
        assert counts.recoveries == {"ring": 1, "rows": 0, "snapshot": 0}

        evening.live._followed[owned.store_id].ring.clear()
        await evening.listen(granted, topic(owned), (epoch, last - 1))
        assert counts.recoveries == {"ring": 1, "rows": 1, "snapshot": 0}

        await evening.listen(granted, topic(owned), ("another past", 1))
        assert counts.recoveries == {"ring": 1, "rows": 1, "snapshot": 1}


async def test_screens_that_know_more_than_this_process_share_reads(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        granted, counts = await evening.granted(owned), evening.live.counts
        first = (await evening.listen(granted, topic(owned))).said[0]
        event = await Elsewhere(evening, owned).edit("told by another process")

        phones = await asyncio.gather(*(evening.listen(granted, topic(owned), (first["epoch"], event.seq)) for _ in range(20)))

        assert [phone.said[0]["seq"] for phone in phones] == [event.seq] * 20
        assert counts.whole_reads <= 3


async def test_a_store_that_is_edited_all_the_time_is_read_no_more_often(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("realtime.states.FRESH_S", 0.3)
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        granted, elsewhere = await evening.granted(owned), Elsewhere(evening, owned)
        await evening.listen(granted, topic(owned))
        read_s = evening.live._followed[owned.store_id].read_s

        evening.live.tell((await elsewhere.edit("changed"),))
        await evening.listen(granted, topic(owned))

        assert evening.live._followed[owned.store_id].read_s - read_s >= 0.3


class Slow(Phone):
    """It has not read `waiting` bytes yet."""

    waiting = 0

    def buffered_bytes(self) -> int:
        return self.waiting


async def test_whole_states_for_slow_readers_are_counted(database_url: str) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        granted, counts = await evening.granted(owned), evening.live.counts
        slow = Slow()
        await evening.live.subscribe(granted, topic(owned), None, slow, lambda body: body, "")
        slow.waiting = evening.parts.settings.soft_backlog_bytes + 1
        await evening.join(owned, "Ann")
        await until_async(lambda: evening.parts.hub._lagging)
        assert counts.conflated == 0

        slow.waiting = 0
        await until_async(lambda: any(said.get("conflated") for said in slow.said), what="a whole state")

        assert counts.conflated == 1
