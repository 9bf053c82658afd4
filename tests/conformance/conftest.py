"""Both databases behind one interface, and every broker behind another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from realtime.storage.postgres import PostgresStorage
from realtime.storage.sqlite import SqliteStorage
from realtime.storage.statement import Storage
from tests.support.cable import Cable, NoCable, PostgresCable, ValkeyCable

MakeStorage = Callable[..., Storage]


@pytest.fixture
def make_storage(database_url: str) -> MakeStorage:
    """One more storage on the test's database, not open yet: `make_storage(write_queue=3)`."""

    def make(*, write_queue: int = 10_000) -> Storage:
        if database_url.startswith("sqlite"):
            return SqliteStorage(database_url, write_queue=write_queue)
        return PostgresStorage(database_url, write_queue=write_queue, pool=2)

    return make


@pytest.fixture
async def storage(make_storage: MakeStorage) -> AsyncIterator[Storage]:
    storage = make_storage()
    await storage.open()
    yield storage
    await storage.close()


@pytest.fixture(params=["none", "postgres", "valkey"])
async def cable(request: pytest.FixtureRequest) -> AsyncIterator[Cable]:
    """What joins the brokers of several processes."""
    cable: Cable
    if request.param == "none":
        cable = NoCable()
    elif request.param == "postgres":
        cable = PostgresCable(request.getfixturevalue("postgres_server"), request.getfixturevalue("new_database")())
    else:
        cable = ValkeyCable(request.getfixturevalue("valkey_server"))
    yield cable
    await cable.close()
