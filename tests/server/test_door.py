"""The door lets sockets in by a short way; whatever form a request has, it gets what it would get by the long one."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.server import ServerState
from websockets.asyncio.client import connect

from realtime.server import door
from realtime.server.faults import FaultLog
from realtime.server.wire import EXTENSION
from tests.server.running import HEAD, Running, http, running, until

PLAIN = HEAD.partition(b"\r\n")[2]


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with running() as served:
        yield served


async def scope_of(server: Running, *parts: bytes) -> Scope:
    """What the endpoint is told of a request that comes in these parts."""
    scopes: list[Scope] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(dict(scope))
        await receive()
        await send({"type": "websocket.accept"})
        scope["extensions"][EXTENSION](server.app.echo)

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)  # two reads of the server
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    assert b"\r\nsec-websocket-accept: " in answer
    writer.close()
    (scope,) = scopes
    return scope


@pytest.mark.parametrize(
    "more",
    [
        b"",
        b"X-Empty:\r\nX-Spaces: \t two words \t\r\n",
        b"X-Latin: J\xf6rg\r\n",
        b"Sec-WebSocket-Protocol: one, two\r\nSec-WebSocket-Protocol: three\r\n",
        b"Cookie: a=1; b=2\r\nOrigin: http://test\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
    ],
    ids=["plain", "spaces", "latin", "subprotocols", "browser"],
)
@pytest.mark.parametrize("target", [b"/live", b"/live?x=%20y&z", b"/live?"])
async def test_the_short_way_and_the_long_one_tell_the_endpoint_the_same(
    server: Running, monkeypatch: pytest.MonkeyPatch, target: bytes, more: bytes
) -> None:
    ways: list[bool] = []
    let_in = door.Door._let_in

    def watched(self: door.Door, transport: asyncio.Transport, data: bytes) -> bool:
        ways.append(let_in(self, transport, data))
        return ways[-1]

    monkeypatch.setattr(door.Door, "_let_in", watched)
    request = b"GET " + target + b" HTTP/1.1\r\n" + PLAIN + more + b"\r\n"

    short = await scope_of(server, request)
    long = await scope_of(server, request[:30], request[30:])

    assert ways == [True, False]
    for scope in (short, long):
        assert scope["client"][0] == scope["server"][0] == "127.0.0.1"
        assert scope["server"][1] == server.port
        del scope["client"], scope["extensions"]
    assert short == long


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"Upgrade: websocket", b"UPGRADE: WebSocket"),
        HEAD.replace(b"Connection: Upgrade", b"connection: keep-alive, upgrade"),
        b"\r\n" + HEAD,
        HEAD.replace(b"GET /live ", b"GET http://test/live "),
    ],
    ids=["letters", "list", "empty line before", "absolute"],
)
async def test_a_request_in_another_form_is_let_in_too(server: Running, head: bytes) -> None:
    assert (await scope_of(server, head + b"\r\n"))["path"] == "/live"


@pytest.mark.parametrize(
    "head",
    [
        HEAD.replace(b"Host: test", b"Host : test"),
        HEAD + b"X: a\x00b\r\n",
        HEAD + b"X: a\nY: b\r\n",
        HEAD + b"Sec WebSocket: x\r\n",
        HEAD.replace(b"GET /live", b"GET /li ve"),
    ],
    ids=["space before colon", "null", "bare line feed", "space in a name", "space in the path"],
)
async def test_what_is_not_http_is_refused_with_400(server: Running, head: bytes) -> None:
    answer = await http(server.port, head + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert server.app.clients == []


async def test_other_requests_are_answered_as_ever(server: Running) -> None:
    plain = await http(server.port, b"GET /live HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
    assert plain.startswith(b"HTTP/1.1 200 ")
    other = await http(server.port, b"POST /live HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc")
    assert other.startswith(b"HTTP/1.1 200 ")
    assert other.endswith(b"3 bytes, ready")


async def test_who_has_said_nothing_does_not_hold_up_the_end() -> None:
    async with running(drain_seconds=8) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await until(lambda: server.server.server_state.connections)
        server.server.should_exit = True
        assert await reader.read() == b""
        writer.close()


async def test_who_leaves_without_a_word_is_forgotten(server: Running) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    await until(lambda: server.server.server_state.connections)
    writer.transport.abort()
    await until(lambda: not server.server.server_state.connections)


async def test_of_many_connections_those_that_say_nothing_are_closed_each_in_its_time() -> None:
    async with running(request_head_seconds=0.2) as server, connect(server.url) as client:
        silent = [asyncio.create_task(http(server.port, b"")) for _ in range(3)]
        assert await asyncio.gather(*silent) == [b""] * 3
        assert await http(server.port, b"") == b""  # the timer is set anew
        await client.send("hello")
        assert await client.recv() == "echo hello"
        assert [type(each).__name__ for each in server.server.server_state.connections] == ["LiveSocket"]


class Kept(asyncio.Transport):
    """One whose end can be seen."""


async def test_who_has_spoken_or_gone_is_kept_by_nobody_at_the_door() -> None:
    silent = door.Silent(10)
    loop = asyncio.get_running_loop()
    make = door.Door(Config(lambda: None), ServerState(), {}, loop, head_seconds=60, faults=FaultLog(), silent=silent)
    transport = Kept()
    gone = weakref.ref(transport)
    make.connection_made(transport)
    make.connection_lost(None)
    del transport

    assert make.left
    assert gone() is None


async def test_when_too_many_say_nothing_the_longest_silent_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "allow_files", lambda: 8)
    async with running(request_head_seconds=60) as server, connect(server.url) as client:
        silent = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(6)]
        assert b"200 OK" in await http(server.port, b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        for reader, _ in silent[:3]:  # the seventh came meanwhile
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        await client.send("hello")
        assert await client.recv() == "echo hello"
        silent[3][1].write(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (await silent[3][0].readuntil(b"\r\n")).startswith(b"HTTP/1.1 200 ")
        for _, writer in silent:
            writer.close()
