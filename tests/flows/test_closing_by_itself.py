"""A store closes by itself when its time is over, whether or not the process ran at that moment, and its report arrives."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, Owner, Screen, confirm, letters, off_loop, open_store, reports
from tests.flows.clock import HOUR_S, WallClock
from tests.support.mail import MailServer
from tests.support.process import ServerProcess
from tests.support.waiting import until_async


@pytest.fixture
def clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path)


def settings(mails: MailServer) -> dict[str, Any]:
    return {**MANY, "store_hours": 1, "smtp_url": mails.url, "smtp_allow_plain": True, "mail_from": "queue@example.org"}


async def reported(owner: Owner, mails: MailServer) -> list[dict[str, str]]:
    """Waits for the end; the rows of the one report."""
    receipt = await owner.purged()
    assert receipt["receipt"]["delivered"] is True
    (mail,) = reports(mails, owner.email)
    return list(csv.DictReader(io.StringIO(mail.attachments()["report.csv"].decode("utf-8-sig"))))


async def evening(owner: Owner, mails: MailServer) -> None:
    await letters(mails, owner.email)
    await confirm(owner, mails)
    for name in ("Ann", "Bo"):
        await owner.walk_in(name)
    await owner.call_next()


async def closed_for(owner: Owner, server: ServerProcess) -> None:
    """It takes nobody any more."""
    answer = await owner.http.post(f"{owner.path}/tickets", json={"name": "Late", "queue": "A"})
    assert answer.status_code in (404, 409), answer.text
    assert "closed by itself" in server.output()


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)  # on SQLite it does below, by a jump of the clock
async def test_it_closes_when_its_time_is_over(server: Serve, database_url: str, smtp_sink: MailServer, clock: WallClock) -> None:
    started = server(database_url=database_url, environment=clock.environment, **settings(smtp_sink))
    async with open_store(started) as owner:
        await evening(owner, smtp_sink)
        # Started again shortly before the end, the process looks at the clock then, and not up to 10 s later.
        await off_loop(started.stop)
        clock.jump(HOUR_S - 25)
        await off_loop(started.start)
        assert (await owner.snapshot())["store"]["state"] == "open"
        async with Screen(started, owner.token, owner.topic) as screen:
            rows = await reported(owner, smtp_sink)

            assert [row["name"] for row in rows] == ["Ann", "Bo"]
            assert await screen.gone() == 4410
            assert [change for change in screen.view.changes if change != "purged"][-3:] == ["closing", "reported", "settled"]
            assert not screen.faults
        await closed_for(owner, started)


async def test_it_closes_at_the_start_when_its_time_was_over_meanwhile(
    server: Serve, database_url: str, smtp_sink: MailServer, clock: WallClock
) -> None:
    started = server(database_url=database_url, environment=clock.environment, **settings(smtp_sink))
    async with open_store(started) as owner:
        await evening(owner, smtp_sink)
        await off_loop(started.kill)
        clock.jump(5 * HOUR_S)
        await off_loop(started.start)

        assert [row["name"] for row in await reported(owner, smtp_sink)] == ["Ann", "Bo"]
        await closed_for(owner, started)


async def test_it_closes_when_the_clock_jumps_past_its_end_and_not_before(server: Serve, smtp_sink: MailServer, clock: WallClock) -> None:
    """A machine that slept, or whose clock was set. Clocks that jump are noticed within half a minute."""
    started = server(environment=clock.environment, **settings(smtp_sink))
    async with open_store(started) as owner, Screen(started, owner.token, owner.topic) as screen:
        await evening(owner, smtp_sink)
        await clock.jump_seen(-3 * HOUR_S, started)
        await owner.walk_in("Earlier than Ann")
        await clock.jump_seen(3 * HOUR_S + HOUR_S // 2, started)
        await owner.walk_in("Half an hour later")
        assert (await owner.snapshot())["store"]["state"] == "open"
        await clock.jump_seen(HOUR_S, started)

        await until_async(lambda: screen.view.store["state"] != "open", 40, "the store to close")
        assert [row["name"] for row in await reported(owner, smtp_sink)] == ["Ann", "Bo", "Earlier than Ann", "Half an hour later"]
        assert await screen.gone() == 4410
        assert len(reports(smtp_sink, owner.email)) == 1


async def test_sign_ins_and_codes_run_out_by_the_wall_clock(server: Serve, smtp_sink: MailServer, clock: WallClock) -> None:
    started = server(environment=clock.environment, **{**settings(smtp_sink), "access_token_minutes": 10, "store_hours": 24})
    async with open_store(started) as owner:
        old = await owner.code()
        await clock.jump_seen(HOUR_S, started)

        assert (await owner.http.get(owner.path)).status_code == 401
        refreshed = await owner.http.post("/v1/token")
        owner.use(refreshed.raise_for_status().json()["access_token"])
        late = await owner.http.post(f"/v1/codes/{old}/scan", json={"key": "k" * 32})
        assert (late.status_code, late.json()["code"]) == (410, "code_expired")
        async with Screen(started, owner.token, owner.topic) as screen:
            # Who looks at the code gets one that can still be used.
            fresh = screen.view.code
            assert fresh is not None
            code = fresh["link"].rpartition("/")[2]
            assert code != old
            assert (await owner.http.post(f"/v1/codes/{code}/scan", json={"key": "k" * 32})).status_code == 200
