"""Requests to addresses that somebody else chose: what may be called, and how much of an answer is read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from realtime.outbound import ANSWER_BYTES, Forbidden, NotReachable, Outbound, check, is_public
from realtime.targets import Leads, leads

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
LOCAL = ("127.0.0.0/8",)


@asynccontextmanager
async def sink(talk: Talk) -> AsyncIterator[str]:
    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jobs"


def saying(answer: bytes) -> Talk:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()

    return talk


@asynccontextmanager
async def outbound(*allowed: str, deadline_s: float = 10.0) -> AsyncIterator[Outbound]:
    made = await asyncio.to_thread(Outbound, allowed, deadline_s)
    try:
        yield made
    finally:
        await made.close()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
     "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"],
)  # fmt: skip
def test_no_private_address_is_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_addresses_of_the_internet_are(address: str) -> None:
    assert is_public(address)


def test_a_network_may_be_allowed_and_nothing_beside_it() -> None:
    assert is_public("10.1.2.3", ["10.1.0.0/16"])
    assert is_public("::ffff:10.1.2.3", ["10.1.0.0/16"])
    assert not is_public("10.2.2.3", ["10.1.0.0/16"])


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ftp://example.org",
        "//example.org",
        "http://",
        "http://u:p@example.org",
        "http://example.org:x",
        "http://ex ample.org",
        "http://example.org/\r\nX: y",
        "http://example.org\\@10.1.2.3/",
    ],
)
def test_what_is_no_web_address_is_refused(url: str) -> None:
    with pytest.raises(Forbidden):
        check(url)


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("example.org", Leads.OUTSIDE),
        ("93.184.216.34", Leads.OUTSIDE),
        ("10.1.2.3", Leads.ALLOWED),
        ("10.2.2.3", Leads.INSIDE),
        ("127.0.0.1", Leads.INSIDE),
        ("localhost", Leads.INSIDE),
        ("shop.localhost.", Leads.INSIDE),
        ("::ffff:10.2.2.3", Leads.INSIDE),
    ],
)
def test_it_is_known_where_a_host_is_as_far_as_its_name_tells(host: str, where: Leads) -> None:
    assert leads(host, ["10.1.0.0/16"]) is where


def test_localhost_is_where_its_address_is() -> None:
    assert leads("localhost", ["127.0.0.0/8"]) is Leads.ALLOWED


async def test_a_private_address_is_never_connected_to() -> None:
    connected = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.set()

    async with sink(talk) as url, outbound() as out:
        for each in (url, url.replace("127.0.0.1", "localhost")):
            with pytest.raises(Forbidden):
                await out.post(each, b"{}", ())

    assert not connected.is_set()


async def test_an_answer_comes_back_with_its_head() -> None:
    async with sink(saying(b"HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Length: 2\r\n\r\nno")) as url, outbound(*LOCAL) as out:
        answer = await out.post(url, b"{}", [("Content-Type", "application/json")])

    assert (answer.status, answer.headers["retry-after"], answer.body) == (503, "7", b"no")


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async with (
        sink(saying(b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")) as url,
        outbound(*LOCAL) as out,
    ):
        assert (await out.post(url, b"", ())).status == 302


async def test_no_more_is_read_than_there_is_room_for() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with sink(talk) as url, outbound(*LOCAL) as out:
        assert len((await out.post(url, b"", ())).body) == ANSWER_BYTES


async def test_the_deadline_holds_for_an_answer_that_comes_drop_by_drop() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with sink(talk) as url, outbound(*LOCAL, deadline_s=0.2) as out:
        with pytest.raises(NotReachable, match=r"within 0\.2 seconds"):
            await out.post(url, b"", ())


@pytest.mark.parametrize("answer", [b"", b"not http at all\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"])
async def test_a_broken_answer_is_a_fault_of_the_network(answer: bytes) -> None:
    async with sink(saying(answer)) as url, outbound(*LOCAL) as out:
        with pytest.raises(NotReachable):
            await out.post(url, b"", ())


async def test_where_nobody_listens_it_says_so() -> None:
    async with sink(saying(b"")) as url:
        pass
    async with outbound(*LOCAL) as out:
        with pytest.raises(NotReachable, match="No connection"):
            await out.post(url, b"", ())
