"""Several processes under load while one part after another is killed, paused or restarted: at the end everybody sees what is in the database."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.conftest import Serve
from tests.flows.client import PATIENCE_S, Owner, Screen, off_loop, select
from tests.flows.crowd import Crowd
from tests.flows.places import owners_at
from tests.support.postgres import PostgresServer
from tests.support.process import ServerProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async

PAUSE_S = 2.0
STANDS_STILL_S = 60.0
"""A process that stands still keeps a store for 2 s with each of its transactions, and for 20 s at most."""
LOOKED_S = 12.0
"""Without a broker every process looks every 6 s at most; with the 5 s until it notices."""


class Town:
    """One store, its owner, a crowd and screens at each of several processes, and what they all stand on."""

    def __init__(self, owners: list[Owner], postgres: PostgresServer, valkey: ValkeyServer, database_url: str) -> None:
        self.owners = owners
        self.postgres = postgres
        self.valkey = valkey
        self._database_url = database_url
        self.database = database_url.rpartition("/")[2]
        self.crowds = [Crowd(owner, random.Random(number), f"Guest of {number}") for number, owner in enumerate(owners)]
        self.screens: list[Screen] = []

    async def open(self) -> None:
        board = await self.owners[0].board_token()
        for owner in self.owners:
            self.screens += [Screen(owner.server, owner.token, owner.topic), Screen(owner.server, board, f"store/{owner.store_id}/board")]
        for screen in self.screens:
            await screen.connect()
        for crowd in self.crowds:
            crowd.start(customers=2, staff=1)

    async def serve(self, more: int, *crowds: Crowd, within_s: float = PATIENCE_S) -> None:
        await asyncio.gather(*(crowd.serve(more, within_s) for crowd in crowds or self.crowds))

    def screens_at(self, server: ServerProcess) -> list[Screen]:
        return [screen for screen in self.screens if screen.server is server]

    async def come_back(self, *screens: Screen) -> None:
        for screen in screens or self.screens:
            if not screen.connected:
                await screen.come_back()

    async def everybody_sees(self, at: Owner, name: str, within: float) -> None:
        """Somebody walks in at one process, and is on the screens of all."""
        ticket = (await at.walk_in(name))["ticket"]["id"]
        for screen in self.screens:
            await until_async(lambda: ticket in screen.view.tickets, within, f"{name} on {screen.view.topic}")  # noqa: B023 - waited for here

    async def check(self) -> None:
        for crowd in self.crowds:
            await crowd.stop()
        await self.come_back()
        for number, owner in enumerate(self.owners):
            await self.everybody_sees(owner, f"The last at {number}", LOOKED_S)
        await self._nothing_lost_or_doubled()
        rows = await select(self._database_url, "select id, state, name, place, desk from tickets order by id")
        seqs = [seq for (seq,) in await select(self._database_url, "select seq from events order by seq")]
        assert seqs == list(range(1, len(seqs) + 1))
        for screen in self.screens:
            await screen.reached(seqs[-1])
            await screen.check()
            seen = screen.view.tickets
            if screen.view.topic.endswith("/owner"):
                assert [(id_, *(one[part] for part in ("state", "name", "place", "desk"))) for id_, one in sorted(seen.items())] == rows
            else:
                assert [(id_, one["state"], one["place"]) for id_, one in sorted(seen.items())] == [
                    (row[0], row[1], row[3]) for row in rows
                ]

        for owner in self.owners:
            # The pool of asyncpg tells with a traceback that it waits for Postgres.
            log = owner.server.output()
            assert log.count("Traceback") == log.count("Failed to restore the pool connection floor"), log

    async def _nothing_lost_or_doubled(self) -> None:
        whole = Crowd(self.owners[0], random.Random(0))
        for crowd in self.crowds:
            whole.joined |= crowd.joined
            whole.walked_in |= crowd.walked_in
            whole.called |= crowd.called
            whole.unexpected += crowd.unexpected
        await whole.check()


Fault = Callable[[Town], Awaitable[None]]


async def process_killed(town: Town, number: int = 1) -> None:
    killed = town.owners[number].server
    await off_loop(killed.kill)
    await town.serve(10, town.crowds[0])
    await off_loop(killed.start)
    await town.come_back(*town.screens_at(killed))


async def process_paused(town: Town, number: int = 1) -> None:
    paused = town.owners[number].server
    paused.pause(signal.SIGSTOP)
    try:
        await asyncio.gather(town.serve(10, town.crowds[0], within_s=STANDS_STILL_S), asyncio.sleep(PAUSE_S))
    finally:
        paused.pause(signal.SIGCONT)


async def process_restarted(town: Town, number: int = 1) -> None:
    """In order: it drains while its people go on asking, and its screens are told when to come back."""
    restarted = town.owners[number].server
    assert await off_loop(restarted.stop) == 0, restarted.output()
    for screen in town.screens_at(restarted):
        assert await screen.gone() == 1012
        assert screen.told_to_come_back
    await town.serve(10, town.crowds[0])
    await off_loop(restarted.start)
    await town.come_back(*town.screens_at(restarted))


async def three_processes_at_once(town: Town) -> None:
    """One is killed, one stands still and one is restarted; the fourth serves everybody's store meanwhile."""
    await asyncio.gather(process_killed(town, 1), process_paused(town, 2), process_restarted(town, 3))


