"""Handed-over sockets under a real server: order, joining, slow readers, the closing handshake and bad input."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.frames import Opcode

from realtime.frames import text_frame
from realtime.server import listener, live
from realtime.server.reader import MOST_FRAGMENTS
from tests.server.running import Raw, Running, messages, raw, running, until


@pytest.fixture
async def server() -> AsyncIterator[Running]:
    async with running() as served:
        yield served


async def subscribed(client: Raw) -> None:
    client.send(0x1, b"subscribe")
    assert bytes((await client.frame()).data) == b"subscribed"


async def test_fifty_racing_publishers_keep_one_order_for_everybody(server: Running) -> None:
    async def publish(number: int) -> None:
        await asyncio.sleep(0)
        order.append(f"{number}")
        server.app.hub.publish("line", b"%d" % number)

    order: list[str] = []
    async with connect(server.url) as one, connect(server.url) as other:
        for client in (one, other):
            await client.send("subscribe")
            await client.recv()
        await asyncio.gather(*(publish(number) for number in range(50)))
        for client in (one, other):
            assert await messages(client, 50) == order


async def test_a_held_subscription_joins_a_stream_without_a_gap(server: Running) -> None:
    async with connect(server.url) as client:
        await until(lambda: server.app.handlers)
        subscription = server.app.hub.subscribe("line", server.app.handlers[0].sink)
        for number in range(1, 20):
            if number == 10:
                subscription.start(text_frame(b"0"))
            server.app.hub.publish("line", b"%d" % number)
            await asyncio.sleep(0.001)
        assert await messages(client, 20) == [str(number) for number in range(20)]


async def test_a_client_that_never_reads_is_dropped_with_bounded_memory_while_others_get_everything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "CLOSE_SECONDS", 0.05)
    monkeypatch.setattr(listener, "USER_TIMEOUT_MS", 600_000)  # the system itself would keep it for ten minutes
    async with (
        running(soft_backlog_bytes=20_000, hard_backlog_bytes=60_000, max_backlog_seconds=0.3, flush_window_ms=0) as server,
        raw(server.port, receive_buffer=4096) as stuck,
        connect(server.url) as reader,
    ):
        await subscribed(stuck)
        await reader.send("subscribe")
        await reader.recv()
        sink = server.app.handlers[0].sink
        most = 0
        for number in range(300):
            server.app.hub.publish("line", b"%05d" % number + b"x" * 5000)
            assert (await reader.recv())[:5] == f"{number:05}"
            most = max(most, sink.buffered_bytes())
        await until(lambda: server.app.handlers[0].closed)
        assert most < 20_000 + 2 * 5010
        assert server.app.hub.subscribers("line") == 1
        assert server.app.handlers[1].closed == 0
        other_end = stuck.writer.get_extra_info("sockname")
        await until(lambda: not system_keeps(server.port, other_end))


def system_keeps(port: int, other_end: tuple[str, int]) -> list[str]:
    """The states of the server's end of a connection."""
    return [each.status for each in psutil.net_connections("tcp4") if each.laddr.port == port and each.raddr == other_end]


async def test_what_was_written_before_comes_before_what_is_published(server: Running) -> None:
    """A write of its own waits in the transport for the end of the turn; the hub writes past it where nothing waits."""
    async with raw(server.port) as client:
        await subscribed(client)
        (handler,) = server.app.handlers
        for number in range(200):
            handler.sink.write(text_frame(b"own %d" % number))
            server.app.hub.publish("line", b"all %d" % number)
            if number % 3 == 0:
                await asyncio.sleep(0)
        texts: list[str] = []
        while len(texts) < 400:
            texts += bytes((await client.frame()).data).decode().split("\n")
    assert [text for text in texts if text.startswith("own")] == [f"own {number}" for number in range(200)]
    assert [text for text in texts if text.startswith("all")] == [f"all {number}" for number in range(200)]
    assert all(texts.index(f"own {number}") < texts.index(f"all {number}") for number in range(200))


async def test_a_file_is_written_to_directly_only_while_nothing_waits_for_it(server: Running) -> None:
    async with raw(server.port, receive_buffer=4096) as client:
        await subscribed(client)
        sink = server.app.handlers[0].sink
        while not sink.buffered_bytes():
            assert sink.fd >= 0
            sink.write(text_frame(b"x" * 50_000))
        assert sink.fd == -1
        server.app.hub.publish("line", b"after all that")
        while bytes((await client.frame()).data) != b"after all that":
            pass
        await until(lambda: sink.fd >= 0)
        assert not sink.buffered_bytes()


