"""Every built-in notifier keeps the contract that `realtime.testing` offers to those of others."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

import msgspec
import pytest

from notifiers.email.smtp import EmailNotifier
from notifiers.log import LogNotifier
from notifiers.sms.gateway import SmsNotifier
from notifiers.web_push.push import WebPushNotifier
from notifiers.webhook import WebhookNotifier
from realtime.hookspecs import Notifier, OutgoingDelivery, Permanent, Retry
from realtime.model import Delivery, Endpoint
from realtime.testing import Case, HttpRig, Rig, SinkRequest, cases, http_cases
from tests.notifiers.post import PostServer
from tests.support.subscriber import Subscriber
from tests.support.waiting import until

# Apprise imports a module that Python 3.13 no longer has, and brings its own where it is missing.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")


class SmsRig(HttpRig):
    left_out = {
        "heeds Retry-After in seconds": "Apprise tells the status only",
        "heeds Retry-After as a date": "Apprise tells the status only",
        "reads only so much of an answer": "Apprise reads whole answers; whose they are, the operator chose",
    }

    def at(self, url: str, deadline_s: float) -> Notifier:
        address = url.removeprefix("http://")
        return SmsNotifier(f"json://{address}/{{to}}?rto={deadline_s}&cto={deadline_s}", deadline_s)

    def delivery(self, number: int) -> Delivery:
        return Delivery("sms", "+4915112345678", "message", {"text": f"Number {number} please."})

    def mark(self, request: SinkRequest) -> str:
        return str(request.json()["message"])


class WebhookRig(HttpRig):
    # A receiver that says no today may be mended tomorrow: only 410 ends it.
    faults = {**HttpRig.faults, **{f"status {status}": (Retry,) for status in (400, 401, 403, 404, 413)}}

    def at(self, url: str, deadline_s: float) -> Notifier:
        self.endpoint = Endpoint(url, ("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",))
        return WebhookNotifier(("127.0.0.0/8",), deadline_s)

    def delivery(self, number: int) -> Delivery:
        return Delivery("webhook", "0d6c1f4be2a90c11", "ticket.called", {"payload": f'{{"number":{number}}}'})

    def parcel(self, delivery: OutgoingDelivery) -> OutgoingDelivery:
        return msgspec.structs.replace(delivery, endpoint=self.endpoint)

    def mark(self, request: SinkRequest) -> str:
        return request.headers["webhook-id"]


class PushRig(HttpRig):
    def at(self, url: str, deadline_s: float) -> Notifier:
        self.browser = Subscriber(url)
        notifier = WebPushNotifier("mailto:queue@example.com", ("127.0.0.0/8",), deadline_s)
        notifier.use_secret(b"s" * 32)
        return notifier

    def delivery(self, number: int) -> Delivery:
        body: dict[str, str | int | bool] = {"store": "Luigi's", "label": f"A{number}", "desk": "Desk 2", "ahead": 0}
        return Delivery("web_push", self.browser.id, "called", body)

    def parcel(self, delivery: OutgoingDelivery) -> OutgoingDelivery:
        return msgspec.structs.replace(delivery, subscription=self.browser.row())

    def mark(self, request: SinkRequest) -> str:
        return str(self.browser.read(request)["id"])

    def words(self, request: SinkRequest) -> str:
        return str(self.browser.read(request))


class EmailRig(Rig):
    replies = {
        "451 greylisted": ("RCPT", "451 4.7.1 try again later"),
        "452 no space": ("MAIL", "452 4.3.1 no space"),
        "550 no such user": ("RCPT", "550 5.1.1 no such user"),
        "552 too big": ("DATA", "552 5.3.4 too big"),
        "554 spam": ("DATA", "554 5.7.1 spam"),
        "421 going down": ("MAIL", "421 4.3.2 going down"),
        "530 sign in": ("MAIL", "530 5.7.0 sign in first"),
        "dropped before the content": ("RCPT", "drop"),
        "dropped after the content": ("DATA", "drop"),
        "hang": ("DATA", "hang"),
    }
    faults = {name: (Permanent if name[:2] == "55" else Retry,) for name in replies}

    def __enter__(self) -> Self:
        self.server = PostServer().__enter__()
        self.fault: tuple[str, str] | None = None
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.server.__exit__(kind, error, trace)

    def make(self, deadline_s: float) -> Notifier:
        return EmailNotifier(f"smtp://127.0.0.1:{self.server.port}", "queue@example.com", deadline_s=deadline_s, allow_plain=True)

    def delivery(self, number: int) -> Delivery:
        return Delivery("email", "ann@example.com", "message", {"subject": "Hello", "text": f"Number {number} please."})

    def arrange(self, fault: str) -> None:
        command, reply = self.replies[fault]
        if reply == "hang":
            self.server.once[command] = reply
        self.server.replies[command] = reply

    def arrived(self) -> list[tuple[str, str]]:
        return [(str(mail["message-id"]), _text(mail)) for mail in self.server.mails]

    def wait_until(self, condition: Any, what: str) -> None:
        until(condition, what=what)

    def is_hanging(self) -> bool:
        return not self.server.once

    def is_left(self) -> bool:
        return not self.server.open


def _text(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


class LogRig(Rig):
    left_out = {
        "carries the same mark when it comes again": "a line in a log has no mark",
        "does not mix what it carries at once": "the log says how much, not what",
        "is taken": "the log is no server; tests/notifiers/test_log.py reads it",
    }

    def make(self, deadline_s: float) -> Notifier:
        return LogNotifier()

    def delivery(self, number: int) -> Delivery:
        return Delivery("log", "log", "store_closed", {"served": number})


@pytest.mark.parametrize("case", http_cases(SmsRig), ids=str)
def test_sms_keeps_the_contract(case: Case) -> None:
    case.check(SmsRig)


@pytest.mark.parametrize("case", http_cases(WebhookRig), ids=str)
def test_webhook_keeps_the_contract(case: Case) -> None:
    case.check(WebhookRig)


@pytest.mark.parametrize("case", http_cases(PushRig), ids=str)
def test_web_push_keeps_the_contract(case: Case) -> None:
    case.check(PushRig)


@pytest.mark.parametrize("case", cases(EmailRig), ids=str)
def test_email_keeps_the_contract(case: Case) -> None:
    case.check(EmailRig)


@pytest.mark.parametrize("case", cases(LogRig), ids=str)
def test_log_keeps_the_contract(case: Case) -> None:
    case.check(LogRig)
