"""Whole rehearsals against real servers: one that agrees, and views that were tampered with, which must be named."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from realtime.rehearse.evening import plan
from realtime.rehearse.rehearsal import Rehearsal
from realtime.rehearse.view import View
from tests.conftest import Serve
from tests.support.process import ROOT, clean_environment
from tests.support.waiting import until

MANY: dict[str, Any] = {"joins_per_minute": 100_000, "max_sockets_per_address": 2000}


def rehearse(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "realtime", "rehearse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment(), cwd=ROOT, timeout=50)


def test_an_evening_on_a_server_of_its_own_agrees() -> None:
    done = rehearse("--customers", "25", "--minutes", "5", "--speed", "60", "--seed", "2")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "25 of 25 joined" in done.stdout
    assert "views with the database" in done.stdout
    assert done.stdout.endswith("Everything agreed.\n")


def test_an_evening_on_a_server_that_runs_already_agrees_and_is_deleted(server: Serve, tmp_path: Path) -> None:
    running = server(**MANY)

    done = rehearse("--customers", "12", "--minutes", "3", "--speed", "60", "--url", running.url)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "views with the server" in done.stdout
    with closing(sqlite3.connect(tmp_path / "nowserving.db")) as database:
        assert database.execute("select state from stores").fetchall() == [("purged",)]
        assert database.execute("select count(*) from tickets").fetchone() == (0,)


def test_stopped_in_the_middle_it_leaves_no_data_behind(server: Serve, tmp_path: Path) -> None:
    running = server(**MANY)
    command = [sys.executable, "-m", "realtime", "rehearse", "--customers", "50", "--minutes", "60", "--speed", "60", "--url", running.url]
    process = subprocess.Popen(command, env=clean_environment(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with closing(sqlite3.connect(tmp_path / "nowserving.db")) as database:
        until(lambda: database.execute("select count(*) from tickets").fetchone()[0], 30, "somebody to join")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)

        assert process.returncode == 130
        assert said == b""
        assert database.execute("select state from stores").fetchall() == [("purged",)]


def test_a_server_that_is_not_there_ends_it_with_2() -> None:
    done = rehearse("--url", "http://127.0.0.1:9")

    assert done.returncode == 2
    assert "could not be played" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("wrong", ["ftp://example.org", "example.org", "http://", "http://example.org/path", "http://a:99999"])
def test_an_address_that_is_none_ends_it_with_2(wrong: str) -> None:
    done = rehearse("--url", wrong)

    assert done.returncode == 2
    assert "--url" in done.stderr


# ---- tampered with ------------------------------------------------------------------------------------------------


def another_desk(view: View) -> str:
    ticket = max(view.tickets.values(), key=lambda one: bool(one["desk"]))  # on a slow machine nobody may have been called yet
    view.tickets[ticket["id"]] = {**ticket, "desk": "Desk 99"}
    return f"{ticket['label']}, desk: shows 'Desk 99'"


def one_more_waits(view: View) -> str:
    ticket = next(iter(view.tickets.values()))
    view.tickets[10_000] = {**ticket, "id": 10_000, "label": "A99", "state": "waiting"}
    return "shows A99 as waiting"


def an_event_behind(view: View) -> str:
    view.seq -= 1
    return f"stands at event {view.seq}"


def the_line_is_paused(view: View) -> str:
    view.queues["A"] = {**view.queues["A"], "paused": True}
    return "queue A, paused: shows True"


@pytest.mark.parametrize("with_database", [True, False], ids=["database", "server"])
async def test_a_view_that_is_not_true_is_named(server: Serve, tmp_path: Path, with_database: bool) -> None:
    running = server(**MANY)
    named: dict[str, list[str]] = {}
    expected: dict[str, str] = {}

    async with Rehearsal(plan(6, 1, 5), 60, running.url, tmp_path / "nowserving.db" if with_database else None) as rehearsal:
        await rehearsal.play()
        await rehearsal.settle()
        true = rehearsal.shop.board.views
        (topic,) = true
        for tamper in (another_desk, one_more_waits, an_event_behind, the_line_is_paused):
            view = copy(true[topic])
            view.tickets, view.queues = dict(view.tickets), dict(view.queues)
            expected[tamper.__name__] = tamper(view)
            rehearsal.shop.board.views = {topic: view}
            await rehearsal.check()
            named[tamper.__name__] = rehearsal.record.differences[:]
            rehearsal.record.differences.clear()
        rehearsal.shop.board.views = true
        await rehearsal.check()
        await rehearsal.close()

    assert rehearsal.record.differences == [], "nothing is wrong once the view is as it was"
    for name, differences in named.items():
        assert [difference for difference in differences if not difference.startswith("the board: ")] == []
        assert any(expected[name] in difference for difference in differences), f"{name}: {differences}"


async def test_a_phone_that_was_closed_earlier_is_compared_with_what_was_true_then(server: Serve, tmp_path: Path) -> None:
    running = server(**MANY)

    async with Rehearsal(plan(15, 2, 5), 40, running.url, tmp_path / "nowserving.db") as rehearsal:
        await rehearsal.play()
        await rehearsal.settle()
        phone = next(phone for phone in rehearsal.phones if phone.gone)
        assert phone.own is not None
        phone.own.own = {**phone.own.own, "state": "waiting"}
        await rehearsal.check()
        await rehearsal.close()

    assert [difference.partition(" has ")[0] for difference in rehearsal.record.differences] == [
        f"the phone of {phone.label}, closed earlier: its own ticket, state: shows 'waiting', the database"
    ]


async def test_a_party_called_to_two_desks_at_once_is_named(server: Serve, tmp_path: Path) -> None:
    running = server(**MANY)

    async with Rehearsal(plan(6, 1, 5), 60, running.url, tmp_path / "nowserving.db") as rehearsal:
        await rehearsal.play()
        rehearsal.record.called.pop()
        await rehearsal.settle()
        await rehearsal.check()
        await rehearsal.close()

    called = len(rehearsal.record.called)
    assert rehearsal.record.differences == [f"The desks were given {called} parties, but {called + 1} were called"]
