"""How far stores are is compared with how far they were published, and again where something was lost meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from realtime.operations import snapshots
from tests.support.evening import Elsewhere, an_evening, topic


async def test_what_is_lost_while_positions_are_compared_is_found_by_another_look(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with an_evening(database_url) as evening:
        owned = await evening.open()
        elsewhere = Elsewhere(evening, owned)
        phone = await evening.listen(await evening.granted(owned), topic(owned))
        read, looks = evening.storage.read, 0

        async def then_a_loss(make: Callable[..., Any], /, *args: Any) -> Any:
            nonlocal looks
            found = await read(make, *args)
            if make is snapshots.tops:
                looks += 1
                if looks == 1:
                    await elsewhere.edit("silent")
                    evening.live.catch_up()
                    evening.live.catch_up()
            return found

        monkeypatch.setattr(evening.storage, "read", then_a_loss)
        evening.live.catch_up()

        assert [push["store"]["name"] for push in await phone.hears(1)] == ["silent"]
        assert looks == 2
