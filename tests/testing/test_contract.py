"""The contract finds what is wrong with a notifier: each of these breaks one clause, and the case for it says so."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpcore
import pytest

from realtime.hookspecs import Notifier, Outcome, OutgoingDelivery, Permanent, Retry, Sent
from realtime.model import Delivery
from realtime.testing import HttpRig, http_cases


class Good:
    """Keeps every clause."""

    name = "good"

    def __init__(self, url: str, deadline_s: float) -> None:
        self.deadline_s = deadline_s + 1
        self._url, self._patience_s = url, deadline_s
        self._pool = httpcore.AsyncConnectionPool()

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        text = str(delivery.delivery.body["text"]).encode()
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._ask(text, self._mark(delivery))
        except (TimeoutError, OSError, httpcore.NetworkError, httpcore.ProtocolError):
            return Retry("Nobody answers.", provider_down=True)

    async def _ask(self, text: bytes, mark: str) -> Outcome:
        headers = [("Idempotency-Key", mark), ("Content-Length", str(len(text))), ("Host", "localhost")]
        async with self._pool.stream("POST", self._url, headers=headers, content=text) as response:
            said = {name.lower(): value.decode("latin-1") for name, value in response.headers}
            if 200 <= response.status < 300:
                await self._drain(response)
            return self._outcome(response.status, said.get(b"retry-after", ""))

    def _mark(self, delivery: OutgoingDelivery) -> str:
        return delivery.id

    async def _drain(self, response: httpcore.Response) -> None:
        size = 0
        async for part in response.aiter_stream():
            size += len(part)
            if size > 65_536:
                break

    def _outcome(self, status: int, after: str) -> Outcome:
        if 200 <= status < 300:
            return Sent()
        if status in (408, 425, 429) or status >= 500:
            return Retry(f"It answered {status}.", _seconds(after))
        return Permanent(f"It answered {status}.")

    async def close(self) -> None:
        await self._pool.aclose()


def _seconds(after: str) -> float | None:
    if after.isdigit() and len(after) < 10:
        return float(after)
    try:
        return (parsedate_to_datetime(after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return None


class Forgetful(Good):
    """Marks every attempt anew."""

    def _mark(self, delivery: OutgoingDelivery) -> str:
        return f"{delivery.id}-{delivery.attempt}"


class Optimist(Good):
    """Takes every answer for a success."""

    def _outcome(self, status: int, after: str) -> Outcome:
        return Sent()


class Greedy(Good):
    """Reads all that comes."""

    async def _drain(self, response: httpcore.Response) -> None:
        async for _ in response.aiter_stream():
            pass


class Impatient(Good):
    """Does not care when it is wanted again."""

    def _outcome(self, status: int, after: str) -> Outcome:
        outcome = super()._outcome(status, after)
        return Retry(outcome.reason) if isinstance(outcome, Retry) else outcome


class Fragile(Good):
    """Lets exceptions out."""

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        async with asyncio.timeout(self._patience_s):
            return await self._ask(b"x", delivery.id)


class Litterer(Good):
    """Goes on in a task of its own when it is cancelled."""

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        self.task = asyncio.create_task(super().deliver(delivery))
        return await asyncio.shield(self.task)


class Mixer(Good):
    """Sends what it was given last, whoever is waiting."""

    last: OutgoingDelivery | None = None

    async def deliver(self, delivery: OutgoingDelivery) -> Outcome:
        self.last = delivery
        await asyncio.sleep(0)
        return await super().deliver(self.last)


def rig_of(kind: type[Good]) -> type[HttpRig]:
    class GoodRig(HttpRig):
        def at(self, url: str, deadline_s: float) -> Notifier:
            return kind(url, deadline_s)

        def delivery(self, number: int) -> Delivery:
            return Delivery("good", "+4915112345678", "message", {"text": f"Number {number} please."})

    return GoodRig


@pytest.mark.parametrize("case", http_cases(rig_of(Good)), ids=str)
def test_a_good_notifier_passes(case: Any) -> None:
    case.check(rig_of(Good))


@pytest.mark.parametrize(
    ("kind", "clause"),
    [
        (Forgetful, "carries the same mark when it comes again"),
        (Optimist, "follows no redirect"),
        (Optimist, "status 503"),
        (Greedy, "reads only so much of an answer"),
        (Impatient, "heeds Retry-After in seconds"),
        (Impatient, "heeds Retry-After as a date"),
        (Fragile, "garbage"),
        (Fragile, "tries again where nobody is"),
        (Litterer, "leaves nothing behind when it is cancelled"),
        (Mixer, "does not mix what it carries at once"),
    ],
)
def test_one_that_breaks_a_clause_is_found_out(kind: type[Good], clause: str) -> None:
    (case,) = (each for each in http_cases(rig_of(kind)) if each.name == clause)

    with pytest.raises(AssertionError):
        case.check(rig_of(kind))


def test_the_example_in_the_documents_runs() -> None:
    document = (Path(__file__).parents[2] / "docs" / "hooks.md").read_text()
    (example,) = re.findall(r"### Test your notifier.*?```python\n(.*?)```", document, re.DOTALL)
    names: dict[str, Any] = {"Pager": type("Pager", (Good,), {"name": "pager"})}
    exec(compile(example, "docs/hooks.md", "exec"), names)

    cases = {case.name: case for case in http_cases(names["PagerRig"])}
    for name in ("is taken", "status 410", "carries the same mark when it comes again"):
        names["test_it_keeps_the_contract"](cases[name])

    names["Pager"]._outcome = Optimist._outcome
    with pytest.raises(AssertionError):
        names["test_it_keeps_the_contract"](cases["status 410"])


def test_a_case_that_is_left_out_must_exist() -> None:
    class Misspelt(rig_of(Good)):  # type: ignore[misc]  # made by a function
        left_out = {"is takne": "a slip"}

    with pytest.raises(ValueError, match="is takne"):
        http_cases(Misspelt)


def test_neither_the_server_nor_the_suite_needs_the_other() -> None:
    said = "import sys, realtime.app; assert 'realtime.testing' not in sys.modules; import realtime.testing; assert 'pytest' not in sys.modules"

    subprocess.run([sys.executable, "-c", said], check=True, timeout=60)
