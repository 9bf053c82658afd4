"""A crowd that joins and staff who call, over HTTP, and who repeat whatever got no answer until it has one: the server may die at any moment."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Callable
from typing import Any

import httpx

from tests.flows.client import PATIENCE_S, Owner, visitor
from tests.support.waiting import until_async

PAUSE_S = 0.02


class Crowd:
    """Keeps a list of everything that was acknowledged, and a task for everybody in it."""

    def __init__(self, owner: Owner, chance: random.Random, called: str = "Guest") -> None:
        self.owner = owner
        self._names = called
        self.chance = chance
        self.joined: dict[str, list[dict[str, Any]]] = {}
        """Name -> every answer to its join. More than one, where the first was lost or repeated on purpose."""
        self.walked_in: dict[str, list[dict[str, Any]]] = {}
        self.called: dict[str, list[int]] = {}
        """Idempotency key -> the ticket of every answer."""
        self.unexpected: list[str] = []
        self.acknowledged = 0
        self.going = True
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, customers: int, staff: int) -> None:
        self._tasks += [asyncio.create_task(self._customers(number)) for number in range(customers)]
        self._tasks += [asyncio.create_task(self._staff(number)) for number in range(staff)]

    async def serve(self, more: int, within_s: float = PATIENCE_S) -> None:
        """Waits until that many more requests were acknowledged."""
        enough = self.acknowledged + more

        def served() -> bool:
            for task in self._tasks:
                if task.done():
                    task.result()
            return self.acknowledged >= enough

        await until_async(served, within_s, f"{more} people to be served")

    async def stop(self) -> None:
        """Nobody begins anything new; what was begun gets its answer. The server must be there."""
        self.going = False
        async with asyncio.timeout(40):
            await asyncio.gather(*self._tasks)
        self._tasks.clear()

    async def _customers(self, number: int) -> None:
        """One after the other, each at a phone of their own."""
        turn = 0
        while self.going:
            name = f"{self._names} {number}-{turn}"
            async with visitor(self.owner.server) as http:
                await self._join(http, name)
            turn += 1

    async def _join(self, http: httpx.AsyncClient, name: str) -> None:
        key = secrets.token_hex(16)
        while True:
            seen = await self._answer(lambda: self.owner.http.get(self.owner.path))
            code = seen.json()["code"]["link"].rpartition("/")[2]
            if (await self._answer(lambda: http.post(f"/v1/codes/{code}/scan", json={"key": key}))).status_code == 200:  # noqa: B023 - awaited here
                break
            if not self.going:
                return
        body = {"code": code, "key": key, "parties": [{"name": name, "queue": "A", "party": 2}]}
        for _ in range(self.chance.choice((1, 1, 2))):
            http.cookies.clear()
            answer = await self._answer(lambda: http.post("/v1/tickets", json=body), 201)
            self.joined.setdefault(name, []).append(answer.json()["tickets"][0])
            self.acknowledged += 1

    async def _staff(self, number: int) -> None:
        turn = 0
        path = self.owner.path
        while self.going:
            name, key, turn = f"{self._names} from the street {number}-{turn}", secrets.token_hex(8), turn + 1
            for _ in range(self.chance.choice((1, 1, 2))):
                headers, body = {"Idempotency-Key": f"walk-{key}"}, {"name": name, "queue": "A"}
                added = await self._answer(lambda: self.owner.http.post(f"{path}/tickets", json=body, headers=headers), 201)  # noqa: B023 - awaited here
                self.walked_in.setdefault(name, []).append(added.json()["ticket"])
                self.acknowledged += 1
            for _ in range(self.chance.choice((1, 1, 2))):
                headers = {"Idempotency-Key": f"call-{key}"}
                called = await self._answer(lambda: self.owner.http.post(f"{path}/queues/A/call-next", json={}, headers=headers), 200, 409)  # noqa: B023 - awaited here
                if called.status_code == 200:
                    self.called.setdefault(key, []).append(called.json()["id"])
                    self.acknowledged += 1

    async def _answer(self, ask: Callable[[], Any], *expected: int) -> httpx.Response:
        """Asks until there is an answer. A server that goes down says 503; nobody else may see a 5xx."""
        while True:
            try:
                answer: httpx.Response = await ask()
            except (httpx.TransportError, OSError):
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status_code == 503 and answer.json()["retry"]:
                await asyncio.sleep(PAUSE_S)
                continue
            if answer.status_code >= 500 or (expected and answer.status_code not in expected):
                self.unexpected.append(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text}")
                if expected:
                    raise AssertionError(self.unexpected[-1])
            return answer

    async def check(self) -> None:
        """Nothing that was acknowledged is missing, nothing is there twice, and every repeat got the answer of the first."""
        assert not self.unexpected, self.unexpected
        tickets = (await self.owner.snapshot())["tickets"]
        by_id = {ticket["id"]: ticket for ticket in tickets}
        names = [ticket["name"] for ticket in tickets]
        assert len(names) == len(set(names)), sorted(name for name in names if names.count(name) > 1)
        assert len({ticket["label"] for ticket in tickets}) == len(tickets)
        for name, answers in {**self.joined, **self.walked_in}.items():
            assert len({answer["id"] for answer in answers}) == 1, (name, answers)
            assert by_id[answers[0]["id"]]["name"] == name
            assert by_id[answers[0]["id"]]["label"] == answers[0]["label"]
        for key, calls in self.called.items():
            assert len(set(calls)) == 1, (key, calls)
        called = [ticket for ticket in tickets if ticket["state"] == "called"]
        assert {ticket["id"] for ticket in called} == {calls[0] for calls in self.called.values()}
        assert len(called) == len(self.called), "one call called two parties"
        assert all(ticket["calls"] == 1 for ticket in called)
        assert [ticket["id"] for ticket in sorted(called, key=lambda one: one["place"])] == sorted(ticket["id"] for ticket in called)
