"""Limits on sockets, under a real server."""

from __future__ import annotations

import json

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from realtime.server.limits import network
from realtime.server.protection import protected
from tests.server.running import HEAD, http, running, until

GET = b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"


async def test_when_sockets_are_full_the_next_is_refused_before_the_upgrade_and_http_goes_on() -> None:
    async with running(max_sockets=2, max_sockets_per_address=3) as server, connect(server.url) as one, connect(server.url):
        with pytest.raises(InvalidStatus) as refused:
            await connect(server.url)
        response = refused.value.response
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "10"
        told = json.loads(response.body or b"")
        assert (told["code"], told["type"]) == ("overloaded", "/docs#overloaded")
        assert b" 200 OK" in await http(server.port, GET)
        await one.close()
        await until(lambda: server.app.handlers[0].closed)
        async with connect(server.url) as third:
            await third.send("hello")
            assert await third.recv() == "echo hello"


@pytest.mark.parametrize("path", [b"/live", b"/live/sse"])
async def test_too_many_from_one_address_are_told_so(path: bytes) -> None:
    """With everything that other refusals carry."""
    async with running(max_sockets_per_address=1, public_url="https://queue.example") as server, connect(server.url):
        ask = HEAD + b"\r\n" if path == b"/live" else GET.replace(b"GET /", b"GET " + path)
        head, _, body = (await http(server.port, ask)).partition(b"\r\n\r\n")

    told = json.loads(body)
    assert (told["type"], told["status"], told["code"], told["retry"]) == ("/docs#overloaded", 503, "overloaded", True)
    assert told["detail"] == "There are too many connections from this address. Close one of them, then try again."
    said = {tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[1:]}
    assert set(protected([(b"content-type", b"application/problem+json"), (b"retry-after", b"10")], secure=True)) <= said


async def test_one_address_behind_a_trusted_proxy_cannot_take_what_others_need() -> None:
    async with running(max_sockets_per_address=1) as server:
        async with connect(server.url, additional_headers={"X-Forwarded-For": "192.0.2.1"}):
            with pytest.raises(InvalidStatus):
                await connect(server.url, additional_headers={"X-Forwarded-For": "192.0.2.1"})
            async with connect(server.url, additional_headers={"X-Forwarded-For": "192.0.2.2"}):
                pass
        assert [client[0] for client in server.app.clients] == ["192.0.2.1", "192.0.2.2"]


async def test_forwarded_headers_of_an_untrusted_client_are_not_believed() -> None:
    async with running(trusted_proxies=["192.0.2.9"]) as server:
        async with connect(server.url, additional_headers={"X-Forwarded-For": "192.0.2.1"}):
            pass
        assert [client[0] for client in server.app.clients] == ["127.0.0.1"]


async def test_without_the_extension_sockets_are_counted_too() -> None:
    async with running(extension=False, max_sockets=1, max_sockets_per_address=1) as server:
        async with connect(server.url):
            with pytest.raises(InvalidStatus):
                await connect(server.url)
        await until(lambda: server.app.handlers[0].closed)
        async with connect(server.url):
            pass


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::"),
        ("not:an:address", "not:an:address"),
        ("", ""),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, counted_as: str) -> None:
    assert network(address) == counted_as
