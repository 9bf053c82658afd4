"""The end of one process among several: what it counted is over for the others at once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from blockbuster import BlockBuster

from realtime import app
from realtime.app import load_plugins, make_storage, running
from realtime.crowds import Crowds
from realtime.errors import Overloaded
from realtime.settings import Settings
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async

BAR = "bar"


@asynccontextmanager
async def process(settings: Settings) -> AsyncIterator[Crowds]:
    """All parts of a process, and how many sockets the bar has."""
    async with running(settings, make_storage(settings), load_plugins(settings)) as parts:
        crowds = Crowds(2, "Too many.")
        parts.count_together("sockets_of_bars", crowds)
        yield crowds


def full(crowds: Crowds) -> bool:
    try:
        crowds.enter(BAR)
    except Overloaded:
        return True
    crowds.leave(BAR)
    return False


@pytest.mark.parametrize("broker", ["listen", "valkey"])
async def test_who_ends_in_order_takes_its_sockets_back_as_its_last_word(
    new_database: Callable[[], str],
    valkey_server: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    blocking_is_an_error: BlockBuster,
    broker: str,
) -> None:
    """Otherwise they would count until the others think that it was killed, and those who come back there would be refused."""
    monkeypatch.setattr(app, "HELD_S", 3600.0)
    blocking_is_an_error.deactivate()  # starting and stopping may read files
    settings = Settings.defaults(
        database_url=new_database(), redis_url=valkey_server.url if broker == "valkey" else "", secret_key="s" * 40, postgres_pool=2
    )
    async with process(settings) as stays:
        async with process(settings) as ends:
            ends.enter(BAR)
            ends.enter(BAR)
            await until_async(lambda: full(stays), what="the other process to hear of them")
        await until_async(lambda: not full(stays), what="them to be over")
