"""People at a running server: an owner, phones and screens, each over HTTP and WebSocket only, and screens that keep count of every `seq`."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import secrets
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncpg
import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from realtime import client
from realtime.client import Connection
from realtime.errors import Dropped, NowServingError, Unavailable
from tests.flows.view import View
from tests.support.mail import Mail, MailServer
from tests.support.process import ServerProcess
from tests.support.waiting import until_async

PASSWORD = "four red lanterns"
MANY: dict[str, Any] = {
    "joins_per_minute": 100_000,
    "sign_in_tries_per_minute": 10_000,
    "access_token_minutes": 1440,
    "max_sockets_per_address": 2000,
}
"""Settings for a test that is many people at one address."""
PATIENCE_S = 30.0


# ---- over HTTP ----------------------------------------------------------------------------------------------------


class Owner:
    """A signed-in owner with an open store."""

    def __init__(self, server: ServerProcess, http: httpx.AsyncClient, store_id: str, email: str, token: str) -> None:
        self.server = server
        self.http = http
        self.store_id = store_id
        self.email = email
        self.use(token)

    def use(self, token: str) -> None:
        """Go on with another access token."""
        self.token = token
        self.http.headers["Authorization"] = f"Bearer {token}"

    @property
    def path(self) -> str:
        return f"/v1/stores/{self.store_id}"

    @property
    def topic(self) -> str:
        return f"store/{self.store_id}/owner"

    async def sign_in(self) -> None:
        answer = await self.http.post("/v1/login", json={"email": self.email, "password": PASSWORD})
        self.use(answer.raise_for_status().json()["access_token"])

    async def snapshot(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(self.path)).raise_for_status().json()
        return found

    async def code(self) -> str:
        """The code on show."""
        return str((await self.snapshot())["code"]["link"].rpartition("/")[2])

    async def call_next(self, queue: str = "A", desk: str = "Desk 1") -> dict[str, Any]:
        answer = await self.http.post(f"{self.path}/queues/{queue}/call-next", json={"desk": desk})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def change(self, ticket: int, action: str) -> httpx.Response:
        return await self.http.patch(f"{self.path}/tickets/{ticket}", json={"action": action})

    async def walk_in(self, name: str, queue: str = "A") -> dict[str, Any]:
        answer = await self.http.post(f"{self.path}/tickets", json={"name": name, "queue": queue})
        found: dict[str, Any] = answer.raise_for_status().json()
        return found

    async def close_store(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.delete(self.path)).raise_for_status().json()
        return found

    async def closing(self) -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(f"{self.path}/closing")).raise_for_status().json()
        return found

    async def purged(self) -> dict[str, Any]:
        """Waits until the store's data is deleted; the receipt."""

        async def done() -> dict[str, Any] | None:
            view = await self.closing()
            return view["receipt"] if view["state"] == "purged" else None

        found: dict[str, Any] = await until_async(done, PATIENCE_S, "the purge")
        return found

    async def board_token(self) -> str:
        return str((await self.snapshot())["store"]["board_link"].partition("#")[2])


@functools.cache
def trusted() -> ssl.SSLContext:
    """Nobody here speaks TLS, but every client would read the certificates anew, which takes longer than most requests."""
    return httpx.create_ssl_context(trust_env=False)


