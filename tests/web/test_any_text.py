"""Whatever clients name as topics and positions, on every road, and whatever they say on the socket: an answer or a refusal, never a fault of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from realtime import errors
from realtime.errors import NowServingError
from realtime.protocol import VERBS
from realtime.web.asyncapi import close_codes
from realtime.web.session import Session
from tests.support.hub import MemorySink, until
from tests.web.conftest import HOST, House, Owner, join

STORE = "STORE"
"""Stands for the id of the store that is there."""
STATUS = {kind.code: kind.status for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, NowServingError)}
LAST = 2**53

PARTS = st.sampled_from([STORE, "store", "ticket", "owner", "public", "board", "", "0", "1", "-1", "9" * 30, "\0", ",", "é", "\ud800"])
TOPICS = st.lists(PARTS | st.text(max_size=4), max_size=5).map("/".join) | st.text(max_size=200)
POSITIONS = (
    st.builds("{}{}{}".format, st.text(max_size=12), st.sampled_from([":", "", "::"]), st.integers() | st.text(max_size=12)) | st.text()
)
SINCE = st.none() | st.builds(lambda epoch, seq: {"epoch": epoch, "seq": seq}, st.text(max_size=70), st.integers(-1, 2**54) | st.text())
VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(STORE) | st.lists(st.integers(), max_size=2)
FIELDS = sorted({field for verb in VERBS.values() for field in verb.__struct_fields__})
MESSAGES = st.builds(
    lambda verb, body: json.dumps({"id": 1, verb: body}),
    st.sampled_from(sorted(VERBS)),
    st.dictionaries(st.sampled_from(FIELDS), VALUES | TOPICS, max_size=4),
)
TEXTS = st.lists(st.text(max_size=40) | MESSAGES, min_size=1, max_size=4).map("\n".join)

Road = Callable[[str, str], Coroutine[Any, Any, int]]
"""Asks for a topic from a position; the status it was answered with."""


async def holds(claim: Callable[[Callable[[Coroutine[Any, Any, Any]], Any]], None]) -> None:
    """Lets Hypothesis look for a counterexample in a thread of its own; what it tries is run in this loop."""
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(claim, lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30))


class Person:
    """A socket in memory, signed in with a token if there is one."""

    def __init__(self, house: House, token: str = "") -> None:
        self.sink = MemorySink()
        self.session = Session(house.context, HOST, house.sockets.sessions, self.sink)
        self._token = token

    async def __aenter__(self) -> Person:
        if self._token:
            await self.say({"id": LAST, "authenticate": {"token": self._token}})
            self.sink.writes.clear()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.session.on_close(1006)

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [said for said in map(json.loads, self.sink.texts) if "id" in said]

    async def say(self, command: dict[str, Any]) -> None:
        """Says it, and waits until it has its answer or the socket is closed."""
        self.session.on_text(json.dumps(command))
        await until(lambda: self.sink.closed or any(reply["id"] == command["id"] for reply in self.replies))


def live_token(client: Any) -> str:
    return str(client.headers["Authorization"].removeprefix("Bearer "))


async def plainly(house: House, token: str, path: str, query: str, *headers: tuple[bytes, bytes]) -> int:
    """The status of a request whose asker has gone by the time the answer begins, so that a stream ends."""
    incoming: list[dict[str, Any]] = [{"type": "http.disconnect"}, {"type": "http.request", "body": b"", "more_body": False}]
    started: list[int] = []

    async def receive() -> Any:
        return incoming.pop() if len(incoming) > 1 else incoming[0]

    async def send(message: Any) -> None:
        if "status" in message:
            started.append(message["status"])

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": query.encode("latin-1"), "http_version": "1.1",
        "headers": [(b"host", b"127.0.0.1:8000"), (b"authorization", b"Bearer " + token.encode()), *headers],
        "scheme": "http", "server": ("127.0.0.1", 8000), "client": ("10.9.9.9", 40_000), "root_path": "", "extensions": {},
    }  # fmt: skip
    await house.app(scope, receive, send)
    assert len(started) == 1
    return started[0]


def in_query(text: str) -> str:
    return quote(text, safe=",/", errors="replace")


def as_header(text: str) -> bytes:
    """As a server may hand it on: no line ends, no NUL (RFC 9110 §5.5)."""
    return text.encode("utf-8", "replace").translate(None, b"\r\n\0")


def roads(house: House, token: str) -> dict[str, Road]:
    async def stream(topic: str, position: str) -> int:
        return await plainly(house, token, "/live/sse", f"topic={in_query(topic)}", (b"last-event-id", as_header(position)))

    async def poll(topic: str, position: str) -> int:
        return await plainly(house, token, "/v1/live", f"topic={in_query(topic)}&since={in_query(position)}")

    async def poll_by_tag(topic: str, position: str) -> int:
        return await plainly(house, token, "/v1/live", f"topic={in_query(topic)}", (b"if-none-match", as_header(position)))

    async def socket(topic: str, position: str) -> int:
        epoch, _, seq = position.partition(":")
        since = {"epoch": epoch, "seq": int(seq) if seq.isdecimal() else seq} if position else None
        return await asked_on_a_socket(house, token, topic, since)

    return {"stream": stream, "poll": poll, "poll by tag": poll_by_tag, "socket": socket}


async def asked_on_a_socket(house: House, token: str, topic: str, since: Any) -> int:
    async with Person(house, token) as person:
        await person.say({"id": 1, "subscribe": {"topic": topic, "since": since}})
        if not person.replies:
            assert person.sink.closed == (4400, person.sink.closed and person.sink.closed[1]), "what is no JSON at all"
            return 400
        reply = person.replies[0]
        return 200 if "ok" in reply else STATUS[reply["error"]["code"]]


@pytest.fixture
async def tokens(house: House, owner: Owner) -> dict[str, str]:
    phone = await join(house, owner)
    return {"owner": live_token(owner.client), "ticket": (await phone.get("/v1/ticket")).json()["live_token"]}


@pytest.mark.parametrize("topic", ["x", "store", "store/", "//owner", "x,store"])
async def test_a_stream_of_a_topic_that_names_no_store_is_refused_in_words(owner: Owner, topic: str) -> None:
    answer = await owner.client.get("/live/sse", params={"topic": topic})

    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")
    assert (answer.json()["code"], answer.json()["field"]) == ("invalid_input", "topic")
    assert "/v1/live/topics" in answer.json()["detail"]


@pytest.mark.parametrize("who", ["owner", "ticket"])
@pytest.mark.parametrize("road", ["stream", "poll", "poll by tag", "socket"])
async def test_any_topic_from_any_position_is_granted_or_refused(
    house: House, owner: Owner, tokens: dict[str, str], road: str, who: str
) -> None:
    ask = roads(house, tokens[who])[road]

    def claim(run: Callable[[Coroutine[Any, Any, int]], int]) -> None:
        @settings(max_examples=25)
        @given(TOPICS, POSITIONS)
        @example("x", "")
        @example("store", "")
        @example("store/", ":")
        @example("store/\0/owner", "")
        @example(f"store/{STORE}/owner", f"é:{'9' * 40}")
        @example(f"store/{STORE}/owner,store", "x:١٢")
        @example(f"ticket/{STORE}/1/", "W/")
        def every(topic: str, position: str) -> None:
            status = run(ask(topic.replace(STORE, owner.store_id), position))

            assert status in {200, 304} or 400 <= status < 500

        every()

    await holds(claim)


async def test_any_since_on_the_socket_is_granted_or_refused(house: House, owner: Owner, tokens: dict[str, str]) -> None:
    def claim(run: Callable[[Coroutine[Any, Any, int]], int]) -> None:
        @settings(max_examples=30)
        @given(st.sampled_from(["owner", "public"]), SINCE)
        @example("owner", {"epoch": "\0", "seq": LAST})
        def every(audience: str, since: Any) -> None:
            assert run(asked_on_a_socket(house, tokens["owner"], f"store/{owner.store_id}/{audience}", since)) in {200, 400, 422}

        every()

    await holds(claim)


@pytest.mark.parametrize("who", ["", "owner", "ticket"])
async def test_any_text_on_the_socket_is_answered_or_ends_it_with_a_code_that_is_documented(
    house: House, owner: Owner, tokens: dict[str, str], who: str
) -> None:
    documented = close_codes().keys()

    async def said(texts: list[str]) -> tuple[list[dict[str, Any]], tuple[int, str] | None]:
        async with Person(house, tokens.get(who, "")) as person:
            for text in texts:
                person.session.on_text(text.replace(STORE, owner.store_id))
            # Commands run in their order, so with the reply to this one all others have theirs.
            await person.say({"id": LAST, "unsubscribe": {"topic": "-"}})
            return person.replies, person.sink.closed

    def claim(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        @settings(max_examples=40)
        @given(st.lists(TEXTS, max_size=4))
        @example(["{}\n{}"])
        @example(['{"id":1,"subscribe":{"topic":"x"}}', '{"id":2,"subscribe":{"topic":"store/\\u0000/owner"}}'])
        @example(["[" * 4000])
        @example(['{"id":1,"leave":{}}\n' * 17])
        def every(texts: list[str]) -> None:
            replies, closed = run(said(texts))

            assert closed is None or str(closed[0]) in documented
            assert all("ok" in reply or STATUS[reply["error"]["code"]] < 500 for reply in replies)

        every()

    await holds(claim)
