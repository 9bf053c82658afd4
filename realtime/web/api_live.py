"""What happens in a store, asked for by ordinary requests: the last resort where neither WebSocket nor an event stream gets through."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import Any

from msgspec import UNSET, Raw, Struct, UnsetType
from starlette.responses import Response
from starlette.types import Scope

from realtime import events
from realtime.errors import NotAllowed, Unavailable
from realtime.frames import texts
from realtime.web.cases import Granted
from realtime.web.endpoint import Auth, Call, Endpoint
from realtime.web.listening import REFUSALS, Hears, Since, Topic, hears, position, signed_in


class Look(Struct, frozen=True):
    topic: Topic
    since: Since = ""


class Standing(Struct, frozen=True):
    """Where a topic stands; the same as the socket's reply to `subscribe`."""

    topic: str
    epoch: str
    seq: int
    recovered: bool
    """Whether `events` are everything since; otherwise there is a `snapshot`."""
    snapshot: dict[str, Any] | UnsetType = UNSET
    events: list[dict[str, Any]] | UnsetType = UNSET


_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_FROM_NOWHERE = ("", 0)
"""Whoever comes back from there is told the whole state at once; somebody new may be told one of a moment ago, and the rest after it."""


class _First:
    """A sink that keeps the first text and goes away."""

    fd = -1

    def __init__(self) -> None:
        self.text: bytes | None = None

    def write(self, data: bytes) -> None:
        if self.text is None:
            self.text = next(texts(data))

    def buffered_bytes(self) -> int:
        return 0

    def close(self, code: int, reason: str = "") -> None:
        pass

    def abort(self) -> None:
        pass


async def topics(call: Call[None]) -> Response:
    return call.answer(hears(await signed_in(call)))


async def look(call: Call[None]) -> Response:
    granted = await signed_in(call)
    topic, since = call.query.topic, position(call.query.since)
    known, anything = _known(call.scope)
    text, at = await _look(call, granted, topic, since or max(known, key=itemgetter(1), default=None))
    call.context.asked(topic, granted.ticket_id, call.client)
    tag = (b"etag", b'"%b:%d"' % (at[0].encode(), at[1]))
    if anything or at in known:
        response = Response(status_code=304)
    else:
        if known and not since:
            # Only tags were known: whoever has not said that they hold the rest is given the whole.
            text, at = await _look(call, granted, topic, None)
            tag = (b"etag", b'"%b:%d"' % (at[0].encode(), at[1]))
        response = call.answer(Raw(text))
    response.raw_headers.append(tag)
    return response


def _known(scope: Scope) -> tuple[set[tuple[str, int]], bool]:
    """The positions that If-None-Match names, and whether it is `*`: any state at all. RFC 9110 section 13.1.2; a weak tag is as good."""
    value = b",".join(value for name, value in scope["headers"] if name == b"if-none-match").decode("latin-1")
    found = {position(tag) for tag in _TAG.findall(value)}
    return {at for at in found if at is not None}, value.strip() == "*"


async def _look(call: Call[None], granted: Granted, topic: str, since: tuple[str, int] | None) -> tuple[bytes, tuple[str, int]]:
    """A whole state or every missed event as JSON, and where that is. Raises: Unavailable: the topic was closed meanwhile."""
    first, live = _First(), call.context.live
    try:
        await live.subscribe(granted, topic, since or _FROM_NOWHERE, first, _as_it_is, call.public_base)
    finally:
        live.drop(first)
    standing = events.standing(first.text or b"")
    if first.text is None or standing is None:
        raise Unavailable
    return first.text, standing[1:]


def _as_it_is(body: bytes) -> bytes:
    return body


ENDPOINTS = (
    Endpoint(
        "GET", "/v1/live/topics", "Who a token stands for, and what it may hear", "Live", topics,
        auth=Auth.LIVE, response=Hears, errors=REFUSALS,
    ),
    Endpoint(
        "GET", "/v1/live", "Where a topic stands: every event since, or its whole state", "Live", look,
        auth=Auth.LIVE, query=Look, response=Standing, tagged=True, errors=(*REFUSALS, NotAllowed),
    ),
)  # fmt: skip
