"""The harness itself: each real part that tests rely on is there, works, and can be told apart from a broken one."""

from __future__ import annotations

import asyncio
import os
import smtplib
from collections.abc import Callable
from email.message import EmailMessage

import asyncpg
import httpx
import pytest
import redis

from tests.support.mail import MailServer
from tests.support.pages import Pages
from tests.support.sink import Answer, HttpSink
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until


async def test_every_new_database_is_empty_and_its_own(new_database: Callable[[], str]) -> None:
    first = await asyncpg.connect(new_database())
    second = await asyncpg.connect(new_database())
    await first.execute("create table things (id bigint)")

    found = await second.fetchval("select count(*) from pg_tables where tablename = 'things'")

    assert found == 0
    await first.close()
    await second.close()


def test_valkey_can_go_away_and_come_back_on_the_same_port(valkey_server: ValkeyServer) -> None:
    with redis.Redis.from_url(valkey_server.url) as client:
        assert client.ping()

    valkey_server.stop()
    with redis.Redis.from_url(valkey_server.url) as client, pytest.raises(redis.ConnectionError):
        client.ping()
    valkey_server.start()

    with redis.Redis.from_url(valkey_server.url) as client:
        assert client.ping()


def letter() -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "shop@example.com", "ann@example.com", "Grüße"
    message.set_content("Hello\n")
    message.add_attachment(b"a,b", maintype="text", subtype="csv", filename="report.csv")
    return message


def test_the_mail_server_keeps_what_it_was_given(smtp_sink: MailServer) -> None:
    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as client:
        client.send_message(letter())

    (mail,) = smtp_sink.wait_for(1, to="ann@example.com")

    assert (mail.sender, mail.subject, mail.text) == ("shop@example.com", "Grüße", "Hello\n")
    assert mail.attachments() == {"report.csv": b"a,b"}


def test_the_mail_server_refuses_when_told_and_can_be_down(smtp_sink: MailServer) -> None:
    smtp_sink.answers.append("451 try later")
    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as client, pytest.raises(smtplib.SMTPDataError):
        client.send_message(letter())

    smtp_sink.stop()
    with pytest.raises(ConnectionRefusedError):
        smtplib.SMTP("127.0.0.1", smtp_sink.port)
    smtp_sink.start_again()

    with smtplib.SMTP("127.0.0.1", smtp_sink.port) as client:
        client.send_message(letter())
    assert len(smtp_sink.mails) == 1


def test_the_http_sink_keeps_requests_and_answers_as_told(http_sink: HttpSink) -> None:
    http_sink.answers.append(Answer(429, b"", (("retry-after", "7"),)))

    first = httpx.post(http_sink.url + "/hook", json={"a": 1})
    second = httpx.post(http_sink.url + "/hook", json={"a": 1})

    assert (first.status_code, first.headers["retry-after"], second.status_code) == (429, "7", 200)
    assert [request.json() for request in http_sink.wait_for(2)] == [{"a": 1}, {"a": 1}]


async def test_pages_do_not_share_cookies(pages: Pages, http_sink: HttpSink) -> None:
    http_sink.answers += [Answer(200, b"", (("set-cookie", "a=1"),)), Answer(), Answer()]
    phone, screen = await pages.open(360, 740), await pages.open()

    await phone.goto(http_sink.url + "/one")
    await screen.goto(http_sink.url + "/two")

    assert await phone.evaluate("document.cookie") == "a=1"
    assert await screen.evaluate("document.cookie") == ""
    pages.expect("favicon")


@pytest.mark.parametrize("fault", ["throw new Error('boo')", "console.error('boo')"])
async def test_what_a_page_complains_of_is_kept(pages: Pages, fault: str) -> None:
    page = await pages.open()

    await page.goto(f"data:text/html,<script>{fault}</script>")

    assert ["boo" in complaint for complaint in pages.complaints] == [True]
    pages.expect("boo")


async def test_a_test_in_another_loop_goes_on_after_the_browser() -> None:
    assert await asyncio.sleep(0, "goes on") == "goes on"


def test_the_developers_own_settings_do_not_reach_the_tests() -> None:
    assert not [name for name in os.environ if name.startswith("NOWSERVING_") or name in ("PORT", "DATABASE_URL")]


def test_waiting_ends_with_what_was_waited_for() -> None:
    with pytest.raises(AssertionError, match=r"waited 0\.05 s in vain for rain"):
        until(lambda: False, 0.05, "rain")
