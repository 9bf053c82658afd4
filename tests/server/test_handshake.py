"""The handshake: what is refused, what the endpoint is told, what it may do, and what is kept once the socket is handed over."""

from __future__ import annotations

import asyncio
import base64
import gc
import weakref
from collections.abc import AsyncIterator

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from realtime.frames import close_frame
from realtime.server.wire import EXTENSION
from tests.server.running import HEAD, Running, http, raw, running, until


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with running() as served:
        yield served


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (HEAD + b"X-Long: " + b"x" * 40_000 + b"\r\n", b"431"),
        (HEAD.replace(b"Sec-WebSocket-Key", b"X-Key"), b"400"),
        (HEAD + b"Sec-WebSocket-Key: " + base64.b64encode(b"q" * 16) + b"\r\n", b"400"),
        (HEAD.replace(base64.b64encode(b"k" * 16), base64.b64encode(b"k" * 15)), b"400"),
        (HEAD.replace(base64.b64encode(b"k" * 16), b"?" * 24), b"400"),
        (HEAD.replace(b"GET", b"POST"), b"400"),
        (HEAD.replace(b"HTTP/1.1", b"HTTP/1.0"), b"400"),
        (HEAD.replace(b"GET /live", b"GET http://"), b"400"),
        (HEAD.replace(b"Host: test\r\n", b""), b"400"),
        (HEAD + b"Host: test\r\n", b"400"),
        (HEAD.replace(b"Version: 13", b"Version: 8"), b"426"),
        (HEAD.replace(b"Sec-WebSocket-Version", b"X-Version"), b"426"),
    ],
    ids=[
        "large",
        "no key",
        "two keys",
        "short key",
        "strange key",
        "POST",
        "HTTP/1.0",
        "no address",
        "no host",
        "two hosts",
        "version 8",
        "no version",
    ],
)
async def test_a_handshake_that_is_none_is_answered_and_ended(server: Running, head: bytes, status: bytes) -> None:
    answer = await http(server.port, head + b"\r\n")
    assert answer.split(b" ")[1] == status
    if status == b"426":
        assert b"\r\nsec-websocket-version: 13\r\n" in answer
    assert server.app.clients == []
    await until(lambda: not server.server.server_state.connections)


async def test_the_example_of_the_standard_is_answered_as_the_standard_says(server: Running) -> None:
    """RFC 6455 section 1.3."""
    head = HEAD.replace(base64.b64encode(b"k" * 16), b"dGhlIHNhbXBsZSBub25jZQ==")
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(head + b"\r\n")
    answer = await reader.readuntil(b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    writer.close()


async def test_an_endpoint_is_told_what_was_asked_for(server: Running) -> None:
    scopes: list[Scope] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(dict(scope))
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "two", "headers": [(b"x-more", b"yes")]})
        scope["extensions"][EXTENSION](server.app.echo)

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    url = f"ws://127.0.0.1:{server.port}/caf%C3%A9?a=%20b"
    async with connect(url, subprotocols=[Subprotocol("one"), Subprotocol("two")], additional_headers={"X-Name": "J\xf6rg"}) as client:
        assert client.subprotocol == "two"
        assert client.response is not None
        assert client.response.headers["x-more"] == "yes"
    (scope,) = scopes
    asked = (scope["type"], scope["scheme"], scope["path"], scope["raw_path"], scope["query_string"], scope["subprotocols"])
    assert asked == ("websocket", "ws", "/café", b"/caf%C3%A9", b"a=%20b", ["one", "two"])
    assert (b"x-name", "J\xf6rg".encode("latin-1")) in scope["headers"]
    assert scope["client"][0] == scope["server"][0] == "127.0.0.1"


@pytest.mark.parametrize("way", ["close", "response", "nothing", "fault", "accept and return", "accept and close", "accept and fault"])
async def test_an_endpoint_that_does_not_hand_over_ends_the_connection(server: Running, way: str) -> None:
    left = asyncio.Event()

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "websocket.connect"
        scope["extensions"][EXTENSION].at_close(left.set)
        if way == "close":
            await send({"type": "websocket.close", "code": 4403})
        elif way == "response":
            await send({"type": "websocket.http.response.start", "status": 503, "headers": [(b"retry-after", b"7")]})
            await send({"type": "websocket.http.response.body", "body": b"come ", "more_body": True})
            await send({"type": "websocket.http.response.body", "body": b"back"})
        elif way.startswith("accept"):
            await send({"type": "websocket.accept"})
        if way == "accept and close":
            await send({"type": "websocket.close", "code": 4410, "reason": "gone"})
        if way.endswith("fault"):
            raise LookupError("an endpoint's own fault")

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    answer = await http(server.port, HEAD + b"\r\n")
    if way == "response":
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 7\r\n" in answer
        assert answer.endswith(b"\r\n\r\ncome back")
    elif way.startswith("accept"):
        assert answer.startswith(b"HTTP/1.1 101 ")
        assert answer.endswith(close_frame(4410, "gone") if way == "accept and close" else close_frame(1000))
    else:
        assert answer.split(b" ")[1] == (b"403" if way == "close" else b"500")
    async with asyncio.timeout(10):
        await left.wait()
    assert not server.server.server_state.connections


