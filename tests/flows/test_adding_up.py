"""Two processes count together: who looks at a store, and how often a visitor may ask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.conftest import Serve
from tests.flows.client import Screen, join, live_ticket, visitor
from tests.flows.test_two_processes import HEARD_S, Two, two  # noqa: F401 - a fixture
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async


async def test_a_page_at_one_process_shows_on_the_owners_screens_at_both(two: Two) -> None:  # noqa: F811 - the fixture
    def shown(screen: Screen, pages: list[int], *, boards: int) -> bool:
        last = screen.presence[-1] if screen.presence else {}
        return (last.get("open"), last.get("boards")) == (pages, boards)

    async with visitor(two.first) as phone:
        ticket = await join(two.owner, phone, "Ann")
    live = await live_ticket(two.owner, ticket)
    board = await two.owner.board_token()
    number = int(live["topics"][1].rpartition("/")[2])
    async with Screen(two.second, live["live_token"], *live["topics"]), Screen(two.first, board, f"store/{two.owner.store_id}/board"):
        for screen in (two.at_first, two.at_second):
            await until_async(partial(shown, screen, [number], boards=1), HEARD_S, "the page and the board to be shown")
            last = screen.presence[-1]
            assert (last["public"], last["owners"], last["all"]) == (1, 2, True)

    for screen in (two.at_first, two.at_second):
        await until_async(partial(shown, screen, [], boards=0), HEARD_S, "both to be gone")


@pytest.mark.parametrize("broker", ["listen", "valkey"])
async def test_what_was_tried_at_one_process_counts_at_the_other(
    server: Serve, new_database: Callable[[], str], valkey_server: ValkeyServer, broker: str
) -> None:
    """Each by itself would take ten tries a minute."""
    settings: dict[str, Any] = {
        "database_url": new_database(),
        "redis_url": valkey_server.url if broker == "valkey" else "",
        "sign_in_tries_per_minute": 10,
    }
    first, second = server(**settings), server(**settings)
    body = {"email": "nobody@example.org", "password": "not the password"}

    async with visitor(first) as one, visitor(second) as other:
        tried = [(await one.post("/v1/login", json=body)).status_code for _ in range(11)]
        more = [(await other.post("/v1/login", json=body)).status_code]
        while more[-1] == 401 and len(more) < 8:
            more.append((await other.post("/v1/login", json=body)).status_code)

    assert tried[:10] == [401] * 10
    assert more[-1] == 429, "the second process took as many as the first"
