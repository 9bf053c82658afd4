"""Two processes on one Postgres database are one place: what is done at one is on the screens of the other, also after their broker broke."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import psutil
import pytest
import pytest_asyncio
import redis

from tests.conftest import Serve
from tests.flows.client import (
    MANY,
    PATIENCE_S,
    Owner,
    Screen,
    confirm,
    join,
    live_ticket,
    off_loop,
    open_store,
    reports,
    visitor,
)
from tests.flows.crowd import Crowd
from tests.support.mail import MailServer
from tests.support.postgres import PostgresServer
from tests.support.process import ServerProcess
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until_async

HEARD_S = 20.0
"""A wake-up takes milliseconds. What is heard only when a quiet connection is looked after, every 30 s, was not heard."""


class Two:
    """Two processes, and the owner's screen at each."""

    def __init__(self, first: ServerProcess, second: ServerProcess, owner: Owner, there: Owner, database_url: str) -> None:
        self.first = first
        self.second = second
        self.owner = owner
        self.there = there
        """The same owner, at the second process."""
        self.database_url = database_url
        self.at_first = Screen(first, owner.token, owner.topic)
        self.at_second = Screen(second, owner.token, owner.topic)

    async def walk_in(self, at: ServerProcess, name: str) -> int:
        async with visitor(at, Authorization=f"Bearer {self.owner.token}") as http:
            answer = await http.post(f"{self.owner.path}/tickets", json={"name": name, "queue": "A"})
            ticket: int = answer.raise_for_status().json()["ticket"]["id"]
            return ticket

    async def hears(self, screen: Screen, ticket: int) -> None:
        await until_async(lambda: ticket in screen.view.tickets, HEARD_S, f"the other process to hear of {ticket}")

    async def hear_each_other(self, name: str) -> None:
        one, other = await self.walk_in(self.first, f"{name} 1"), await self.walk_in(self.second, f"{name} 2")
        for screen in (self.at_first, self.at_second):
            await self.hears(screen, one)
            await self.hears(screen, other)


@pytest_asyncio.fixture(params=["listen", "valkey"])
async def two(
    request: pytest.FixtureRequest, server: Serve, new_database: Callable[[], str], valkey_server: ValkeyServer, smtp_sink: MailServer
) -> AsyncIterator[Two]:
    settings: dict[str, Any] = {
        **MANY,
        "database_url": new_database(),
        "smtp_url": smtp_sink.url,
        "smtp_allow_plain": True,
        "mail_from": "queue@example.org",
        # What a process carries when it is killed stays leased.
        "smtp_deadline_seconds": 3,
        "notifier_deadline_seconds": 3,
        "job_lease_seconds": 5,
        "redis_url": valkey_server.url if request.param == "valkey" else "",
    }
    first = await off_loop(lambda: server(**settings))
    second = await off_loop(lambda: server(**settings))
    async with open_store(first) as owner, visitor(second) as http:
        there = Owner(second, http, owner.store_id, owner.email, owner.token)
        two = Two(first, second, owner, there, settings["database_url"])
        async with two.at_first, two.at_second:
            yield two


async def test_a_change_at_one_reaches_the_screens_at_the_other_in_order(two: Two) -> None:
    topic = f"store/{two.owner.store_id}/board"
    board = await two.owner.board_token()
    async with Screen(two.first, board, topic) as left, Screen(two.second, board, topic) as right:
        crowds = [Crowd(two.owner, random.Random(1), "Left"), Crowd(two.there, random.Random(2), "Right")]
        for crowd in crowds:
            crowd.start(customers=2, staff=1)
        await asyncio.gather(*(crowd.serve(40) for crowd in crowds))
        for crowd in crowds:
            await crowd.stop()
            assert not crowd.unexpected
        await two.hear_each_other("Last")

        for screen in (two.at_first, two.at_second, left, right):
            await screen.check()


async def test_a_party_whose_only_socket_is_at_the_other_process_hears_its_call(two: Two) -> None:
    async with visitor(two.first) as phone:
        ticket = await join(two.owner, phone, "Ann")
    live = await live_ticket(two.owner, ticket)
    await two.at_second.lock()
    async with Screen(two.second, live["live_token"], live["topics"][1]) as party:
        assert party.view.own["state"] == "waiting"

        await two.owner.call_next(desk="Bar")

        await until_async(lambda: party.view.own["state"] == "called", HEARD_S, "the party to hear its call")
        assert party.view.own["desk"] == "Bar"


async def test_a_screen_that_comes_while_the_other_process_is_busy_misses_nothing(two: Two) -> None:
    """The first screen of a process reads its whole state while another process commits and announces."""
    over = asyncio.Event()

    async def busy(name: str) -> None:
        while not over.is_set():
            await two.walk_in(two.first, name)

    await two.at_second.lock()
    work = [asyncio.create_task(busy(f"Worker {number}")) for number in range(2)]
    for _ in range(12):
        # Nobody listens at the second process in between, so each time it begins anew.
        async with Screen(two.second, two.owner.token, two.owner.topic) as screen:
            seq = screen.view.seq
            await screen.reached(seq + 1)
            assert not screen.faults
    over.set()
    await asyncio.gather(*work)


