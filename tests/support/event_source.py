"""A reader of Server-Sent Events as the HTML standard has it (section 9.2.6), for tests that listen over plain HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import httpx


@dataclass(frozen=True)
class Said:
    """One event. A comment is an event named "comment", so that tests can wait for it."""

    name: str
    data: str
    last_id: str


class EventSource:
    """One stream, open until it ends or is closed. `retry_ms` and `last_id` are what it told last."""

    def __init__(self, url: str, **headers: str) -> None:
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(20), trust_env=False)
        self._url = url
        self._headers = headers
        self._response: httpx.Response | None = None
        self.last_id = headers.get("Last-Event-ID", "")
        self.retry_ms: int | None = None

    async def open(self) -> httpx.Response:
        """The answer, whatever its status; `said` reads on from it."""
        request = self._http.build_request("GET", self._url, headers={"Accept": "text/event-stream", **self._headers})
        self._response = await self._http.send(request, stream=True)
        return self._response

    async def said(self) -> AsyncIterator[Said]:
        assert self._response is not None, "open comes first"
        name, data = "message", list[str]()
        async for line in self._response.aiter_lines():
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if data:
                    yield Said(name, "\n".join(data), self.last_id)
                name, data = "message", []
            elif not field:
                yield Said("comment", value, self.last_id)
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)
            elif field == "id":
                self.last_id = value
            elif field == "retry":
                self.retry_ms = int(value)

    async def close(self) -> None:
        if self._response is not None:
            await self._response.aclose()
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


def refusal(answer: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()
    return found
