"""Screens that listen over plain HTTP: the same views as those of a socket, fed by an event stream or by polls."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any, Self

import httpx

from tests.flows.client import Screen
from tests.support.event_source import EventSource

VIAS = ("websocket", "sse", "polling")
POLL_S = 0.05


class Refused(ConnectionError):
    """It may not listen; `code` is the wire code."""

    def __init__(self, answer: httpx.Response) -> None:
        self.code = str(answer.json()["code"])
        super().__init__(self.code)


class SseScreen(Screen):
    """`connect(since=True)` sends the last id, as EventSource does. How it ended stands in `close_codes`; None: without a word."""

    _source: EventSource | None = None
    last_id = ""

    async def connect(self, *, since: bool = False) -> Self:
        resume = {"Last-Event-ID": self.last_id} if since else {}
        url = f"{self.server.url}/live/sse?topic={','.join(self.views)}"
        self._source = EventSource(url, Authorization=f"Bearer {self.token}", **resume)
        try:
            answer = await self._source.open()
            if answer.status_code != 200:
                await answer.aread()
                raise Refused(answer)
        except (httpx.TransportError, Refused) as error:
            await self._source.close()
            raise ConnectionError(str(error)) from error if isinstance(error, httpx.TransportError) else None
        self._begun = {topic: asyncio.Event() for topic in self.views}
        self._reader = asyncio.create_task(self._listen(self._source))
        begun = asyncio.gather(*(event.wait() for event in self._begun.values()))
        await asyncio.wait_for(begun, 20)
        return self

    async def _listen(self, source: EventSource) -> None:
        code: int | None = None
        with contextlib.suppress(httpx.TransportError, httpx.StreamClosed):
            async for said in source.said():
                self.last_id = said.last_id or self.last_id
                if said.name == "close":
                    code = json.loads(said.data)["code"]
                elif said.name == "message":
                    self.heard.append(said.data)
                    self._take(json.loads(said.data))
        await source.close()
        self.close_codes.append(code)

    def _take(self, message: dict[str, Any]) -> None:
        if "disconnect" in message:
            self.told_to_come_back.append(message["disconnect"])
            return
        if "presence" in message:
            self.presence.append(message["presence"])
            return
        topic = message["topic"]
        if "recovered" in message:
            self.views[topic].stand(message)
            self._begun[topic].set()
        elif message.get("conflated"):
            self.views[topic].replace(message)
        else:
            self.views[topic].push(message)

    async def lock(self) -> None:
        if self._source is not None and self._reader is not None:
            await self._source.close()
            await self._reader


class PollScreen(Screen):
    """Asks again and again; `close_codes` gets a None when it is refused or the server is gone."""

    async def connect(self, *, since: bool = False) -> Self:
        self._http = httpx.AsyncClient(
            base_url=self.server.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=20, trust_env=False
        )
        self.refusal = ""
        if not since:
            for view in self.views.values():
                view.epoch = ""
        for topic in self.views:
            try:
                await self._look(topic, first=True)
            except (httpx.TransportError, Refused) as error:
                await self._http.aclose()
                raise ConnectionError(str(error)) from error if isinstance(error, httpx.TransportError) else None
        self._reader = asyncio.create_task(self._ask())
        return self

    async def _look(self, topic: str, *, first: bool = False) -> None:
        view = self.views[topic]
        since = f"{view.epoch}:{view.seq}" if view.epoch else ""
        headers = {"If-None-Match": f'"{since}"'} if since else {}
        answer = await self._http.get("/v1/live", params={"topic": topic, **({"since": since} if since else {})}, headers=headers)
        if answer.status_code == 304:
            view.recovered = True if first else view.recovered
            return
        if answer.status_code != 200:
            raise Refused(answer)
        self.heard.append(answer.text)
        before = view.recovered
        view.stand(answer.json())
        if not first:
            view.recovered = before

    async def _ask(self) -> None:
        try:
            while True:
                for topic in self.views:
                    await self._look(topic)
                await asyncio.sleep(POLL_S)
        except Refused as refused:
            self.refusal = refused.code
        except httpx.TransportError:
            pass
        finally:
            await self._http.aclose()
            self.close_codes.append(None)

    async def lock(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)


def screen(via: str, *args: Any) -> Screen:
    """A screen that is told in one of the ways. Arguments as Screen's."""
    kinds: dict[str, type[Screen]] = {"websocket": Screen, "sse": SseScreen, "polling": PollScreen}
    return kinds[via](*args)
