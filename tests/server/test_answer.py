"""Answers that are handed over whole, under a real server: the same bytes as uvicorn would have written, in order."""

from __future__ import annotations

import asyncio
import logging

import pytest

from tests.server.running import http, running, until


def request(path: str, method: str = "GET", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: test\r\n{more}\r\n".encode()


def parts(answer: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    return status, dict(tuple(line.split(b": ", 1)) for line in lines), body  # type: ignore[misc]  # two parts each


async def test_an_answer_has_its_status_its_headers_a_date_and_a_length() -> None:
    async with running() as server:
        status, headers, body = parts(await http(server.port, request("/whole/201", more="Connection: close\r\n")))

    assert status == b"HTTP/1.1 201 Created"
    assert headers[b"x-whole"] == b"yes"
    assert headers[b"content-length"] == b"5"
    assert headers[b"connection"] == b"close"
    assert b"date" in headers
    assert body == b"whole"


async def test_a_head_request_gets_no_body_and_the_same_length() -> None:
    async with running() as server:
        _, headers, body = parts(await http(server.port, request("/whole/200", "HEAD", "Connection: close\r\n")))

    assert headers[b"content-length"] == b"5"
    assert body == b""


async def test_a_status_that_has_no_body_has_no_length() -> None:
    async with running() as server:
        _, headers, _ = parts(await http(server.port, request("/whole/204", more="Connection: close\r\n")))

    assert b"content-length" not in headers


async def test_a_connection_goes_on_after_it() -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        for _ in range(3):
            writer.write(request("/whole/200"))
            assert (await reader.readuntil(b"\r\n\r\nwhole")).startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.server.server_state.total_requests == 3
        writer.transport.abort()


async def test_requests_that_come_at_once_are_answered_in_their_order() -> None:
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request("/wait") + request("/whole/201") + request("/"))
        await server.app.connected.wait()
        server.app.release.set()
        answers = await reader.readuntil(b"\r\n\r\nwhole") + await reader.readuntil(b"ready")
        assert answers.index(b"0 bytes") < answers.index(b"201 Created") < answers.rindex(b"200 OK")
        writer.transport.abort()


async def test_whoever_does_not_read_is_waited_for() -> None:
    async with running() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request("/whole/200"))
        await until(lambda: server.server.server_state.total_requests == 1)
        (connection,) = server.server.server_state.connections
        connection.pause_writing()
        writer.write(request("/whole/200"))
        await until(lambda: server.server.server_state.tasks)
        await asyncio.sleep(0.05)
        assert server.server.server_state.total_requests == 1
        connection.resume_writing()
        await until(lambda: server.server.server_state.total_requests == 2)
        writer.transport.abort()


async def test_a_client_that_left_is_answered_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        _, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(request("/whole/200"))
        await until(lambda: server.server.server_state.total_requests == 1)
        (connection,) = server.server.server_state.connections
        connection.pause_writing()
        writer.write(request("/whole/200"))
        await until(lambda: server.server.server_state.tasks)
        writer.transport.abort()
        await until(lambda: not server.server.server_state.tasks)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_second_answer_is_a_fault_of_the_application(caplog: pytest.LogCaptureFixture) -> None:
    async with running() as server:
        answer = await http(server.port, request("/whole/200?twice", more="Connection: close\r\n"))

    assert answer.count(b"HTTP/1.1") == 1
    assert "answered already" in caplog.text


async def test_it_is_logged_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with running() as server:
        await http(server.port, request("/whole/201", more="Connection: close\r\n"))

    assert any(record.getMessage().startswith("GET /whole/201 201 ") for record in caplog.records)
