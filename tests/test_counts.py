"""What happened to sockets is counted where it happens."""

from __future__ import annotations

import pytest

from realtime.counts import LOST, OTHER, Counts
from realtime.operations import stores
from tests.support.evening import Phone, an_evening, topic
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
