"""The extensions of HTTP scopes: an answer that is known whole is one message and is written at once, and a connection can be dropped."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from realtime.server.dropping import drop

ANSWER = "realtime.answer"
"""Name of the extension, and of its message: `status`, `headers` (lines as they are written, each with its line end, without
Content-Length), `body`. It stands for http.response.start and http.response.body (ASGI HTTP specification), which uvicorn
looks through header by header."""
ABORT = "realtime.abort"
"""Name of the other extension: a call that drops the connection now, whatever of an answer is still to be sent."""
_WITHOUT_LENGTH = frozenset({204, 304})


def with_answers(cycle: RequestResponseCycle, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Calls the application for one request, whose scope offers both extensions."""
    scope["extensions"] = {ANSWER: {}, ABORT: partial(drop, cycle.transport)}
    return app(scope, receive, partial(_send, cycle, send))


def _send(cycle: RequestResponseCycle, send: Send, message: Message) -> Awaitable[None]:
    return _answer(cycle, message) if message["type"] == ANSWER else send(message)


async def _answer(cycle: RequestResponseCycle, message: Message) -> None:
    """What RequestResponseCycle.send does with the two messages; leans on uvicorn's inside like wire.py."""
    if cycle.flow.write_paused and not cycle.disconnected:
        await cycle.flow.drain()
    if cycle.disconnected:
        return
    if cycle.response_started:
        raise RuntimeError("This request was answered already.")
    status: int = message["status"]
    body: bytes = message["body"]
    head = [STATUS_LINE[status], *(b"%b: %b\r\n" % pair for pair in cycle.default_headers), message["headers"]]
    if status not in _WITHOUT_LENGTH:
        head.append(b"content-length: %d\r\n" % len(body))
    head.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
    if cycle.scope["method"] != "HEAD":
        head.append(body)
    cycle.response_started = cycle.response_complete = True
    cycle.waiting_for_100_continue = False
    cycle.transport.write(b"".join(head))
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
