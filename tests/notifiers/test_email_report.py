"""The report as mail carries it: whole, compressed where it is large, and never other than it was made."""

from __future__ import annotations

import asyncio
import gzip
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from notifiers import email
from notifiers.email import attachments
from notifiers.email.smtp import EmailNotifier
from realtime.hookspecs import Permanent, Retry, Sent
from tests.notifiers.post import PostServer
from tests.plugins.facts import CLOSED, attachment, outgoing

REPORT = b"queue,number\r\nTable for two,A07\r\n"
CLOSING = email.compose_store_closed(CLOSED)


@pytest.fixture
async def mailer(post: PostServer) -> AsyncIterator[EmailNotifier]:
    made = await asyncio.to_thread(EmailNotifier, f"smtp://127.0.0.1:{post.port}", "queue@example.com", deadline_s=20, allow_plain=True)
    yield made
    await made.close()


async def test_the_report_arrives_byte_for_byte(post: PostServer, mailer: EmailNotifier) -> None:
    content = "\ufeffqueue,name\r\nTisch,Zoë\r\n".encode()
    await mailer.deliver(outgoing(CLOSING, attachment(content)))

    (part,) = post.mails[0].iter_attachments()
    assert (part.get_filename(), part.get_content_type(), part.get_content_charset()) == ("report.csv", "text/csv", "utf-8")
    assert part.get_payload(decode=True) == content


async def test_a_large_report_is_compressed(post: PostServer, mailer: EmailNotifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attachments, "PLAIN_BYTES", 1000)
    content = REPORT * 100

    assert isinstance(await mailer.deliver(outgoing(CLOSING, attachment(content))), Sent)

    (part,) = post.mails[0].iter_attachments()
    packed: Any = part.get_payload(decode=True)
    assert part.get_filename() == "report.csv.gz"
    assert gzip.decompress(packed) == content


async def test_a_small_file_stays_as_it_is_beside_a_large_one(
    post: PostServer, mailer: EmailNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "PLAIN_BYTES", 1000)
    page = attachment(b"<!doctype html>", "report.html", "text/html; charset=utf-8")

    assert isinstance(await mailer.deliver(outgoing(CLOSING, attachment(REPORT * 100), page)), Sent)

    assert [part.get_filename() for part in post.mails[0].iter_attachments()] == ["report.csv.gz", "report.html"]


async def test_a_report_that_no_mail_can_carry_is_told_to_the_owner(
    post: PostServer, mailer: EmailNotifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments, "PLAIN_BYTES", 1000)
    monkeypatch.setattr(attachments, "LARGEST_BYTES", 10_000)

    outcome = await mailer.deliver(outgoing(CLOSING, attachment(random.Random(7).randbytes(20_000))))

    assert outcome == Permanent(attachments.TOO_LARGE)
    assert post.mails == []


@pytest.mark.parametrize("plain_bytes", [1, 1 << 20])
async def test_a_report_that_is_not_what_was_made_is_not_sent(
    post: PostServer, mailer: EmailNotifier, monkeypatch: pytest.MonkeyPatch, plain_bytes: int
) -> None:
    monkeypatch.setattr(attachments, "PLAIN_BYTES", plain_bytes)
    whole, cut = attachment(REPORT), attachment(REPORT[:-1])
    damaged = type(whole)(name="report.csv", media_type="text/csv", bytes=whole.bytes, sha256=whole.sha256, chunks=cut.chunks)

    assert isinstance(await mailer.deliver(outgoing(CLOSING, damaged)), Retry)
    assert post.mails == []


async def test_a_report_without_files_is_not_sent(post: PostServer, mailer: EmailNotifier) -> None:
    assert isinstance(await mailer.deliver(outgoing(CLOSING)), Permanent)
