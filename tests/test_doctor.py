"""What needs a person, and in which words."""

from __future__ import annotations

import re
from typing import get_args, get_type_hints

import pytest
from msgspec.structs import replace

from realtime import doctor
from realtime.doctor import Looked
from realtime.operations.alarms import Raised, lasting
from realtime.operations.checkup import Found, Since
from realtime.operations.oversight import Backlog
from realtime.operator_messages import Finding
from realtime.providers import BreakerState, ProviderStanding
from realtime.registry import PluginInfo

NOW = 10_000_000_000
MINUTE = 60_000
WELL = Looked(now_ms=NOW, queues=Found((), (), (), ()))


def looked(backlogs: tuple[Backlog, ...] = (), dead: tuple[Since, ...] = (), unsettled: tuple[Since, ...] = (), **more: object) -> Looked:
    return Looked(now_ms=NOW, queues=Found(backlogs, dead, unsettled, ()), **more)  # type: ignore[arg-type]  # each test says which


def said(about: Looked) -> list[tuple[str, str, str]]:
    return [(each.kind, each.of, each.text) for each in doctor.findings(about)]


def test_an_installation_in_which_all_is_well_has_no_findings() -> None:
    at_work = Backlog(queue="service", ready=3, deferred=2, behind=1, in_flight=4, oldest_ready_ms=NOW - MINUTE)
    fine = PluginInfo("csv_report", "1", (), "active"), PluginInfo("sms", "1", (), "idle: no address"), PluginInfo("log", "1", (), "off")
    up = ProviderStanding("email", BreakerState.CLOSED, 2, 1, "", 0, 0)

    assert doctor.findings(WELL) == []
    assert doctor.findings(looked((at_work,), plugins=fine, providers=(up,), ahead_ms=-1000, backlog_seconds=900)) == []


CASES: list[tuple[Looked, tuple[str, str, str]]] = [
    (replace(WELL, ahead_ms=1_500), ("clock", "", "The database's clock is 1.5 s ahead of the server's.")),
    (replace(WELL, ahead_ms=-61_000), ("clock", "", "The database's clock is 61.0 s behind the server's.")),
    (
        replace(WELL, plugins=(PluginInfo("loyalty", "1", (), "failed: its hooks are wrong"),)),
        ("plugin", "loyalty", "The plugin loyalty is out of use, as it failed: its hooks are wrong."),
    ),
    (
        replace(WELL, plugins=(PluginInfo("loyalty", "1", (), "suspended: it hung"),)),
        ("plugin", "loyalty", "The plugin loyalty is suspended: it hung."),
    ),
    (
        replace(WELL, providers=(ProviderStanding("sms", BreakerState.OPEN, 0, 5, "It answered 503.", NOW - 10 * MINUTE, NOW + 40_000),)),
        ("provider", "sms", "The provider of sms has been down for 10 minutes: It answered 503. It is tried again in 40 seconds."),
    ),
    (
        replace(WELL, providers=(ProviderStanding("sms", BreakerState.HALF_OPEN, 1, 5, "It answered 503.", NOW - MINUTE, 0),)),
        ("provider", "sms", "The provider of sms has been down for 60 seconds: It answered 503. It is being tried."),
    ),
    (
        looked((Backlog(queue="deliveries", paused_ms=NOW - 180 * MINUTE),)),
        ("paused", "deliveries", "deliveries has been paused for 3 hours."),
    ),
    (
        looked((Backlog(queue="service", blocked_lanes=1),)),
        ("blocked_lanes", "service", "A lane of service waits for a decision about a dead letter."),
    ),
    (
        looked((Backlog(queue="service", dead=2),), (Since("service", 2, NOW - 5 * 24 * 60 * MINUTE),)),
        ("dead_letters", "service", "2 jobs of service were given up, the first 5 days ago."),
    ),
    (
        looked((Backlog(queue="deliveries", dead=1),)),
        ("reports", "deliveries", "A report of a closed store could not be delivered, and the store's data is kept until then."),
    ),
    (
        looked((Backlog(queue="deliveries", held=2),)),
        ("unconfirmed", "deliveries", "2 reports wait until the owner of the closed store has confirmed their e-mail address."),
    ),
    (
        looked((Backlog(queue="messages/a/b", ready=4, oldest_ready_ms=NOW - 15 * MINUTE),), backlog_seconds=900),
        ("backlog", "messages/a/b", "4 jobs of messages/a/b can be taken, the first for 15 minutes."),
    ),
    (
        looked((Backlog(queue="service", ready=1),), (), (Since("service", 1, NOW - 7 * MINUTE),)),
        (
            "unsettled",
            "service",
            "Nobody has answered for a job of service, or taken them up again; the first lease ended 7 minutes ago.",
        ),
    ),
    (
        replace(WELL, queues=Found((), (), (), (Raised("missed_deletions", 1, NOW - 1000),))),
        (
            "alarm",
            "missed_deletions",
            "An alarm has been raised for 1 second: The customers' data of 1 closed store should have been deleted by now.",
        ),
    ),
]