@pytest.mark.parametrize("batches", [True, False])
async def test_many_get_everything_once_and_in_order_also_when_one_of_them_reads_slowly(batches: bool) -> None:
    """Soft and hard limits are out of the way: what the file does not take at once waits in the transport, and is not told twice."""
    texts = [b"%04d" % number + b"x" * 20_000 for number in range(40)]
    async with (
        running(soft_backlog_bytes=4_000_000, hard_backlog_bytes=4_000_000, flush_window_ms=0, batch_sends=batches) as server,
        contextlib.AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(raw(server.port, receive_buffer=4096 if at == 3 else None)) for at in range(9)]
        for client in clients:
            await subscribed(client)
        for text in texts:
            server.app.hub.publish("line", text)
            await asyncio.sleep(0)
        waited = server.app.handlers[3].sink.buffered_bytes()
        for client in clients:
            heard: list[bytes] = []
            while len(heard) < len(texts):
                heard += bytes((await client.frame()).data).split(b"\n")
            assert heard == texts
    assert waited > 100_000


@pytest.mark.parametrize("way", ["closed", "aborted", "left"])
async def test_nobody_writes_to_the_file_of_a_socket_that_ended(server: Running, way: str) -> None:
    async with raw(server.port) as client, raw(server.port) as other:
        await subscribed(client)
        await subscribed(other)
        handler, _ = server.app.handlers
        assert handler.sink.fd >= 0
        if way == "closed":
            handler.sink.close(1000)
        elif way == "aborted":
            handler.sink.abort()
        else:
            client.writer.transport.abort()
            server.app.hub.publish("line", b"to one who is gone and does not know it yet")
            assert bytes((await other.frame()).data).startswith(b"to one")
            await until(lambda: handler.closed)
        assert handler.sink.fd == -1
        server.app.hub.publish("line", b"next")
        assert bytes((await other.frame()).data) == b"next"


async def test_a_slow_reader_that_catches_up_gets_a_snapshot_on_the_same_socket() -> None:
    async with running(soft_backlog_bytes=20_000, flush_window_ms=0) as server, raw(server.port, receive_buffer=4096) as slow:
        await subscribed(slow)
        sink = server.app.handlers[0].sink
        while sink.buffered_bytes() <= 20_000:
            server.app.hub.publish("line", b"x" * 5000)
            await asyncio.sleep(0)
        server.app.hub.publish("line", b"left out")
        texts = [bytes((await slow.frame()).data)]
        while texts[-1] != b"snapshot":
            texts.append(bytes((await slow.frame()).data))
        server.app.hub.publish("line", b"next")
        texts.append(bytes((await slow.frame()).data))
        assert b"left out" not in texts
        assert texts[-2:] == [b"snapshot", b"next"]


async def test_a_protocol_ping_is_answered_with_its_payload(server: Running) -> None:
    async with raw(server.port) as client:
        await until(lambda: server.app.handlers)
        client.send(0x9, b"are you there")
        frame = await client.frame()
        assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, b"are you there")
        client.send(0xA, b"nobody asked")
        client.send(0x1, b"hello")
        assert bytes((await client.frame()).data) == b"echo hello"


@pytest.mark.parametrize("opcode", [0x9, 0xA], ids=["pings", "pongs"])
async def test_a_client_that_sends_nothing_but_control_frames_is_closed(server: Running, opcode: int) -> None:
    async with raw(server.port) as client, connect(server.url) as other:
        for _ in range(live.CONTROLS_PER_MINUTE):
            client.send(opcode, b"!")
        client.send(0x1, b"still here")
        while (frame := await client.frame()).opcode is not Opcode.TEXT:
            assert frame.opcode is Opcode.PONG
        for _ in range(5_000):
            client.send(opcode, b"!")

        assert await client.close_code() == 4400
        await client.ended()
        await other.send("hello")
        assert await other.recv() == "echo hello"


