"""What fan_load.c does, for machines without a C compiler: the same arguments, orders and answers, at some ten times the CPU."""

from __future__ import annotations

import array
import json
import resource
import selectors
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from realtime.server.listener import allow_files

AT_ONCE = 100
PATIENCE_S = 30.0


class Client:
    """One socket."""

    __slots__ = ("deaf", "frames", "hello", "ready", "rest", "socket", "upgraded")

    def __init__(self, raw: bool, deaf: bool) -> None:
        self.socket = socket.socket()
        self.rest = b""
        self.frames = self.hello = 0
        self.upgraded, self.ready, self.deaf = raw, False, deaf

    def say(self, opcode: int, text: bytes) -> None:
        size = bytes([0x80 | len(text)]) if len(text) < 126 else struct.pack("!BH", 0x80 | 126, len(text))
        self.socket.sendall(bytes([0x80 | opcode]) + size + bytes(4) + text)  # masked with nothing


class Clients:
    """All of them, and the control connection of the server they listen to."""

    def __init__(
        self, port: int, control_port: int, mode: str, path: str, subprotocol: str, ready_after: int, source: str, *hellos: str
    ) -> None:
        self._port, self._raw, self._ready_after, self._source = port, mode == "raw", ready_after, source
        self._hellos = [text.encode() for text in hellos]
        named = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
        self._request = (
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{named}"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        ).encode()
        self._selector = selectors.DefaultSelector()
        self._selector.register(sys.stdin, selectors.EVENT_READ, None)
        self._control = socket.create_connection(("127.0.0.1", control_port)) if control_port else None
        self._all: list[Client] = []
        self._ready = 0
        self._delays: list[int] = []
        self._marker = b""
        self._kept = array.array("Q")
        self._began, self._used = 0.0, 0

    def serve(self) -> None:
        """Takes orders until there are no more."""
        while True:
            while not self._wait(None):
                pass
            order, *arguments = sys.stdin.readline().split() or [""]
            if order in ("open", "deaf"):
                answer = self._open(int(arguments[0]), deaf=order == "deaf")
            elif order == "run":
                answer = self._run(int(arguments[0]), float(arguments[1]))
            elif order == "record":
                self._marker, self._began, self._used = arguments[0].encode(), time.monotonic(), _cpu_us()
                continue
            elif order == "stop":
                Path(arguments[0]).write_bytes(self._kept.tobytes())
                answer = {"kept": len(self._kept) // 2, "seconds": time.monotonic() - self._began, "cpu_us": _cpu_us() - self._used}
                self._kept, self._marker = array.array("Q"), b""
            else:
                return
            print(json.dumps(answer), flush=True)

    def _open(self, number: int, *, deaf: bool) -> dict[str, Any]:
        goal, began, used = len(self._all) + number, time.monotonic(), _cpu_us()
        while self._ready < goal:
            while len(self._all) < goal and len(self._all) - self._ready < AT_ONCE:
                client = Client(self._raw, deaf)
                self._all.append(client)
                if self._source:
                    client.socket.bind((self._source, 0))
                if deaf:
                    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.socket.connect(("127.0.0.1", self._port))
                self._selector.register(client.socket, selectors.EVENT_READ, client)
                if self._raw:
                    self._look(client)
                else:
                    client.socket.sendall(self._request)
            self._wait(0.1)
            if time.monotonic() - began > PATIENCE_S + number / 100:
                _fail("no more sockets became ready")
        while self._control and self._known() < goal:
            time.sleep(0.0005)
        return {"sockets": goal, "seconds": time.monotonic() - began, "cpu_us": _cpu_us() - used}

    def _run(self, in_flight: int, seconds: float) -> dict[str, Any]:
        assert self._control is not None
        self._delays = []
        began, used, rounds = time.monotonic(), _cpu_us(), 0
        while not rounds or time.monotonic() - began < seconds:
            rounds += 1
            self._control.sendall(b"p" * in_flight)
            before, last = -1, time.monotonic()
            while len(self._delays) < rounds * in_flight * len(self._all):
                self._wait(1)
                if len(self._delays) != before:
                    before, last = len(self._delays), time.monotonic()
                elif time.monotonic() - last > PATIENCE_S:
                    _fail("messages did not arrive")
        taken, count = time.monotonic() - began, len(self._delays)
        self._delays.sort()
        p50, p99, most = (self._delays[min(count - 1, int(count * share))] // 1000 for share in (0.5, 0.99, 1))
        told = {"deliveries": count, "rounds": rounds, "seconds": taken, "cpu_us": _cpu_us() - used}
        return {**told, "p50_us": p50, "p99_us": p99, "most_us": most}

    def _known(self) -> int:
        assert self._control is not None
        self._control.sendall(b"n")
        line = b""
        while not line.endswith(b"\n"):
            line += self._control.recv(100)
        return int(line)

    def _wait(self, seconds: float | None) -> bool:
        """One look at what came. Whether an order waits."""
        order = False
        for key, _ in self._selector.select(seconds):
            if key.data is None:
                order = True
            else:
                self._heard(key.data)
        return order

    def _heard(self, client: Client) -> None:
        data = client.socket.recv(262_144)
        if not data:
            _fail("a connection ended")
        at = time.monotonic_ns()
        data = client.rest + data
        if not client.upgraded:
            head, found, rest = data.partition(b"\r\n\r\n")
            if not found:
                client.rest = data
                return
            if b" 101 " not in head[:20]:
                _fail("a socket was refused")
            client.upgraded, data = True, rest
            self._greet(client)
            self._look(client)
        client.rest = data[self._frames(client, data, at) :]

    def _frames(self, client: Client, data: bytes, at: int) -> int:
        used = 0
        while len(data) - used >= 2:
            head, size = 2, data[used + 1] & 127
            if size == 126:
                head, size = 4, int.from_bytes(data[used + 2 : used + 4], "big")
            elif size == 127:
                head, size = 10, int.from_bytes(data[used + 2 : used + 10], "big")
            end = used + head + size
            if len(data) < used + head or len(data) < end:
                break
            opcode, text = data[used] & 15, data[used + head : end]
            if opcode == 1:
                for line in text.split(b"\n"):
                    self._text(client, line, at)
            elif opcode == 9:
                client.say(10, text)
            elif opcode == 8:
                _fail(f"the server closed a socket: {text[2:].decode(errors='replace')}")
            used = end
        return used

    def _text(self, client: Client, text: bytes, at: int) -> None:
        if text == b"{}":
            client.say(1, text)
        elif text == b"2":
            client.say(1, b"3")
        elif not client.ready:
            client.frames += 1
            self._greet(client)
            self._look(client)
        elif self._marker:
            _, found, rest = text.partition(self._marker)
            if found:
                digits = rest[: len(rest) - len(rest.lstrip(b"0123456789"))]
                self._kept.extend((int(digits or b"0"), at))
        elif (stamp := text.find(b"@", 0, 40)) >= 0:
            self._delays.append(at - int(text[stamp + 1 : stamp + 20]))

    def _greet(self, client: Client) -> None:
        if client.hello < len(self._hellos):
            client.say(1, self._hellos[client.hello])
            client.hello += 1

    def _look(self, client: Client) -> None:
        if not client.ready and client.frames >= self._ready_after:
            client.ready = True
            self._ready += 1
            if client.deaf:
                self._selector.unregister(client.socket)


def _cpu_us() -> int:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return int((used.ru_utime + used.ru_stime) * 1e6)


def _fail(why: str) -> NoReturn:
    print(json.dumps({"error": why}), flush=True)
    sys.exit(1)


if __name__ == "__main__":
    allow_files()
    port, control_port, mode, path, subprotocol, ready_after, source, *hellos = sys.argv[1:]
    Clients(int(port), int(control_port), mode, path, subprotocol, int(ready_after), source, *hellos).serve()