async def test_an_endpoint_hears_that_its_client_left(server: Running) -> None:
    heard: list[str] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        server.app.connected.set()
        heard.append((await receive())["type"])
        await send({"type": "websocket.accept"})  # to nobody, and no fault

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(HEAD + b"\r\n")
    await server.app.connected.wait()
    writer.transport.abort()
    await until(lambda: heard == ["websocket.disconnect"])


async def test_messages_are_not_sent_past_the_sink(server: Running) -> None:
    said: list[str] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        try:
            await send({"type": "websocket.send", "text": "hello"})
        except RuntimeError as error:
            said.append(str(error))
        scope["extensions"][EXTENSION](server.app.echo)

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    async with connect(server.url) as client:
        await client.send("hello")
        assert await client.recv() == "echo hello"
    assert "hand it over" in said[0]


async def test_a_socket_that_is_not_handed_over_yet_is_told_that_the_server_goes() -> None:
    async with running(drain_seconds=2) as server:
        server.app.before_hand_over = asyncio.Event()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        server.server.should_exit = True
        assert await reader.read() == close_frame(1012)
        server.app.before_hand_over.set()
        writer.close()


async def test_nothing_of_the_handshake_is_kept_once_the_socket_is_handed_over(server: Running) -> None:
    scopes: list[Scope] = []
    inside = server.app.socket

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)  # somebody may keep it
        await inside(scope, receive, send)

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    async with connect(server.url) as client:
        await client.send("hello")
        await client.recv()
        upgrade = scopes[0]["extensions"][EXTENSION]
        assert upgrade.transport is None
        assert [type(each).__name__ for each in server.server.server_state.connections] == ["LiveSocket"]
        kept = weakref.ref(upgrade)
        del upgrade
        scopes.clear()
        gc.collect()
        assert kept() is None


async def test_a_socket_cannot_be_handed_over_twice_or_before_it_is_accepted(server: Running) -> None:
    said: list[str] = []
    echo = server.app.echo

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        hand_over = scope["extensions"][EXTENSION]
        for attempt in range(3):
            try:
                hand_over(echo)
            except RuntimeError as error:
                said.append(str(error))
            if attempt == 0:
                await receive()
                await send({"type": "websocket.accept"})

    server.app.socket = socket  # type: ignore[method-assign]  # another endpoint, for this server only
    async with connect(server.url) as client:
        await client.send("hello")
        assert await client.recv() == "echo hello"
    assert len(said) == 2
    assert "Accept the WebSocket" in said[0]
    assert "already" in said[1]


async def test_compression_is_not_agreed_on(server: Running) -> None:
    async with connect(server.url, compression="deflate") as client:
        assert client.protocol.extensions == []
        await client.send("hello")
        assert await client.recv() == "echo hello"


async def test_what_comes_in_one_piece_with_the_handshake_is_read(server: Running) -> None:
    async with raw(server.port, behind=b"\x81\x85\0\0\0\0hello") as client:
        assert bytes((await client.frame()).data) == b"echo hello"
        client.send(1, b"again")
        assert bytes((await client.frame()).data) == b"echo again"


async def test_a_frame_without_a_mask_ends_the_socket_also_where_it_comes_with_the_handshake(server: Running) -> None:
    async with raw(server.port, behind=b"\x81\x05hello") as client:
        assert await client.close_code() == 1002
        await client.ended()


async def test_what_comes_with_a_handshake_that_is_refused_is_read_by_nobody(server: Running) -> None:
    answer = await http(server.port, HEAD.replace(b"Version: 13", b"Version: 8") + b"\r\n\x81\x05hello")
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert answer.count(b"HTTP/1.1") == 1


async def test_a_handshake_that_waits_keeps_what_came_with_it(server: Running) -> None:
    server.app.before_hand_over = asyncio.Event()
    async with raw(server.port, behind=b"\x81\x85\0\0\0\0hello") as client:
        client.send(1, b"again")
        server.app.before_hand_over.set()
        assert [bytes((await client.frame()).data) for _ in range(2)] == [b"echo hello", b"echo again"]