@contextlib.asynccontextmanager
async def visitor(server: ServerProcess, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody with a browser's cookies, whose requests come from this server's own pages."""
    # The server ends a connection that is idle for 5 s, which would meet the next request on its way.
    limits = httpx.Limits(max_connections=100, keepalive_expiry=2)
    async with httpx.AsyncClient(
        base_url=server.url, headers={"Origin": server.url, **headers}, timeout=30, limits=limits, trust_env=False, verify=trusted()
    ) as http:
        yield http


@contextlib.asynccontextmanager
async def open_store(server: ServerProcess, email: str = "luigi@example.com", queues: int = 2, **more: Any) -> AsyncIterator[Owner]:
    """A new owner's first store."""
    body = {
        "name": "Luigi's",
        "queues": [{"name": f"Table for {2 * number}"} for number in range(1, queues + 1)],
        "timezone": "Europe/Rome",
        "email": email,
        "password": PASSWORD,
        **more,
    }
    async with visitor(server) as http:
        opened = (await http.post("/v1/stores", json=body)).raise_for_status().json()
        yield Owner(server, http, opened["store_id"], email, opened["tokens"]["access_token"])


async def confirm(owner: Owner, mails: MailServer) -> None:
    """Follow the newest link that confirms the owner's address."""
    (*_, mail) = await letters(mails, owner.email)
    token = link(mail).partition("#")[2]
    (await owner.http.post("/v1/email/confirm", json={"token": token})).raise_for_status()


async def letters(mails: MailServer, to: str, count: int = 1) -> list[Mail]:
    """Waits, without holding up the loop, until that many mails came to an address."""
    found: list[Mail] = await until_async(
        lambda: kept if len(kept := mails.to(to)) >= count else None, PATIENCE_S, f"{count} mails to {to}"
    )
    return found


def link(mail: Mail) -> str:
    """The address with a secret in it that a mail carries."""
    return next(word.strip("<>()") for word in mail.text.split() if word.startswith("http") and "#" in word)


def reports(mails: MailServer, to: str) -> list[Mail]:
    return [mail for mail in mails.to(to) if mail.attachments()]


async def join(owner: Owner, http: httpx.AsyncClient, name: str, **party: Any) -> dict[str, Any]:
    """A phone scans the code on show and joins; when somebody else was first, it scans the next one."""
    key = secrets.token_hex(16)
    while True:
        code = await owner.code()
        scanned = await http.post(f"/v1/codes/{code}/scan", json={"key": key})
        if scanned.status_code == 409 and scanned.json()["code"] == "code_used":
            continue
        scanned.raise_for_status()
        body = {"code": code, "key": key, "parties": [{"name": name, "queue": "A", **party}]}
        ticket: dict[str, Any] = (await http.post("/v1/tickets", json=body)).raise_for_status().json()["tickets"][0]
        return {**ticket, "code": code, "key": key}


async def live_ticket(owner: Owner, ticket: dict[str, Any]) -> dict[str, Any]:
    """A ticket as its party sees it, with the token for its socket."""
    async with visitor(owner.server, Authorization=f"Bearer {ticket['token']}") as http:
        found: dict[str, Any] = (await http.get("/v1/ticket")).raise_for_status().json()
        return found


# ---- over the socket ----------------------------------------------------------------------------------------------


class Screen:
    """One socket, signed in, with a view of each topic it subscribed to. It stays usable after its socket has closed: `connect` again."""

    def __init__(self, server: ServerProcess, token: str, *topics: str) -> None:
        self.server = server
        self.token = token
        self.views = {topic: View(topic) for topic in topics}
        self.told_to_come_back: list[dict[str, Any]] = []
        self.close_codes: list[int | None] = []
        self.heard: list[str] = []
        """Every text that came, as it came."""
        self.connection: Connection | None = None
        self._reader: asyncio.Task[None] | None = None
        self.presence: list[dict[str, Any]] = []

    @property
    def view(self) -> View:
        """Of the only topic."""
        (view,) = self.views.values()
        return view

    @property
    def faults(self) -> list[str]:
        return [fault for view in self.views.values() for fault in view.faults]

    async def connect(self, *, since: bool = False) -> Self:
        """Sign in and subscribe; `since` asks for what was missed instead of the whole state."""
        connection = self.connection = Connection(self.views, self)
        try:
            await connection.open(self.server.live_url)
            self._reader = asyncio.create_task(self._read(connection))
            await connection.ask({"authenticate": {"token": self.token}})
            for view in self.views.values():
                await (await connection.subscribe(view, since=since))
        except (Unavailable, Dropped) as error:
            raise ConnectionError(str(error)) from error
        except NowServingError as error:
            raise AssertionError(f"{error.code}: {error}") from error
        return self

    async def come_back(self) -> None:
        """Connect again as often as it takes, with `since`."""

        async def back() -> bool:
            try:
                await self.connect(since=True)
            except (OSError, WebSocketException, ConnectionError, asyncio.CancelledError):
                return False
            return True

        await until_async(back, PATIENCE_S, "a socket to come back")

    async def say(self, **verb: Any) -> dict[str, Any]:
        """Sends a command and waits for its reply."""
        assert self.connection is not None
        return await self.connection.say(verb)

    async def _read(self, connection: Connection) -> None:
        ended = await connection.read()
        self.close_codes.append(ended.code or None)

    def opened(self) -> None:
        """What its connection tells, as Hearer."""

    def text(self, raw: bytes, message: dict[str, Any]) -> None:
        self.heard.append(raw.decode())
        if "disconnect" in message:
            self.told_to_come_back.append(message["disconnect"])
        elif "presence" in message:
            self.presence.append(message["presence"])

    def stands(self, view: client.View, reply: dict[str, Any]) -> None:
        """Its views take in what comes by themselves."""

    def changed(self, view: client.View, push: dict[str, Any]) -> None:
        """Its views take in what comes by themselves."""

    @property
    def connected(self) -> bool:
        return self._reader is not None and not self._reader.done()

    async def gone(self) -> int | None:
        """Waits until the socket is closed; the code."""
        assert self._reader is not None
        await asyncio.wait_for(asyncio.shield(self._reader), PATIENCE_S)
        return self.close_codes[-1]

    async def lock(self) -> None:
        """What a phone does to its sockets when it is locked."""
        if self.connection is not None and self._reader is not None:
            await self.connection.close()
            await self._reader

    async def reached(self, seq: int, topic: str = "") -> None:
        """Waits until the view has come to `seq`."""
        view = self.views[topic] if topic else self.view
        await until_async(lambda: view.seq >= seq, PATIENCE_S, f"{view.topic} to reach {seq}")

    async def check(self) -> None:
        """Every view is exactly what the server tells somebody who comes anew, and nothing was skipped or repeated on the way."""
        async with contextlib.AsyncExitStack() as stack:
            fresh = await stack.enter_async_context(Screen(self.server, self.token, *self.views))
            for topic, view in self.views.items():
                if not topic.startswith("ticket/"):
                    await self.reached(fresh.views[topic].seq, topic)
                    # The fresh one goes on hearing as well.
                    await fresh.reached(view.seq, topic)
                await self._agrees(view, fresh.views[topic])
        assert not self.faults, self.faults

    async def _agrees(self, view: View, right: View) -> None:
        """A party's own topic has no `seq` to wait for, so what is on its way gets its time."""
        with contextlib.suppress(AssertionError):
            await until_async(lambda: not view.differences(right))
        assert not view.differences(right), f"{view.topic}: {view.differences(right)}"

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.lock()


async def deaf(server: ServerProcess, token: str, topic: str) -> ClientConnection:
    """A socket that subscribes and never reads again: its client stops taking from the network after one message."""
    socket = await connect(
        server.live_url,
        subprotocols=[Subprotocol("nowserving.v1")],
        compression=None,
        max_queue=1,
        open_timeout=20,
        close_timeout=1,
        proxy=None,
    )
    await socket.send(json.dumps({"id": 1, "authenticate": {"token": token}}))
    await socket.recv()
    await socket.send(json.dumps({"id": 2, "subscribe": {"topic": topic}}))
    return socket


# ---- beside the server --------------------------------------------------------------------------------------------


async def select(database_url: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of the server's database, read past the server."""
    if database_url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(Path(database_url.removeprefix("sqlite:///")))) as connection:
            return [tuple(row) for row in connection.execute(sql)]
    connection = await asyncpg.connect(database_url)
    try:
        return [tuple(row) for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def off_loop(work: Callable[..., Any], *args: Any) -> Any:
    """Starting and stopping a process waits; clients go on meanwhile."""
    return await asyncio.to_thread(work, *args)