async def test_control_frames_are_counted_by_the_minute(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CONTROLS_PER_MINUTE", 1)
    async with raw(server.port) as client:
        client.send(0x9, b"1")
        assert (await client.frame()).opcode is Opcode.PONG
        (socket,) = server.server.server_state.connections
        assert isinstance(socket, live.LiveSocket)
        socket._controls_since -= 60
        client.send(0x9, b"2")
        assert (await client.frame()).opcode is Opcode.PONG
        client.send(0x9, b"3")
        assert await client.close_code() == 4400


async def test_a_goodbye_of_the_client_is_echoed_and_the_server_ends_the_connection(server: Running) -> None:
    async with raw(server.port) as client:
        await until(lambda: server.app.handlers)
        client.send(0x8, (1001).to_bytes(2, "big") + b"tab closed")
        frame = await client.frame()
        assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, b"\x03\xe9tab closed")
        await client.ended()


async def test_a_goodbye_of_the_server_waits_for_the_clients_and_then_ends_the_connection(server: Running) -> None:
    async with raw(server.port) as client:
        await until(lambda: server.app.handlers)
        handler = server.app.handlers[0]
        handler.sink.close(4410, "This store has closed.")
        client.send(0x1, b"crossed it on the way")
        assert await client.close_code() == 4410
        client.send(0x8, (4410).to_bytes(2, "big"))
        await client.ended()
        assert handler.texts == []


async def test_a_client_that_does_not_read_its_goodbye_is_dropped(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "CLOSE_SECONDS", 0.05)
    async with raw(server.port, receive_buffer=4096):
        await until(lambda: server.app.handlers)
        handler = server.app.handlers[0]
        handler.sink.write(text_frame(b"x" * 2_000_000))
        handler.sink.close(4008)
        await until(lambda: handler.closed)


@pytest.mark.parametrize(
    ("opcode", "payload", "code"),
    [
        (0x3, b"", 1002),  # a reserved opcode
        (0x0, b"", 1002),  # a continuation of nothing
        (0x1, b"x" * 4097, 1009),
        (0x1, b"x" * 3_000_000, 1009),
        (0x1, b"\xed\xa0\x80", 1007),  # a lone surrogate
        (0x2, b"", 1003),
        (0x8, b"\x03", 1002),  # half a close code
        (0x8, b"\x03\xe8\xff", 1007),
    ],
)
async def test_what_breaks_the_protocol_is_closed_with_its_code_and_no_traceback(
    server: Running, caplog: pytest.LogCaptureFixture, opcode: int, payload: bytes, code: int
) -> None:
    async with raw(server.port) as client:
        await until(lambda: server.app.handlers)
        client.send(opcode, payload)
        assert await client.close_code() == code
    await until(lambda: server.app.handlers[0].closed)
    assert [record for record in caplog.records if record.levelno > logging.WARNING or record.exc_info] == []


@pytest.mark.parametrize(("more", "answer"), [(MOST_FRAGMENTS - 2, "echo end"), (MOST_FRAGMENTS - 1, 1009)], ids=["most", "one more"])
async def test_an_endless_row_of_empty_fragments_is_not_read_for_ever(server: Running, more: int, answer: str | int) -> None:
    async with raw(server.port) as client:
        client.send(0x1, b"", fin=False)
        for _ in range(more):
            client.send(0x0, b"", fin=False)
        client.send(0x0, b"end")
        if isinstance(answer, int):
            assert await client.close_code() == answer
        else:
            assert bytes((await client.frame()).data) == answer.encode()


async def test_bad_utf8_before_the_hand_over_is_refused_without_a_traceback(server: Running, caplog: pytest.LogCaptureFixture) -> None:
    server.app.before_hand_over = asyncio.Event()
    async with raw(server.port) as client:
        client.send(0x1, b"\xff")
        await server.app.connected.wait()
        server.app.before_hand_over.set()
        assert await client.close_code() == 1007
    await until(lambda: server.app.handlers and server.app.handlers[0].closed)
    assert [record for record in caplog.records if record.levelno > logging.WARNING or record.exc_info] == []


async def test_a_socket_that_ended_before_the_hand_over_still_ends_its_handler_once(server: Running) -> None:
    server.app.before_hand_over = asyncio.Event()
    async with raw(server.port):
        await server.app.connected.wait()
    await until(lambda: not server.server.server_state.connections)
    server.app.before_hand_over.set()
    await until(lambda: server.app.handlers and server.app.handlers[0].closed)
    assert server.app.handlers[0].closed == 1
