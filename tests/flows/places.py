"""Several processes on one Postgres database, and the same owner at each of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from tests.conftest import Serve
from tests.flows.client import MANY, Owner, off_loop, open_store, visitor
from tests.support.process import ServerProcess


@contextlib.asynccontextmanager
async def owners_at(server: Serve, count: int, **settings: Any) -> AsyncIterator[list[Owner]]:
    """Starts so many processes and opens a store; its owner at each of them. `settings` name the database and the broker."""
    first = await off_loop(lambda: server(**MANY, **settings))
    # The tables are there now, so the others need not wait for one another.
    others: list[ServerProcess] = [server(start=False, **MANY, **settings) for _ in range(count - 1)]
    await asyncio.gather(*(off_loop(other.start) for other in others))
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(first, board_code=True))
        owners = [owner]
        for other in others:
            http = await stack.enter_async_context(visitor(other))
            owners.append(Owner(other, http, owner.store_id, owner.email, owner.token))
        yield owners
