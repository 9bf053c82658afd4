"""What a delivery report says, and that no mail, however made up, does more than say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime import delivery_report

POSTFIX = """\
From MAILER-DAEMON  Fri Nov 27 04:00:00 2026
Return-Path: <>
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: queue@example.com
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="B/mx"

This is a MIME-encapsulated message.

--B/mx
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--B/mx
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Sender: rfc822; queue@example.com
Arrival-Date: Fri, 27 Nov 2026 04:00:00 +0000

{block}
--B/mx
Content-Description: Undelivered Message
Content-Type: {original}

Subject: A07, it's your turn
From: queue@example.com
To: Ann@example.org
Message-ID: <shop-12-0.abc@example.com>

It's your turn.

--B/mx--
"""
FAILED = """\
Final-Recipient: rfc822; ann@mailbox.example
Original-Recipient: rfc822;ann@example.org
Action: {action}
Status: {status}
Diagnostic-Code: smtp; 550 5.1.1 <ann@mailbox.example>: Recipient address rejected:
    User unknown
"""


def report(action: str = "failed", status: str = "5.1.1", original: str = "message/rfc822", block: str = FAILED) -> bytes:
    return POSTFIX.format(block=block.format(action=action, status=status), original=original).encode()


@pytest.mark.parametrize("original", ["message/rfc822", "text/rfc822-headers"])
def test_a_report_of_a_mail_server_is_read(original: str) -> None:
    found = delivery_report.read(report(original=original))

    assert found is not None
    assert (found.event, found.permanent) == ("bounced", True)
    assert found.reason == "5.1.1 smtp; 550 5.1.1 <ann@mailbox.example>: Recipient address rejected: User unknown"
    assert found.message_id == "<shop-12-0.abc@example.com>"
    assert found.recipients == ("Ann@example.org", "ann@example.org", "ann@mailbox.example")


def test_line_ends_do_not_matter() -> None:
    assert delivery_report.read(report().replace(b"\n", b"\r\n")) == delivery_report.read(report())


@pytest.mark.parametrize(
    ("action", "status", "told"),
    [
        ("failed", "5.2.1", ("bounced", True)),
        ("Failed", "4.4.7", ("bounced", False)),
        ("failed", "", ("bounced", False)),
        ("delivered", "2.0.0", ("delivered", False)),
    ],
)
def test_only_a_status_of_class_5_is_for_good(action: str, status: str, told: tuple[str, bool]) -> None:
    found = delivery_report.read(report(action, status))

    assert found is not None
    assert (found.event, found.permanent) == told


@pytest.mark.parametrize("action", ["delayed", "relayed", "expanded", "", "exploded"])
def test_what_is_not_final_tells_nothing(action: str) -> None:
    assert delivery_report.read(report(action)) is None


@pytest.mark.parametrize(
    "mail",
    [
        b"",
        b"\0" * 1000,
        b"From: ann@example.org\n\nOut of the office until Monday.\n",
        report().replace(b"multipart/report", b"multipart/mixed"),
        report().replace(b"message/delivery-status", b"text/plain"),
        report(block=""),
        report()[:500],
        b"Content-Type: multipart/report; boundary=b\n\n" + b"--b\nContent-Type: multipart/report; boundary=b\n\n" * 3000,
        b"Content-Type: message/rfc822\n\n" * 3000,
        b"Content-Type: multipart/report; boundary=" + b"x" * 100_000,
        b"Content-Type: multipart/report; boundary*0=\xff; boundary*9999999999999999999=b\n\n--b",
    ],
    ids=range(11),
)
def test_what_is_no_report_tells_nothing(mail: bytes) -> None:
    assert delivery_report.read(mail) is None


def test_a_report_without_the_mail_says_so_by_an_empty_message_id() -> None:
    found = delivery_report.read(report(original="text/html"))

    assert found is not None
    assert (found.message_id, found.recipients) == ("", ("ann@example.org", "ann@mailbox.example"))


@given(st.data())
def test_whatever_is_done_to_a_report_reading_it_raises_nothing(data: st.DataObject) -> None:
    mail = bytearray(report())
    for _ in range(data.draw(st.integers(0, 6))):
        at = data.draw(st.integers(0, len(mail)))
        mail[at : at + data.draw(st.integers(0, 30))] = data.draw(st.binary(max_size=30))

    found = delivery_report.read(bytes(mail))

    assert found is None or (found.event in ("bounced", "delivered") and len(found.reason) <= 2 * delivery_report.LONGEST + 1)
