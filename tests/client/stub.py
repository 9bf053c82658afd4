"""A server that says on the socket just what a test wants, to see what the client makes of it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from realtime.client import Client

Json = dict[str, Any]
PUBLIC = "store/s/public"


def ticket(id_: int, state: str = "waiting", **more: Any) -> Json:
    return {"id": id_, "queue": "A", "label": f"A{id_:02d}", "state": state, "desk": "", "place": id_, "called_ms": 0, **more}


def push(seq: int, topic: str = PUBLIC, **more: Any) -> Json:
    return {"topic": topic, "seq": seq, "at_ms": 1, **more}


def state(seq: int, *tickets: Json, topic: str = PUBLIC, epoch: str = "e") -> Json:
    whole = {"store": {"id": "s", "name": "S"}, "queues": [{"id": "A", "pace_ms": 0}], "tickets": list(tickets), "code": None}
    return {"topic": topic, "epoch": epoch, "seq": seq, "recovered": False, "snapshot": whole}


def replay(seq: int, *pushes: Json, topic: str = PUBLIC) -> Json:
    return {"topic": topic, "epoch": "e", "seq": seq, "recovered": True, "events": list(pushes)}


class Stub:
    """Signs everybody in and answers subscriptions with `answers`, one after the other, the last again and again. Other commands it only notes."""

    def __init__(self) -> None:
        self.url = ""
        self.topics = [PUBLIC]
        self.expires_ms = 0
        self.answers: list[Json] = [state(5, ticket(3))]
        self.refusals: list[Json] = []
        """Errors that the next sign-ins are refused with."""
        self.handshakes: list[Response] = []
        """What the next handshakes are refused with."""
        self.tokens: list[str] = []
        self.subscriptions: list[Json] = []
        self.others: list[Json] = []
        self.sockets: list[ServerConnection] = []
        self.something = asyncio.Condition()

    async def say(self, *messages: Json) -> None:
        """To the socket that came last."""
        for message in messages:
            await self.sockets[-1].send(msgspec.json.encode(message), text=True)

    async def end(self, code: int, reason: str = "") -> None:
        await self.sockets[-1].close(code, reason)

    async def until(self, condition: Any) -> None:
        async with self.something, asyncio.timeout(10):
            await self.something.wait_for(condition)

    def before(self, socket: ServerConnection, request: Request) -> Response | None:
        return self.handshakes.pop(0) if self.handshakes else None

    async def talk(self, socket: ServerConnection) -> None:
        self.sockets.append(socket)
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                answer = self._answer(msgspec.json.decode(text))
                if answer is not None:
                    await socket.send(msgspec.json.encode(answer), text=True)
                async with self.something:
                    self.something.notify_all()

    def _answer(self, message: Json) -> Json | None:
        number = message.get("id")
        if "authenticate" in message:
            self.tokens.append(message["authenticate"]["token"])
            if self.refusals:
                return {"id": number, "error": self.refusals.pop(0)}
            return {"id": number, "ok": {"as": "board", "store_id": "s", "topics": self.topics, "expires_ms": self.expires_ms}}
        if "subscribe" in message:
            self.subscriptions.append(message["subscribe"])
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            return {"id": number, "error" if "code" in answer else "ok": answer}
        self.others.append(message)
        return None


@contextlib.asynccontextmanager
async def stub_server() -> AsyncIterator[Stub]:
    stub = Stub()
    async with serve(stub.talk, "127.0.0.1", 0, subprotocols=[Subprotocol("nowserving.v1")], process_request=stub.before) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        stub.url = f"http://127.0.0.1:{port}"
        yield stub


def client(stub: Stub, token: Any = "secret", *topics: str) -> Client:
    """It comes back at once unless the server asks for patience."""
    return Client(stub.url, token, topics, chance=lambda: 0.0)
