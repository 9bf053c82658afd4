"""Everything that a real server and its clients say to each other in an evening is what /asyncapi.json says that they say."""

from __future__ import annotations

import contextlib
from typing import Any

import jsonschema_rs
import msgspec

from realtime.events import snapshot
from tests.conftest import Serve
from tests.flows.client import MANY, PATIENCE_S, Screen, join, live_ticket, off_loop, open_store, visitor
from tests.support.waiting import until_async

CONFLATED = {"ConflatedOwnerState", "ConflatedPublicState", "ConflatedOwnTicketState"}
"""Who is told a state in place of pushes is a test of its own (test_stuck_readers.py)."""


class Described:
    """The messages of a document. What no schema names is refused here, though programs should put up with it."""

    def __init__(self, document: dict[str, Any]) -> None:
        components = _closed(document["components"])
        self._messages = {
            name: jsonschema_rs.validator_for({"$ref": f"#/components/messages/{name}/payload", "components": components})
            for name in components["messages"]
        }
        self.commands = {name for name, operation in document["operations"].items() if operation["action"] == "receive"}
        self.pushes = {_name(message) for name in ("push", "say_goodbye") for message in document["operations"][name]["messages"]}
        self.used: set[str] = set()
        """Names of the messages that were said."""

    def check(self, name: str, message: dict[str, Any]) -> None:
        assert self._messages[name].is_valid(message), f"{name} is not as described: {[*self._messages[name].iter_errors(message)]}"
        self.used.add(name)

    def check_push(self, message: dict[str, Any]) -> None:
        (name,) = [name for name in self.pushes if self._messages[name].is_valid(message)] or [f"nothing that is described: {message}"]
        self.check(name, message)

    def check_all(self, screen: Recorded) -> None:
        verbs = dict[int, str]()
        for message in screen.said:
            if not message:
                self.check("pong", message)
                continue
            (verb,) = message.keys() - {"id"}
            verbs[message["id"]] = verb
            self.check(verb, message)
        for message in map(msgspec.json.decode, screen.heard):
            if not message:
                self.check("ping", message)
            elif "error" in message:
                self.check("refused", message)
            elif "id" in message:
                self.check(f"{verbs[message['id']]}_reply", message)
            else:
                self.check_push(message)


class Recorded(Screen):
    """A screen that keeps what it says as well."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.said: list[dict[str, Any]] = []

    def opened(self) -> None:
        assert self.connection is not None
        assert self.connection.socket is not None
        send = self.connection.socket.send

        async def keep(data: Any, **how: Any) -> None:
            self.said.append(msgspec.json.decode(data))
            await send(data, **how)

        self.connection.socket.send = keep  # type: ignore[assignment]  # it is listened to and goes out all the same


async def test_all_that_is_said_in_an_evening_is_described(server: Serve) -> None:
    started = server(ping_seconds=1, pong_seconds=1, **MANY)
    async with contextlib.AsyncExitStack() as stack:
        owner = await stack.enter_async_context(open_store(started, board_code=True))
        described = Described((await owner.http.get("/asyncapi.json")).json())
        phone = await stack.enter_async_context(visitor(started))
        joined = await join(owner, phone, "Ann", email="ann@example.net")
        own = await live_ticket(owner, joined)
        counter = Recorded(started, owner.token, owner.topic)
        board = Recorded(started, await owner.board_token(), f"store/{owner.store_id}/board")
        party = Recorded(started, own["live_token"], *own["topics"])
        everybody = (counter, board, party)
        for screen in everybody:
            await screen.connect()

        async with visitor(started) as friend:
            await join(owner, friend, "Di", queue="B")
        store = {"store_id": owner.store_id}
        called = (await counter.say(call_next={**store, "queue": "A", "desk": "Desk 2"}))["ok"]
        await until_async(lambda: party.views[own["topics"][1]].own["state"] == "called", PATIENCE_S, "the party to be called")
        await party.say(seen={"called_ms": called["called_ms"]})
        for action in ("recall", "serve", "done", "serve", "return"):
            await counter.say(change_ticket={**store, "ticket": joined["id"], "action": action})
        walked_in = (await counter.say(walk_in={**store, "name": "Bo", "queue": "B", "party": 3}))["ok"]["ticket"]["id"]
        for action in ("call", "no_show", "undo", "remove"):
            await counter.say(change_ticket={**store, "ticket": walked_in, "action": action})
        ladder = [{"channel": "not_reached", "after_s": 30}]
        await counter.say(edit_store={**store, "name": "Mario's", "ladder": ladder, "queues": [{"id": "A", "paused": True}]})
        await counter.say(edit_store={**store, "add_queues": [{"name": "Bar"}]})
        await party.say(leave={})
        await party.say(unsubscribe={"topic": own["topics"][0]})

        assert await off_loop(started.stop, 10.0) == 0
        for screen in (counter, board):
            await screen.gone()
        await off_loop(started.start)
        await owner.walk_in("Cy", "B")
        for screen in (counter, board):
            await screen.come_back()
            await screen.check()
        await owner.close_store()
        await until_async(lambda: counter.view.store["state"] == "reported", PATIENCE_S, "the report")

        await until_async(lambda: {} in counter.said, PATIENCE_S, "a ping to be answered")
        for screen in everybody:
            described.check_all(screen)
            await screen.lock()
        replies = {f"{verb}_reply" for verb in described.commands}
        said = {"refused", "ping", "pong"} | described.commands | replies | described.pushes - CONFLATED
        assert described.used == said
        for screen in everybody:
            for ok in (message["ok"] for message in map(msgspec.json.decode, screen.heard) if "snapshot" in message.get("ok", {})):
                text = snapshot(ok["topic"], ok["epoch"], ok["seq"], msgspec.json.encode(ok["snapshot"]), conflated=True)
                described.check_push(msgspec.json.decode(text))


def _closed(part: Any) -> Any:
    if isinstance(part, list):
        return [_closed(value) for value in part]
    if not isinstance(part, dict):
        return part
    found = {key: _closed(value) for key, value in part.items()}
    if isinstance(found.get("properties"), dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def _name(reference: dict[str, str]) -> str:
    return reference["$ref"].rpartition("/")[2]
