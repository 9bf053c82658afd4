"""The web layer on real parts: SQLite in a temporary file, every use case, a clock that tests may move."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from blockbuster import BlockBuster
from jinja2 import Environment
from starlette.applications import Starlette

from realtime.app import Parts, load_plugins, make_storage, now_ms, running
from realtime.settings import Settings
from realtime.web import application, pages, routes
from realtime.web.context import Context
from realtime.web.limits import Limits
from realtime.web.sockets import Sockets

HOST = "http://127.0.0.1:8000"
PASSWORD = "four red lanterns"


class Clock:
    """Seconds and milliseconds that pass when a test says so."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def seconds(self) -> float:
        return 1000.0 + self.ahead

    def ms(self) -> int:
        return now_ms() + int(self.ahead * 1000)


class Serving:
    """Like the lifecycle of the real application."""

    def __init__(self) -> None:
        self.ready = True


class House:
    """A whole application, and the clients that talk to it."""

    def __init__(self, app: Starlette, context: Context, parts: Parts, clock: Clock, sockets: Sockets, serving: Serving) -> None:
        self.app = app
        self.context = context
        self.parts = parts
        self.clock = clock
        self.sockets = sockets
        self.serving = serving
        self._stack = AsyncExitStack()
        self._addresses = 0

    async def client(self, base: str = HOST, address: str = "", **headers: str) -> httpx.AsyncClient:
        """Somebody with a browser's cookie jar, by default each at an address of their own."""
        self._addresses += 1
        peer = address or f"10.0.{self._addresses // 250}.{self._addresses % 250 + 1}"
        transport = httpx.ASGITransport(self.app, client=(peer, 40_000))
        return await self._stack.enter_async_context(httpx.AsyncClient(transport=transport, base_url=base, headers=headers))

    async def close(self) -> None:
        await self._stack.aclose()


class Owner:
    """A signed-in owner with an open store."""

    def __init__(self, client: httpx.AsyncClient, store_id: str, email: str) -> None:
        self.client = client
        self.store_id = store_id
        self.email = email

    @property
    def url(self) -> str:
        return f"/v1/stores/{self.store_id}"

    async def code(self) -> str:
        """The code on show."""
        snapshot = (await self.client.get(self.url)).raise_for_status().json()
        return str(snapshot["code"]["link"].rpartition("/")[2])


@pytest.fixture(scope="session")
def compiled() -> Environment:
    compiled = pages.templates()
    pages.compile_all(compiled)
    return compiled


Open = Callable[..., Any]


@pytest_asyncio.fixture
async def open_house(tmp_path: Path, compiled: Environment, blocking_is_an_error: BlockBuster) -> AsyncIterator[Open]:
    """Starts an application: `await open_house(public_url="https://q.example")`. More may be asked for; each has its own database."""
    stack = AsyncExitStack()
    count = 0

    async def start(*, limits: Limits | None = None, **settings: Any) -> House:
        nonlocal count
        count += 1
        url = f"sqlite:///{tmp_path / f'{count}.db'}"
        # Starting and stopping may read files: nobody waits yet.
        blocking_is_an_error.deactivate()
        started: House = await stack.enter_async_context(house_of(Settings.defaults(database_url=url, **settings), compiled, limits))
        blocking_is_an_error.activate()
        return started

    async with stack:
        yield start
        blocking_is_an_error.deactivate()


@asynccontextmanager
async def house_of(settings: Settings, compiled: Environment, limits: Limits | None) -> AsyncIterator[House]:
    clock, serving = Clock(), Serving()
    async with running(settings, make_storage(settings), load_plugins(settings)) as parts:
        context = Context(
            settings=settings,
            accounts=parts.accounts,
            reception=parts.reception,
            closing=parts.closing,
            messaging=parts.messaging,
            programs=parts.programs,
            jobs=parts.jobs,
            schedules=parts.schedules,
            webhooks=parts.webhooks,
            oversight=parts.oversight,
            push=parts.push,
            opt_outs=parts.opt_outs,
            callbacks=parts.callbacks,
            scribe=parts.scribe,
            outbox=parts.outbox,
            live=parts.live,
            counts=parts.live.counts,
            storage=parts.storage,
            lifecycle=serving,
            limits=limits or Limits(10_000, 10_000, clock.seconds),
            templates=compiled,
            pings=parts.pings,
            tasks=parts.tasks,
            notes=parts.broker,
            now_ms=clock.ms,
            clock=clock.seconds,
            asked=parts.presence.asked,
        )
        sockets = Sockets(context)
        app = application(settings, None)  # type: ignore[arg-type]  # the parts are running already
        app.router.routes.extend(routes(context, sockets))
        house = House(app, context, parts, clock, sockets, serving)
        try:
            yield house
        finally:
            await house.close()


@pytest_asyncio.fixture
async def house(open_house: Open) -> House:
    return await open_house()


@pytest_asyncio.fixture
async def owner(house: House) -> Owner:
    return await new_owner(house)


async def new_owner(house: House, email: str = "luigi@example.com", base: str = HOST, store: str = "Luigi's") -> Owner:
    client = await house.client(base)
    body = {
        "name": store,
        "queues": [{"name": "Table for two"}, {"name": "Table for four"}],
        "timezone": "Europe/Rome",
        "email": email,
        "password": PASSWORD,
    }
    opened = (await client.post("/v1/stores", json=body)).raise_for_status().json()
    client.headers["Authorization"] = f"Bearer {opened['tokens']['access_token']}"
    return Owner(client, opened["store_id"], email)


async def program_of(house: House, owner: Owner, *scopes: str) -> httpx.AsyncClient:
    """A program with a token that its owner made for it."""
    made = (await owner.client.post("/v1/tokens", json={"name": "Kitchen", "scopes": list(scopes)})).raise_for_status().json()
    return await house.client(Authorization=f"Bearer {made['token']}")


async def join(house: House, owner: Owner, name: str = "Ann", **party: Any) -> httpx.AsyncClient:
    """A customer's phone with a ticket in its cookie."""
    phone = await house.client(Origin=HOST)
    code, key = await owner.code(), "k" * 20
    (await phone.post(f"/v1/codes/{code}/scan", json={"key": key})).raise_for_status()
    body = {"code": code, "key": key, "parties": [{"name": name, "queue": "A", **party}]}
    (await phone.post("/v1/tickets", json=body)).raise_for_status()
    return phone
