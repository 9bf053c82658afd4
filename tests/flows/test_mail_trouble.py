"""The report finds its way: a mail server that is down for a day, one that refuses, an owner who corrects the address. Data stays until then."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Serve
from tests.flows.client import MANY, PASSWORD, PATIENCE_S, Owner, confirm, letters, link, off_loop, open_store, reports, select
from tests.flows.clock import HOUR_S, WallClock
from tests.support.mail import MailServer
from tests.support.waiting import until_async

PERSONAL = "Annabel Canary"


def settings(mails: MailServer, database_url: str) -> dict[str, Any]:
    return {
        **MANY,
        "database_url": database_url,
        "smtp_url": mails.url,
        "smtp_allow_plain": True,
        "mail_from": "queue@example.org",
        "retry_first_seconds": 0.1,
        "retry_most_seconds": 1,
        # A process that is killed while it carries a mail leaves it leased.
        "smtp_deadline_seconds": 9,
        "notifier_deadline_seconds": 9,
        "job_lease_seconds": 10,
    }


async def attempts(owner: Owner) -> int:
    (delivery,) = (await owner.closing())["deliveries"]
    count: int = delivery["attempts"]
    return count


async def kept(owner: Owner, database_url: str) -> None:
    """Nothing is deleted, and the owner can still have the report by hand."""
    assert await select(database_url, f"select name from tickets where store_id = '{owner.store_id}'") == [(PERSONAL,)]
    report = await owner.http.get(f"{owner.path}/report")
    assert PERSONAL in report.raise_for_status().text


async def arrived(owner: Owner, mails: MailServer, database_url: str, to: str = "") -> None:
    """One report, then the deletion and one receipt."""
    receipt = await owner.purged()
    assert receipt["receipt"]["delivered"] is True
    (mail,) = reports(mails, to or owner.email)
    (row,) = csv.DictReader(io.StringIO(mail.attachments()["report.csv"].decode("utf-8-sig")))
    assert row["name"] == PERSONAL
    assert await select(database_url, "select * from tickets") == []
    assert len((await owner.http.get("/v1/receipts")).json()) == 1


@pytest.mark.parametrize(("database_url", "half_days"), [("sqlite", 1), ("postgres", 2)], indirect=["database_url"])
async def test_a_mail_server_that_is_down_for_a_day_loses_nothing(
    server: Serve, database_url: str, smtp_sink: MailServer, tmp_path: Path, half_days: int
) -> None:
    clock = WallClock(tmp_path)
    started = server(environment=clock.environment, **settings(smtp_sink, database_url))
    async with open_store(started) as owner:
        await letters(smtp_sink, owner.email)
        await confirm(owner, smtp_sink)
        await owner.walk_in(PERSONAL)
        await off_loop(smtp_sink.stop)
        await owner.close_store()

        for _ in range(half_days):
            await until_async(lambda: _reported(owner), PATIENCE_S, "the report")
            before = await attempts(owner)
            await until_async(lambda: _more(owner, before), PATIENCE_S, "another attempt")  # noqa: B023 - waited for here
            await clock.jump_seen(12 * HOUR_S, started)
            await owner.sign_in()
            await kept(owner, database_url)
        # Also not forgotten by a process that starts anew.
        await off_loop(started.kill)
        await off_loop(started.start)
        view = await owner.closing()
        assert (view["state"], view["waits_for"]) == ("reported", "delivery")
        assert not reports(smtp_sink, owner.email)
        await off_loop(smtp_sink.start_again)

        await arrived(owner, smtp_sink, database_url)


async def _reported(owner: Owner) -> bool:
    return bool((await owner.closing())["state"] == "reported")


async def _more(owner: Owner, than: int) -> bool:
    return await attempts(owner) > than


async def _waits_for(owner: Owner, what: str) -> bool:
    return bool((await owner.closing())["waits_for"] == what)


async def test_a_refused_report_waits_for_a_decision_and_can_be_sent_again(server: Serve, database_url: str, smtp_sink: MailServer) -> None:
    started = server(**settings(smtp_sink, database_url))
    async with open_store(started) as owner:
        await letters(smtp_sink, owner.email)
        await confirm(owner, smtp_sink)
        await owner.walk_in(PERSONAL)
        smtp_sink.answers.append("550 5.1.1 no such user")
        await owner.close_store()

        await until_async(lambda: _waits_for(owner, "decision"), PATIENCE_S, "the refusal")
        (delivery,) = (await owner.closing())["deliveries"]
        assert delivery["state"] == "dead"
        assert "550" in delivery["outcome"]
        await kept(owner, database_url)
        # A restart does not decide for the owner.
        await off_loop(started.stop)
        await off_loop(started.start)
        assert await _waits_for(owner, "decision")
        assert not reports(smtp_sink, owner.email)

        (await owner.http.post(f"{owner.path}/report/resend")).raise_for_status()

        await arrived(owner, smtp_sink, database_url)


async def test_an_owner_who_mistyped_the_address_corrects_it_and_gets_the_report(
    server: Serve, database_url: str, smtp_sink: MailServer
) -> None:
    started = server(**settings(smtp_sink, database_url))
    async with open_store(started, email="lugii@example.com") as owner:
        await owner.walk_in(PERSONAL)
        await owner.close_store()
        await until_async(lambda: _waits_for(owner, "confirmation"), PATIENCE_S, "the report")
        (delivery,) = (await owner.closing())["deliveries"]
        assert (delivery["state"], delivery["attempts"]) == ("held", 0)
        await kept(owner, database_url)
        (await owner.http.post(f"{owner.path}/report/resend")).raise_for_status()
        assert not reports(smtp_sink, "lugii@example.com"), "nobody has proved that this address is theirs"

        (await owner.http.put("/v1/email", json={"password": PASSWORD, "email": "luigi@example.com"})).raise_for_status()
        (mail,) = await letters(smtp_sink, "luigi@example.com")
        await kept(owner, database_url)
        (await owner.http.post("/v1/email/confirm", json={"token": link(mail).partition("#")[2]})).raise_for_status()

        await arrived(owner, smtp_sink, database_url, to="luigi@example.com")
        assert not reports(smtp_sink, "lugii@example.com")


async def test_a_refused_report_goes_to_another_address_once_the_owner_has_changed_it(
    server: Serve, database_url: str, smtp_sink: MailServer
) -> None:
    started = server(**settings(smtp_sink, database_url))
    async with open_store(started) as owner:
        await letters(smtp_sink, owner.email)
        await confirm(owner, smtp_sink)
        await owner.walk_in(PERSONAL)
        smtp_sink.answers.append("550 5.1.1 mailbox gone")
        await owner.close_store()
        await until_async(lambda: _waits_for(owner, "decision"), PATIENCE_S, "the refusal")

        (await owner.http.put("/v1/email", json={"password": PASSWORD, "email": "new@example.com"})).raise_for_status()
        (mail,) = await letters(smtp_sink, "new@example.com")
        (await owner.http.post("/v1/email/confirm", json={"token": link(mail).partition("#")[2]})).raise_for_status()
        if await _waits_for(owner, "decision"):
            (await owner.http.post(f"{owner.path}/report/resend")).raise_for_status()

        await arrived(owner, smtp_sink, database_url, to="new@example.com")


async def test_an_owner_may_decide_to_delete_without_a_delivery(server: Serve, database_url: str, smtp_sink: MailServer) -> None:
    started = server(**settings(smtp_sink, database_url))
    async with open_store(started) as owner:
        await letters(smtp_sink, owner.email)
        await confirm(owner, smtp_sink)
        await owner.walk_in(PERSONAL)
        smtp_sink.answers.append("554 no")
        await owner.close_store()
        await until_async(lambda: _waits_for(owner, "decision"), PATIENCE_S, "the refusal")

        (await owner.http.post(f"{owner.path}/delete")).raise_for_status()

        receipt = await owner.purged()
        assert receipt["receipt"]["delivered"] is False
        assert receipt["receipt"]["tickets"] == 1
        assert await select(database_url, "select * from tickets") == []
        assert not reports(smtp_sink, owner.email)
