"""The log line about a store that closed."""

from __future__ import annotations

import logging

import pytest

from notifiers import log
from realtime.hookspecs import Sent
from tests.plugins.facts import CLOSED, outgoing


async def test_a_closing_is_one_line_of_figures_without_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (notifier,) = log.register_notifiers()

    outcome = await notifier.deliver(outgoing(log.compose_store_closed(CLOSED)))

    assert outcome == Sent()
    assert caplog.messages == ["store_closed store=luigis tickets=40 served=31 no_shows=2 left=5 files=2 delivery=luigis/7-email"]
    assert "Luigi" not in caplog.text
    assert "@" not in caplog.text


def test_it_never_stands_between_a_store_and_its_deletion() -> None:
    assert not log.compose_store_closed(CLOSED).needs_report
