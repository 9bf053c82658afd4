"""The bell, tried with nowserving's own registry."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import nowserving_doorbell
import pytest

from realtime.hookspecs import Notifier, OutgoingDelivery, QueueFacts, Retry, Sent, StoreFacts, TicketFacts, TicketNotice
from realtime.model import Delivery
from realtime.registry import Registry
from realtime.settings import Settings
from realtime.testing import Case, Rig, cases


def joined(moment: str = "joined") -> TicketNotice:
    return TicketNotice(
        moment=moment,
        store=StoreFacts(id="s", name="Luigi's", timezone="Europe/Rome"),
        queue=QueueFacts(id="A", name="Table for two"),
        ticket=TicketFacts(id=7, label="A07", name="Ann"),
        link="https://queue.example.com/t#secret",
        now_ms=1_000,
    )


def load() -> Registry:
    return Registry.load(Settings.defaults(), [("doorbell", nowserving_doorbell)], group="nothing")


def ring(registry: Registry) -> object:
    (owed,) = registry.compose_ticket_notice(joined())

    async def carry() -> object:
        outcome = await registry.deliver(OutgoingDelivery(id="1", attempt=1, delivery=owed))
        await registry.close()
        return outcome

    return asyncio.run(carry())


def test_it_rings_when_somebody_joins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bell = tmp_path / "bell"
    monkeypatch.setenv("DOORBELL_FILE", str(bell))

    outcome = ring(load())

    assert outcome == Sent()
    assert bell.read_text() == "\aA07 joined Table for two\n"


def test_it_tries_again_when_the_bell_is_out_of_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOORBELL_FILE", str(tmp_path / "nowhere" / "bell"))

    assert isinstance(ring(load()), Retry)


def test_it_rings_for_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOORBELL_FILE", str(tmp_path / "bell"))

    assert load().compose_ticket_notice(joined("called")) == []


def test_without_a_bell_it_is_idle_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOORBELL_FILE", raising=False)

    (info,) = load().plugins()

    assert info.status == "idle: DOORBELL_FILE is not set"


class BellRig(Rig):
    """What nowserving's contract for notifiers needs to know about a bell."""

    faults = {"the bell is gone": (Retry,)}
    left_out = {"carries the same mark when it comes again": "a bell rings twice; nobody minds"}

    def __enter__(self) -> Self:
        self.folder = tempfile.TemporaryDirectory()
        self.file = Path(self.folder.name) / "bell"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.folder.cleanup()

    def make(self, deadline_s: float) -> Notifier:
        return nowserving_doorbell.Doorbell(self.file)

    def delivery(self, number: int) -> Delivery:
        return Delivery("doorbell", "counter", "joined", {"label": f"A{number}", "queue": "Table for two"})

    def arrange(self, fault: str) -> None:
        self.file.mkdir()

    def arrived(self) -> list[tuple[str, str]]:
        return [(line, line) for line in self.file.read_text().splitlines()]


@pytest.mark.parametrize("case", cases(BellRig), ids=str)
def test_it_keeps_the_contract_of_notifiers(case: Case) -> None:
    case.check(BellRig)