async def test_the_very_next_change_after_the_first_look_is_heard(two: Two) -> None:
    """One commit at the other process, just while the whole state is read, and none after it."""
    await two.at_second.lock()
    for number in range(30):
        screen = Screen(two.second, two.owner.token, two.owner.topic)
        coming = asyncio.create_task(screen.connect())
        for _ in range(number):
            await asyncio.sleep(0)
        ticket = await two.walk_in(two.first, f"Party {number}")
        await coming
        await two.hears(screen, ticket)
        assert not screen.faults
        await screen.lock()


async def test_after_the_broker_was_gone_both_come_to_the_same(
    two: Two, request: pytest.FixtureRequest, postgres_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    await two.hear_each_other("Before")

    if request.node.callspec.params["two"] == "valkey":
        await off_loop(valkey_server.stop)
        missed = [await two.walk_in(two.first, "Missed 1"), await two.walk_in(two.second, "Missed 2")]
        await off_loop(valkey_server.start)
    else:
        await off_loop(cut, postgres_server, two, "like 'LISTEN%' or query like '%pg_notify%'")
        missed = [await two.walk_in(two.first, "Missed 1"), await two.walk_in(two.second, "Missed 2")]

    for screen in (two.at_first, two.at_second):
        for ticket in missed:
            await until_async(lambda: ticket in screen.view.tickets, 25, f"ticket {ticket} to be heard of after all")  # noqa: B023 - waited for here
    await two.hear_each_other("After")
    for screen in (two.at_first, two.at_second):
        await screen.check()


async def test_a_change_whose_announcement_was_lost_with_one_process_connection_is_heard(
    two: Two, request: pytest.FixtureRequest, postgres_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    """Only the connection of the process that announces breaks; the other one has no reason to look."""
    await two.hear_each_other("Before")

    if request.node.callspec.params["two"] == "valkey":
        await off_loop(cut_one_of_valkey, valkey_server, two.first.pid, "publish")
    else:
        await off_loop(cut_one_of_postgres, postgres_server, two.first.pid)
    ticket = await two.walk_in(two.first, "Announced to nobody")

    await two.hears(two.at_second, ticket)
    await two.hear_each_other("After")


async def test_a_process_notices_by_itself_that_it_hears_nothing_any_more(
    two: Two, request: pytest.FixtureRequest, postgres_server: PostgresServer, valkey_server: ValkeyServer
) -> None:
    """Only the connection of the process that listens breaks, and it has nothing to announce itself."""
    await two.hear_each_other("Before")

    if request.node.callspec.params["two"] == "valkey":
        await off_loop(cut_one_of_valkey, valkey_server, two.second.pid, "subscribe")
    else:
        await off_loop(cut_one_of_postgres, postgres_server, two.second.pid)
    ticket = await two.walk_in(two.first, "Not heard of")

    await two.hears(two.at_second, ticket)
    await two.hear_each_other("After")


def cut(postgres: PostgresServer, two: Two, which: str) -> None:
    """End the connections on which the processes listen, and no others."""
    name = two.database_url.rpartition("/")[2]
    found = postgres.sql(
        f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and (query {which} or query = 'select 1')"
    )
    assert found.count("t") >= 2, postgres.sql(f"select pid, query from pg_stat_activity where datname = '{name}'")


def cut_one_of_postgres(postgres: PostgresServer, pid: int) -> None:
    mine = {one.laddr.port for one in psutil.Process(pid).net_connections(kind="tcp") if one.laddr}
    rows = postgres.sql("select pid, client_port from pg_stat_activity where query like 'LISTEN%' or query like '%pg_notify%'").splitlines()
    (backend,) = [backend for backend, port in (row.split("|") for row in rows) if int(port) in mine]
    assert postgres.sql(f"select pg_terminate_backend({backend})") == "t"


def cut_one_of_valkey(valkey: ValkeyServer, pid: int, command: str) -> None:
    """End the connection on which a process publishes, or the one on which it subscribes."""
    mine = {one.laddr.port for one in psutil.Process(pid).net_connections(kind="tcp") if one.laddr}
    with redis.Redis.from_url(valkey.url) as client:
        for connection in client.client_list():
            port = int(connection["addr"].rpartition(":")[2])
            if port in mine and (command == "subscribe") == (connection["sub"] != "0"):
                client.client_kill(connection["addr"])
                return
    raise AssertionError(f"no connection of {pid} is there to {command}")


async def test_a_store_closed_at_one_is_reported_once_and_ends_on_every_screen(two: Two, smtp_sink: MailServer) -> None:
    await confirm(two.owner, smtp_sink)
    await two.walk_in(two.second, "Ann")

    await two.owner.close_store()
    receipt = await two.owner.purged()

    assert receipt["receipt"]["tickets"] == 1
    assert receipt["receipt"]["delivered"] is True
    (mail,) = reports(smtp_sink, two.owner.email)
    assert b"Ann" in mail.attachments()["report.csv"]
    assert len((await two.owner.http.get("/v1/receipts")).json()) == 1
    for screen in (two.at_first, two.at_second):
        assert await until_async(lambda: screen.close_codes, HEARD_S, "the screen to be told that the data is gone") == [4410]  # noqa: B023 - waited for here
        assert not screen.faults


@pytest.mark.parametrize("two", ["listen"], indirect=True)
async def test_two_closings_at_once_are_one(two: Two, smtp_sink: MailServer) -> None:
    await confirm(two.owner, smtp_sink)

    answers = await asyncio.gather(two.owner.http.delete(two.owner.path), two.there.http.delete(two.owner.path))

    assert sorted(answer.status_code for answer in answers) == [202, 409]
    await two.owner.purged()
    assert len(reports(smtp_sink, two.owner.email)) == 1
    assert len((await two.there.http.get("/v1/receipts")).json()) == 1


@pytest.mark.parametrize("two", ["listen"], indirect=True)
async def test_when_one_of_two_is_killed_the_other_finishes_its_closing(two: Two, smtp_sink: MailServer) -> None:
    """The mail's lease belongs to the dead process and ends; nobody starts anything again."""
    await confirm(two.owner, smtp_sink)
    await two.walk_in(two.second, "Ann")

    await two.owner.close_store()
    await off_loop(two.first.kill)

    async def purged() -> bool:
        return bool((await two.there.closing())["state"] == "purged")

    # The other process looks for unfinished closings every 10 s.
    await until_async(purged, 45, "the other process to finish")
    (report,) = {mail.message["Message-ID"] for mail in reports(smtp_sink, two.owner.email)}
    assert report


# ---- one command, several processes -------------------------------------------------------------------------------


def workers_with_sockets(supervisor: int, port: int) -> dict[int, int]:
    """Worker -> connections it holds."""
    found = {}
    for child in psutil.Process(supervisor).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            held = [
                one
                for one in child.net_connections(kind="tcp")
                if one.laddr and one.laddr.port == port and one.status == psutil.CONN_ESTABLISHED
            ]
            if held:
                found[child.pid] = len(held)
    return found


async def test_two_workers_behind_one_port_serve_as_one_and_end_together(server: Serve, new_database: Callable[[], str]) -> None:
    started = server(database_url=new_database(), web_concurrency=2, **MANY)
    await until_async(lambda: len(re.findall("nowserving is at", started.output())) == 2, PATIENCE_S, "both workers")
    async with open_store(started) as owner:
        screens: list[Screen] = []
        while len(workers_with_sockets(started.pid, started.port)) < 2 or len(screens) < 6:
            assert len(screens) < 200, "one worker takes every connection"
            screens.append(await Screen(started, owner.token, owner.topic).connect())

        for number in range(10):
            async with visitor(started, Authorization=f"Bearer {owner.token}") as http:
                (await http.post(f"{owner.path}/tickets", json={"name": f"Party {number}", "queue": "A"})).raise_for_status()
        seq = max(screen.view.seq for screen in screens)
        for screen in screens:
            await screen.reached(seq)
        for screen in screens[:6]:
            await screen.check()
        workers = workers_with_sockets(started.pid, started.port)

        assert await off_loop(started.stop) == 0, started.output()
        for screen in screens:
            assert await screen.gone() == 1012
            assert not screen.faults
        assert not any(psutil.pid_exists(pid) for pid in workers)


async def test_a_worker_that_is_killed_is_replaced_and_its_screens_come_back(server: Serve, new_database: Callable[[], str]) -> None:
    started = server(database_url=new_database(), web_concurrency=2, **MANY)
    await until_async(lambda: len(re.findall("nowserving is at", started.output())) == 2, PATIENCE_S, "both workers")
    async with open_store(started) as owner:
        screens = [await Screen(started, owner.token, owner.topic).connect() for _ in range(10)]
        victim = next(iter(workers_with_sockets(started.pid, started.port)))
        os.kill(victim, 9)
        await until_async(lambda: any(not screen.connected for screen in screens), PATIENCE_S, "its screens to notice")
        async with visitor(started, Authorization=f"Bearer {owner.token}") as http:
            (await http.post(f"{owner.path}/tickets", json={"name": "Ann", "queue": "A"})).raise_for_status()
        for screen in screens:
            if not screen.connected:
                await screen.come_back()
        for screen in screens:
            await until_async(lambda: len(screen.view.tickets) == 1, HEARD_S, "Ann")  # noqa: B023 - waited for here
            await screen.check()
            await screen.lock()
        await until_async(lambda: len(re.findall("nowserving is at", started.output())) == 3, PATIENCE_S, "another worker")
