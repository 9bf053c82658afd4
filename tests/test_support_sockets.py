"""The servers that tests bring leave no socket behind when they end: one that is collected later fails another test."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
import warnings
from collections.abc import Callable

import pytest

from tests.notifiers.post import PostServer, deaf_server
from tests.support.mail import MailServer
from tests.support.sink import HttpSink


def post(meet: Callable[[int], None]) -> None:
    with PostServer() as server:
        meet(server.port)


def smtps(meet: Callable[[int], None]) -> None:
    with PostServer("smtps") as server:
        meet(server.port)


def mail(meet: Callable[[int], None]) -> None:
    with MailServer() as server:
        meet(server.port)


def sink(meet: Callable[[int], None]) -> None:
    with HttpSink() as server:
        meet(int(server.url.rpartition(":")[2]))


def deaf(meet: Callable[[int], None]) -> None:
    async def run() -> None:
        async with deaf_server(hangs=True) as port:
            await asyncio.to_thread(meet, port)

    asyncio.run(run())


@pytest.mark.parametrize("server", [post, smtps, mail, sink, deaf])
@pytest.mark.parametrize("says", [None, b"", b"POST / HTTP/1.1\r\ncontent-length: 9\r\n\r\nhalf"], ids=["nobody", "silent", "half"])
def test_a_server_that_ends_leaves_no_socket_and_no_thread(server: Callable[..., None], says: bytes | None) -> None:
    clients: list[socket.socket] = []
    gc.collect()
    threads = set(threading.enumerate())

    def meet(port: int) -> None:
        if says is not None:
            clients.append(socket.create_connection(("127.0.0.1", port)))
            clients[0].sendall(says)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        server(meet)
        gc.collect()

    assert [str(each.message) for each in told if issubclass(each.category, ResourceWarning)] == []
    assert set(threading.enumerate()) <= threads
    for client in clients:
        client.close()
