"""One suite for both sinks: the fan-out extension, and plain ASGI `send` on two servers that do not have it, with a real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from realtime.errors import TooSlow
from realtime.frames import text_frame
from realtime.server import live, sinks
from realtime.server.sinks import hand_over
from realtime.sink import close_for
from tests.server.app import Echo, LiveApp
from tests.server.running import DEFAULTS, Place, Running, messages, on_hypercorn, raw, running, until


@pytest.fixture(params=["extension", "uvicorn", "hypercorn"])
async def server(request: pytest.FixtureRequest) -> AsyncIterator[Place]:
    """With the fan-out extension, and two servers without it."""
    async with on_hypercorn() if request.param == "hypercorn" else running(extension=request.param == "extension") as served:
        yield served


async def test_what_is_written_arrives_in_order_whether_alone_or_joined(server: Place) -> None:
    async with connect(server.url) as client:
        await until(lambda: server.app.handlers)
        sink = server.app.handlers[0].sink
        texts = [f"{number} " + "é" * number for number in range(200)]
        for at in range(0, 200, 10):
            sink.write(b"".join(text_frame(text.encode()) for text in texts[at : at + 10]))
        assert [await client.recv() for _ in texts] == texts


async def test_texts_reach_the_handler_in_order_and_whole(server: Place) -> None:
    async with connect(server.url) as client:
        await client.send("one")
        await client.send(["t", "w", "", "o ü"])
        await client.send("three")
        assert [await client.recv() for _ in range(3)] == ["echo one", "echo two ü", "echo three"]


async def test_texts_sent_before_the_hand_over_are_not_lost(server: Place) -> None:
    server.app.before_hand_over = asyncio.Event()
    async with connect(server.url) as client:
        for text in ("one", "two", "three"):
            await client.send(text)
        await client.ping()
        server.app.before_hand_over.set()
        assert [await client.recv() for _ in range(3)] == ["echo one", "echo two", "echo three"]


async def test_a_close_comes_after_everything_written_and_ends_the_handler_once(server: Place) -> None:
    async with connect(server.url) as client:
        await until(lambda: server.app.handlers)
        handler = server.app.handlers[0]
        handler.sink.write(text_frame(b"last words"))
        close_for(handler.sink, TooSlow)
        handler.sink.write(text_frame(b"too late"))
        handler.sink.close(1000)
        assert await client.recv() == "last words"
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4008, TooSlow.sentence)
    await until(lambda: handler.closed)
    handler.sink.write(text_frame(b"much too late"))
    handler.sink.abort()
    assert handler.closed == 1


async def test_a_client_that_says_goodbye_is_answered_and_ends_the_handler_once(server: Place) -> None:
    async with connect(server.url) as client:
        await client.send("hello")
        await client.recv()
        await client.close(4000, "bye")
        assert client.close_code == 4000
    await until(lambda: server.app.handlers[0].closed)
    assert server.app.handlers[0].closed == 1


async def test_a_client_that_vanishes_ends_the_handler_once(server: Place) -> None:
    async with raw(server.port) as client:
        client.send(0x1, b"hello")
        await client.frame()
        client.writer.transport.abort()
        await until(lambda: server.app.handlers[0].closed)
    assert server.app.handlers[0].closed == 1


async def test_an_aborted_socket_ends_at_once(server: Place) -> None:
    async with raw(server.port) as client:
        await until(lambda: server.app.handlers)
        server.app.handlers[0].sink.abort()
        await client.ended()
        await until(lambda: server.app.handlers[0].closed)
    assert server.app.handlers[0].closed == 1


async def test_a_message_over_the_limit_is_closed_with_1009(server: Place) -> None:
    limit = server.app.settings.max_frame_bytes
    async with raw(server.port) as client:
        client.send(0x1, b"x" * limit)
        assert len((await client.frame()).data) == limit + len("echo ")
        client.send(0x1, b"x" * (limit + 1) if not _extension(server) else b"x" * 1_000_000)
        assert await client.close_code() == 1009
    await until(lambda: server.app.handlers[0].closed)
    assert len(server.app.handlers[0].texts) == 1


async def test_a_message_over_the_limit_in_small_pieces_is_closed_with_1009(server: Place) -> None:
    async with raw(server.port) as client:
        for number in range(50):
            client.send(0x0 if number else 0x1, b"x" * 100, fin=number == 49)
        assert await client.close_code() == 1009


async def test_a_binary_message_is_refused_with_1003(server: Place) -> None:
    async with raw(server.port) as client:
        client.send(0x2, b"\0")
        client.send(0x1, b"after it")
        assert await client.close_code() == 1003
    await until(lambda: server.app.handlers[0].closed)
    assert server.app.handlers[0].texts == []


# Not on hypercorn: it ends such a connection without a close code, before anybody is asked.
@pytest.mark.parametrize("server", ["extension", "uvicorn"], indirect=True)
async def test_a_text_that_is_not_utf8_is_refused_with_1007(server: Place) -> None:
    async with raw(server.port) as client:
        client.send(0x1, b"\xff\xfe")
        assert await client.close_code() == 1007


async def test_a_handler_that_fails_closes_its_own_socket_only(server: Place) -> None:
    async with connect(server.url) as one, connect(server.url) as other:
        await one.send("fail")
        with pytest.raises(ConnectionClosed) as closed:
            await one.recv()
        await other.send("still here")
        assert await other.recv() == "echo still here"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011


async def test_what_a_client_does_not_read_is_counted_and_stops_its_commands(server: Place) -> None:
    async with raw(server.port, receive_buffer=4096) as client:
        await until(lambda: server.app.handlers)
        handler = server.app.handlers[0]
        for _ in range(40):
            handler.sink.write(text_frame(b"x" * 50_000))
        await until(lambda: handler.sink.buffered_bytes() > 100_000)
        before = len(handler.texts)
        for _ in range(50):
            client.send(0x1, b"command")
        await client.writer.drain()
        await client_was_ignored(handler, before)
        handler.sink.abort()
        await until(lambda: handler.closed)
        assert handler.sink.buffered_bytes() == 0


async def client_was_ignored(handler: Echo, before: int) -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)
        assert len(handler.texts) <= before + 1


async def test_a_client_that_does_not_answer_a_close_is_dropped(server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(sinks, "CLOSE_SECONDS", 0.05)
    async with raw(server.port) as client:
        await until(lambda: server.app.handlers)
        server.app.handlers[0].sink.close(1000)
        assert await client.close_code() == 1000
        await until(lambda: server.app.handlers[0].closed)


async def test_what_is_published_reaches_subscribers_of_either_kind(server: Place) -> None:
    async with connect(server.url) as one, connect(server.url) as other:
        for client in (one, other):
            await client.send("subscribe")
            assert await client.recv() == "subscribed"
        for number in range(50):
            server.app.hub.publish("line", b"%d" % number)
        for client in (one, other):
            assert await messages(client, 50) == [str(number) for number in range(50)]


async def test_on_plain_asgi_a_send_that_waits_is_waited_for_by_nobody_else() -> None:
    incoming: asyncio.Queue[Message] = asyncio.Queue()
    sent: list[Message] = []
    reads = asyncio.Event()

    async def send(message: Message) -> None:
        await reads.wait()
        sent.append(message)

    app = LiveApp(DEFAULTS)
    task = asyncio.create_task(hand_over({"type": "websocket"}, incoming.get, send, app.make_handler, max_bytes=4096))
    await until(lambda: app.handlers)
    sink = app.handlers[0].sink
    sink.write(text_frame(b"one") + text_frame(b"two"))
    sink.write(text_frame(b"three"))
    await asyncio.sleep(0)
    assert sink.buffered_bytes() == len(b"one" + b"two" + b"three")
    reads.set()
    await until(lambda: not sink.buffered_bytes())
    incoming.put_nowait({"type": "websocket.disconnect", "code": 1005})
    await task
    assert [message["text"] for message in sent] == ["one", "two", "three"]
    assert app.handlers[0].closed == 1


def _extension(server: Place) -> bool:
    return isinstance(server, Running) and server.server.config.ws != "websockets-sansio"