async def valkey_paused(town: Town) -> None:
    """Until everybody has noticed: they go on without it."""
    logs = [(server, len(server.output())) for server in (owner.server for owner in town.owners)]
    await off_loop(town.valkey.pause, signal.SIGSTOP)
    try:
        for server, length in logs:
            await until_async(lambda: "not reachable" in server.output()[length:], 15, "it to be noticed")  # noqa: B023 - waited for here
        await town.everybody_sees(town.owners[0], "Without a broker", LOOKED_S)
    finally:
        await off_loop(town.valkey.pause, signal.SIGCONT)


async def valkey_restarted(town: Town) -> None:
    await off_loop(town.valkey.stop)
    await town.serve(10)
    await off_loop(town.valkey.start)


async def valkey_killed(town: Town) -> None:
    await off_loop(town.valkey.kill)
    await town.serve(10)
    await off_loop(town.valkey.start)


async def postgres_restarted(town: Town) -> None:
    await off_loop(town.postgres.restart)


async def postgres_killed(town: Town) -> None:
    """It is away for as long as somebody needs who starts it again."""
    await off_loop(town.postgres.crash)
    try:
        await asyncio.sleep(PAUSE_S)
    finally:
        await off_loop(town.postgres.start)


async def backend_killed(town: Town) -> None:
    """Postgres ends all connections, and refuses new ones until it has recovered."""
    await off_loop(town.postgres.crash_backend, town.database)


async def postgres_paused(town: Town) -> None:
    await off_loop(town.postgres.pause, signal.SIGSTOP)
    try:
        await asyncio.sleep(PAUSE_S)
    finally:
        await off_loop(town.postgres.pause, signal.SIGCONT)


OF_POSTGRES: tuple[Fault, ...] = (
    process_killed,
    process_paused,
    process_restarted,
    postgres_restarted,
    postgres_killed,
    backend_killed,
    postgres_paused,
)
OF_REDIS: tuple[Fault, ...] = (
    process_killed,
    process_paused,
    process_restarted,
    three_processes_at_once,
    valkey_paused,
    valkey_restarted,
    valkey_killed,
    postgres_restarted,
    postgres_killed,
    postgres_paused,
)
PROCESSES: dict[Fault, int] = {process_killed: 3, three_processes_at_once: 4}
"""Two, where nothing else is said."""
ENDS_CONNECTIONS = {postgres_restarted, postgres_killed, backend_killed}


@pytest.fixture
async def town(
    request: pytest.FixtureRequest,
    server: Serve,
    new_database: Callable[[], str],
    postgres_server: PostgresServer,
    valkey_server: ValkeyServer,
) -> AsyncIterator[Town]:
    broker, processes = request.param
    ends_connections = request.node.callspec.params["fault"] in ENDS_CONNECTIONS
    settings: dict[str, Any] = {
        "database_url": new_database(),
        "broker": broker,
        "redis_url": valkey_server.url if broker == "redis" else "",
    }
    async with contextlib.AsyncExitStack() as stack:
        owners = await stack.enter_async_context(owners_at(server, processes, expect_errors=ends_connections, **settings))
        town = Town(owners, postgres_server, valkey_server, settings["database_url"])
        await town.open()
        yield town
        for screen in town.screens:
            await screen.lock()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("town", "fault"),
    [
        *((("postgres", PROCESSES.get(fault, 2)), fault) for fault in OF_POSTGRES),
        *((("redis", PROCESSES.get(fault, 2)), fault) for fault in OF_REDIS),
    ],
    indirect=["town"],
    ids=[*(f"postgres-{fault.__name__}" for fault in OF_POSTGRES), *(f"redis-{fault.__name__}" for fault in OF_REDIS)],
)
async def test_whatever_happens_to_one_part_everybody_ends_with_what_is_in_the_database(town: Town, fault: Fault) -> None:
    await town.serve(10)

    await fault(town)

    await town.serve(10)
    await town.check()
