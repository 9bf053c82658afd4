"""The other side of the socket figures: many raw WebSocket clients in one process, as cheap as Python makes them."""

from __future__ import annotations

import selectors
import socket
import struct
from collections.abc import Iterator

from bench.peers.control import STAMP

HANDSHAKE = (
    b"GET /live HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SOURCE_PORTS = 20_000
"""Sockets from one loopback source address; the next ones come from 127.0.0.2 and so on."""


def connect(port: int, number: int, *, websocket: bool = True) -> list[socket.socket]:
    """Opens `number` connections, a hundred handshakes at a time. Raises: ConnectionError when one is refused."""
    opened: list[socket.socket] = []
    while len(opened) < number:
        group: list[socket.socket] = []
        for _ in range(min(100, number - len(opened))):
            client = socket.socket()
            if len(opened) + len(group) >= SOURCE_PORTS:
                client.bind((f"127.0.0.{2 + (len(opened) + len(group)) // SOURCE_PORTS}", 0))
            client.connect(("127.0.0.1", port))
            if websocket:
                client.sendall(HANDSHAKE)
            group.append(client)
        for client in group if websocket else ():
            answer = b""
            while b"\r\n\r\n" not in answer:
                part = client.recv(4096)
                if not part:
                    raise ConnectionError(f"A socket was refused: {answer!r}")
                answer += part
            if b" 101 " not in answer[:20]:
                raise ConnectionError(f"A socket was refused: {answer[:200]!r}")
        opened += group
    return opened


class Crowd:
    """Connected clients, and the control connection of the server they listen to."""

    def __init__(self, port: int, control_port: int, number: int, *, websocket: bool = True) -> None:
        self._clients = connect(port, number, websocket=websocket)
        self._control = socket.create_connection(("127.0.0.1", control_port))
        self._control.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._selector = selectors.DefaultSelector()
        for client in self._clients:
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ, client.recv)

    def cpu_us(self) -> int:
        """The server's user + system time so far, in microseconds."""
        self._control.sendall(b"c")
        return self._number()

    def wait_until_known(self, beside: int = 0) -> None:
        """Waits until the server counts every client among its own: the system says yes to a connection before the server does."""
        while True:
            self._control.sendall(b"n")
            if self._number() == len(self._clients) + beside:
                return

    def _number(self) -> int:
        line = b""
        while not line.endswith(b"\n"):
            line += self._control.recv(100)
        return int(line)

    def deliver(self, in_flight: int) -> None:
        """Has `in_flight` messages published and waits until every client has every one."""
        self._control.sendall(b"p" * in_flight)
        missing = len(self._clients) * in_flight
        while missing > 0:
            events = self._selector.select(10)
            if not events:
                raise TimeoutError(f"{missing} messages did not arrive within 10 s")
            for key, _ in events:
                data = key.data(65_536)
                if not data:
                    raise ConnectionError("The server closed a socket")
                missing -= data.count(STAMP)  # however many come in one frame

    def close(self) -> None:
        self._selector.close()
        for client in self._clients:
            # With a reset instead of a goodbye: thousands of ports in TIME_WAIT would be missing in the next run.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        self._control.close()


def rounds(deliveries: int, clients: int, in_flight: int) -> Iterator[int]:
    """As many rounds as it takes for `deliveries`."""
    return iter(range(max(3, deliveries // (clients * in_flight))))