@pytest.mark.parametrize(("about", "expected"), CASES, ids=lambda value: value[0] if isinstance(value, tuple) else "")
def test_each_thing_that_needs_a_person_is_told(about: Looked, expected: tuple[str, str, str]) -> None:
    assert said(about) == [expected]


def test_every_kind_is_told_in_sentences_that_say_what_to_do_next() -> None:
    told = [finding for about, _ in CASES for finding in doctor.findings(about)]

    assert {each.kind for each in told} == set(get_args(get_type_hints(Finding)["kind"]))
    assert all(re.fullmatch(r"[A-Za-z0-9].*\.", text) for each in told for text in (each.text, each.todo))


def test_a_backlog_is_late_only_from_the_threshold_on_and_not_while_its_queue_is_paused() -> None:
    waits = Backlog(queue="service", ready=1, oldest_ready_ms=NOW - 15 * MINUTE)
    paused = replace(waits, paused_ms=NOW - MINUTE)

    assert said(looked((waits,), backlog_seconds=901)) == []
    assert said(looked((waits,), backlog_seconds=0)) == [], "0: none ever is"
    assert [kind for kind, _, _ in said(looked((paused,), (), (Since("service", 1, 1),), backlog_seconds=900))] == ["paused"]


def test_reports_that_failed_are_told_apart_from_dead_letters() -> None:
    found = said(looked((Backlog(queue="deliveries", dead=5),), (Since("deliveries", 3, NOW),)))

    assert [(kind, text[:9]) for kind, _, text in found] == [("dead_letters", "3 jobs of"), ("reports", "2 reports")]


def test_of_many_queues_the_first_are_told_and_how_many_more_there_are() -> None:
    many = tuple(Since(f"messages/a/{number:03d}", 1, NOW) for number in range(22))

    found = doctor.findings(looked((), many))

    assert len(found) == doctor.MOST + 1
    assert (found[-1].of, found[-1].text) == ("", "There are 2 more of this kind.")
    assert doctor.findings(looked((), many[:21]))[-1].text == "There is one more of this kind."
    assert len(doctor.findings(looked((), many[:20]))) == 20


def test_what_others_may_follow_from_is_told_first() -> None:
    down = ProviderStanding("sms", BreakerState.OPEN, 0, 5, "It answered 503.", NOW, NOW)
    late = Backlog(queue="deliveries", ready=1, oldest_ready_ms=1)

    assert [kind for kind, _, _ in said(looked((late,), providers=(down,), ahead_ms=5000, backlog_seconds=1))] == [
        "clock",
        "provider",
        "backlog",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"), (7_200, "2 hours"), (172_800, "2 days")],
)
def test_a_while_is_told_in_words(seconds: int, words: str) -> None:
    assert lasting(seconds) == words
