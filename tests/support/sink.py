"""A real HTTP server that keeps every request it gets and answers as it is told."""

from __future__ import annotations

import contextlib
import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from tests.support.waiting import until


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: tuple[tuple[str, str], ...] = ()
    after_s: float = 0.0
    """How long it takes."""


class _Server(ThreadingHTTPServer):
    """At its end every connection is closed and every thread has ended, whatever the clients do."""

    daemon_threads = False  # those would not be waited for

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._taken: set[Any] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._taken.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        super().shutdown_request(request)
        self._taken.discard(request)

    def server_close(self) -> None:
        for request in tuple(self._taken):
            with contextlib.suppress(OSError):  # it was closed meanwhile
                request.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away is none
            super().handle_error(request, client_address)


class HttpSink:
    """Start with `with`. `answers` are used up in order; then every request is answered with 200."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.answers: list[Answer] = []

    def __enter__(self) -> Self:
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def take(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                sink.requests.append(Request(self.command, self.path, headers, body))
                answer = sink.answers.pop(0) if sink.answers else Answer()
                time.sleep(answer.after_s)
                self.send_response(answer.status)
                for name, value in answer.headers:
                    self.send_header(name, value)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = take

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
                """Says nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def wait_for(self, count: int = 1, within: float = 20.0) -> list[Request]:
        """Waits until there are `count` requests, and returns all."""
        return until(lambda: list(self.requests) if len(self.requests) >= count else None, within, f"{count} requests") or []
