"""The rehearsal's own HTTP client, against a real server that answers as it is told."""

from __future__ import annotations

import asyncio

import pytest

from realtime.rehearse.http_client import Http, Lost, Refused
from tests.support.process import free_port
from tests.support.sink import Answer, HttpSink


async def test_json_goes_out_and_comes_back(http_sink: HttpSink) -> None:
    http_sink.answers.append(Answer(201, b'{"id": 7}'))

    async with Http(http_sink.url) as http:
        answer = await http.ask("POST", "/v1/tickets", {"name": "Zoë"}, token="t", key="k")

    assert answer == {"id": 7}
    request = http_sink.requests[0]
    assert (request.method, request.path, request.json()) == ("POST", "/v1/tickets", {"name": "Zoë"})
    assert (request.headers["authorization"], request.headers["idempotency-key"]) == ("Bearer t", "k")
    assert request.headers["origin"] == http_sink.url


async def test_a_refusal_has_the_servers_code(http_sink: HttpSink) -> None:
    http_sink.answers += [Answer(409, b'{"code": "code_used", "detail": "Too late."}'), Answer(500, b"<p>")]

    async with Http(http_sink.url) as http:
        with pytest.raises(Refused) as known:
            await http.ask("GET", "/")
        with pytest.raises(Refused) as unknown:
            await http.ask("GET", "/")

    assert (known.value.status, known.value.code) == (409, "code_used")
    assert (unknown.value.status, unknown.value.code) == (500, "")


async def test_a_server_that_asks_for_patience_gets_it(http_sink: HttpSink) -> None:
    http_sink.answers += [
        Answer(429, b"{}", (("Retry-After", "0"),)),
        Answer(503, b"{}", (("Retry-After", "0"),)),
        Answer(200, b'{"ok": 1}'),
    ]

    async with Http(http_sink.url) as http:
        assert await http.ask("POST", "/v1/tickets", {}) == {"ok": 1}
        assert http.waits == 2

    assert len(http_sink.requests) == 3


@pytest.mark.parametrize(("method", "key", "tries"), [("GET", "", 2), ("PATCH", "", 1), ("POST", "k", 2)])
async def test_only_what_may_happen_twice_is_sent_twice(method: str, key: str, tries: int) -> None:
    """The server takes the request and goes away without an answer."""
    taken = list[bytes]()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        taken.append(await reader.readuntil(b"\r\n\r\n"))
        writer.close()

    async with await asyncio.start_server(take, "127.0.0.1", 0) as server:
        http = Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(Lost):
            await http.send(method, "/v1/x", None if method == "GET" else {}, key=key)

    assert len(taken) == tries


async def test_a_connection_is_used_again() -> None:
    connections = list[asyncio.StreamWriter]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        for _ in range(2):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n12\r\n1\r\n3\r\n0\r\n\r\n")

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        async with Http(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}") as http:
            assert [await http.ask("GET", "/"), await http.ask("GET", "/")] == [123, 123]
        for writer in connections:
            writer.close()

    assert len(connections) == 1


async def test_nobody_at_home_is_told() -> None:
    async with Http(f"http://127.0.0.1:{free_port()}") as http:
        with pytest.raises(Lost, match="No answer"):
            await http.ask("GET", "/")
