"""Deadlines and bounds of a request, under a real server."""

from __future__ import annotations

import asyncio
import json

import pytest
from starlette.types import Receive, Scope, Send
from websockets.asyncio.client import connect

from realtime.server import request as request_module
from tests.server.running import http, running, until

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


async def test_a_connection_that_never_speaks_is_closed() -> None:
    async with running(request_head_seconds=0.1) as server:
        assert await http(server.port, b"") == b""


async def test_a_head_that_dribbles_in_is_not_waited_for() -> None:
    async with running(request_head_seconds=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        answer = asyncio.create_task(reader.readexactly(12))  # not to the end: what is written after the answer resets the connection
        while not answer.done():
            writer.write(b"G" if not writer.transport.is_closing() else b"")
            await asyncio.sleep(0.02)
        writer.transport.abort()
        assert answer.result() in (b"HTTP/1.1 408", b"HTTP/1.1 400")


@pytest.mark.parametrize("begun", [b"GE", b"GET / HTTP/1.1\r\nHost: x\r\nX"])
@pytest.mark.parametrize("before", [b"", GET], ids=["first", "behind another"])
async def test_a_head_that_stays_unfinished_is_answered_and_logged(caplog: pytest.LogCaptureFixture, before: bytes, begun: bytes) -> None:
    async with running(request_head_seconds=0.1) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        if before:
            writer.write(before)
            assert b"200 OK" in await reader.readuntil(b"ready")
        writer.write(begun)

        async with asyncio.timeout(20):
            answer = await reader.read()

        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert "A request's head did not arrive in time." in caplog.messages
        writer.transport.abort()


@pytest.mark.parametrize("dribble", [b"\r\n", b"X"])
async def test_the_second_request_of_a_connection_has_the_same_deadline(dribble: bytes) -> None:
    async with running(request_head_seconds=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET)
        assert b"200 OK" in await reader.readuntil(b"\r\n")
        answer = asyncio.create_task(reader.read())
        async with asyncio.timeout(10):
            while not answer.done():
                writer.write(dribble)
                await asyncio.sleep(0.02)
        writer.transport.abort()


async def test_requests_one_after_another_are_answered_on_one_connection() -> None:
    async with running(request_head_seconds=5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for number in range(5):
            body = b"x" * number
            writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n%b" % (number, body))
            answer = await reader.readuntil(b"ready")
            assert answer.endswith(b"%d bytes, ready" % number)
        writer.transport.abort()


@pytest.mark.parametrize("cut", [0, 1, 40, 10_000], ids=["together", "cut early", "cut late", "in one"])
async def test_requests_that_do_not_wait_for_answers_keep_their_headers(cut: int) -> None:
    async with running(request_head_seconds=5) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        posts = [b"POST / HTTP/1.1\r\nHost: test\r\nX-Number: %d\r\nContent-Length: %d\r\n\r\n%b" % (at, at, b"x" * at) for at in range(4)]
        sent = b"".join(posts)
        writer.write(sent[:cut])
        await writer.drain()
        writer.write(sent[cut:])
        for at in range(4):
            answer = await reader.readuntil(b"ready")
            assert answer.endswith(b"%d bytes, ready" % at)
            assert b"\r\nx-number: %d\r\n" % at in answer, "what it was asked with"
        writer.transport.abort()


async def test_a_second_head_without_end_is_refused_too() -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(GET + b"GET / HTTP/1.1\r\n")
        assert (await reader.readuntil(b"ready")).startswith(b"HTTP/1.1 200 ")
        for _ in range(40):
            writer.write(b"X-Pad: " + b"x" * 1000 + b"\r\n")
        assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        writer.transport.abort()


async def test_a_body_that_does_not_come_is_answered_and_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(request_module, "BODY_SECONDS", 0.1)
    async with running() as server:
        answer = await http(server.port, b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")

        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert answer.count(b"HTTP/1.1") == 1, "the endpoint's own answer is not written behind it"
        assert "A request's body did not arrive in time." in caplog.messages
        await until(lambda: not server.server.server_state.tasks)


async def test_a_late_body_is_not_answered_in_the_middle_of_the_answer_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "BODY_SECONDS", 0.1)
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n" + b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")

        async with asyncio.timeout(20):
            assert await reader.read() == b""

        writer.transport.abort()


async def test_a_late_body_is_not_answered_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "BODY_SECONDS", 0.1)
    async with running() as server:

        async def early(scope: Scope, receive: Receive, send: Send) -> None:
            await send({"type": "http.response.start", "status": 413, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body", "body": b""})

        server.app.request = early  # type: ignore[method-assign]  # another endpoint, for this server only
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
        assert b" 413 " in await reader.readuntil(b"\r\n\r\n")

        async with asyncio.timeout(20):
            assert await reader.read() == b""

        writer.transport.abort()


async def test_a_slow_answer_is_nobodys_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_module, "BODY_SECONDS", 0.05)
    async with running(request_head_seconds=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /wait HTTP/1.1\r\nHost: test\r\n\r\n")
        await server.app.connected.wait()
        await asyncio.sleep(0.15)
        server.app.release.set()
        assert b"200 OK" in await reader.readuntil(b"\r\n")
        writer.transport.abort()


async def test_a_socket_has_no_request_deadline() -> None:
    async with running(request_head_seconds=0.05) as server, connect(server.url) as client:
        await asyncio.sleep(0.15)
        await client.send("hello")
        assert await client.recv() == "echo hello"


async def test_a_head_without_end_is_refused() -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        for _ in range(40):
            writer.write(b"X-Pad: " + b"x" * 1000 + b"\r\n")
        assert await reader.readuntil(b"\r\n") == b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
        writer.transport.abort()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 2\r\n", 400),
        (b"GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n", 400),
        (b"GET / HTTP/1.0\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost:\r\nConnection: close\r\n", 200),
    ],
    ids=["none", "two", "none and a body", "two in HTTP/1.0", "none in HTTP/1.0", "empty"],
)
async def test_a_request_says_once_which_host_it_asks(head: bytes, status: int) -> None:
    async with running() as server:
        answer = await http(server.port, head + b"\r\n" + (b"hi" if b"Length" in head else b""))

    assert answer.startswith(b"HTTP/1.1 %d " % status)
    if status == 400:
        begin, _, body = answer.partition(b"\r\n\r\n")
        assert b"\r\ncontent-type: application/problem+json\r\n" in begin
        told = json.loads(body)
        assert (told["code"], told["detail"]) == ("bad_message", "Say in one Host header which server you ask.")


async def test_a_request_without_host_waits_for_the_answer_before_it() -> None:
    async with running() as server:
        answer = await http(server.port, GET + b"GET / HTTP/1.1\r\n\r\n")

    assert [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]] == [b"200", b"400"]
