"""The journal: one line per change, and nobody's name in it."""

from __future__ import annotations

import logging

import pytest

from plugins import journal
from realtime.facts import facts_of
from realtime.hookspecs import Idle
from realtime.model import Event
from realtime.settings import Settings

OWNER = '{"change":"joined","ticket":{"id":7,"label":"A07","name":"Ann","phone":"+4915112345678","email":"ann@example.com"}}'


def test_a_change_is_one_line_without_personal_data(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    journal.on_event(facts_of(Event("luigis", 7, 0, "ticket", OWNER, "{}")))
    journal.on_event(facts_of(Event("luigis", 8, 0, "store", '{"change":"closing"}', "{}")))

    assert caplog.messages == ["store=luigis seq=7 ticket joined A07", "store=luigis seq=8 store closing -"]


def test_it_takes_part_where_changes_are_to_be_logged_and_costs_nothing_elsewhere() -> None:
    assert journal.register_notifiers(Settings.defaults(log_changes=True)) == []
    assert journal.register_notifiers(Settings.defaults()) == Idle("log_changes is not set")
