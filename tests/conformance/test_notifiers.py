"""What the built-in notifiers must do beyond the contract that `realtime.testing` offers: they keep guests out of the log, and refuse odd recipients."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from io import StringIO

import msgspec
import pytest

from notifiers.email.smtp import EmailNotifier
from notifiers.log import LogNotifier
from notifiers.sms.gateway import SmsNotifier
from notifiers.web_push.push import WebPushNotifier
from notifiers.webhook import WebhookNotifier
from realtime.hookspecs import Accepted, Gone, Notifier, Outcome, OutgoingDelivery, Permanent, Sent
from realtime.model import Delivery, Endpoint, Subscription
from tests.notifiers.post import PostServer, deaf_server
from tests.plugins.facts import LINK, outgoing
from tests.plugins.office import Brings, load_async
from tests.support.process import free_port
from tests.support.sink import Answer, HttpSink
from tests.support.subscriber import Subscriber

# Apprise imports a module that Python 3.13 no longer has, and brings its own where it is missing.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

BODY: dict[str, str | int | bool] = {
    "store": "Luigi's",
    "queue": "Table for two",
    "label": "A07",
    "name": "Ann",
    "desk": "Desk 2",
    "ahead": 3,
    "subject": "It is your turn",
    "text": f"A07, please come to desk 2. {LINK}",
    "link": LINK,
    "payload": '{"type":"ticket.called"}',
}


@dataclass
class Rig:
    """A notifier with the server it talks to, and how to see what arrived there."""

    notifier: Notifier
    recipient: str
    arrived: Callable[[], list[str]]
    """Something of each message that stays the same when it is sent again."""
    endpoint: Endpoint | None = None
    """Where a webhook is; its recipient is only its id."""
    browsers: dict[str, Subscription] = field(default_factory=dict)
    """The subscriptions that recipients stand for."""


Build = Callable[[str], AbstractAsyncContextManager[Rig]]
"""Builds the rig for one behaviour of the server."""

SMTP_REPLIES = {
    "takes": {},
    "busy": {"DATA": "451 4.7.1 try again later"},
    "refuses": {"RCPT": "550 5.1.1 no such user"},
    "drops": {"DATA": "drop"},
}
HTTP_ANSWERS = {"takes": [], "busy": [Answer(503)], "refuses": [Answer(400)]}
WEBHOOK_ANSWERS = {"takes": [], "busy": [Answer(503)], "refuses": [Answer(410)]}


@asynccontextmanager
async def email_rig(behaviour: str) -> AsyncIterator[Rig]:
    async def notifier(port: int, deadline_s: float = 20) -> Notifier:
        url = f"smtp://127.0.0.1:{port}"
        return await asyncio.to_thread(EmailNotifier, url, "queue@example.com", deadline_s=deadline_s, allow_plain=True)

    if behaviour == "unreachable":
        yield Rig(await notifier(free_port()), "ann@example.com", list)
    elif behaviour == "hangs":
        async with deaf_server(hangs=True) as port:
            yield Rig(await notifier(port, 0.2), "ann@example.com", list)
    else:
        with PostServer() as server:
            server.replies = SMTP_REPLIES[behaviour]
            yield Rig(await notifier(server.port), "ann@example.com", lambda: [str(mail["message-id"]) for mail in server.mails])


@asynccontextmanager
async def sms_rig(behaviour: str) -> AsyncIterator[Rig]:
    async def notifier(port: str | int) -> Notifier:
        return await asyncio.to_thread(SmsNotifier, f"json://127.0.0.1:{port}/{{to}}?rto=0.5&cto=0.5", 20)

    if behaviour == "unreachable":
        yield Rig(await notifier(free_port()), "+4915112345678", list)
    elif behaviour in ("hangs", "drops"):
        async with deaf_server(hangs=behaviour == "hangs") as port:
            yield Rig(await notifier(port), "+4915112345678", list)
    else:
        with HttpSink() as sink:
            sink.answers = list(HTTP_ANSWERS[behaviour])
            gateway = await notifier(sink.url.rpartition(":")[2])
            yield Rig(gateway, "+4915112345678", lambda: [request.json()["message"] for request in sink.requests])


@asynccontextmanager
async def push_rig(behaviour: str) -> AsyncIterator[Rig]:
    async def rig(url: str, sink: HttpSink | None = None, deadline_s: float = 20.0) -> Rig:
        browser = Subscriber(url)
        notifier = await asyncio.to_thread(WebPushNotifier, "mailto:queue@example.com", ("127.0.0.0/8",), deadline_s)
        notifier.use_secret(b"s" * 32)
        read = (lambda: [browser.read(request)["id"] for request in sink.requests]) if sink else list
        return Rig(notifier, browser.id, read, browsers={browser.id: browser.row()})

    if behaviour == "unreachable":
        yield await rig(f"http://127.0.0.1:{free_port()}")
    elif behaviour in ("hangs", "drops"):
        async with deaf_server(hangs=behaviour == "hangs") as port:
            yield await rig(f"http://127.0.0.1:{port}", deadline_s=0.5)
    else:
        with HttpSink() as sink:
            sink.answers = list(HTTP_ANSWERS[behaviour])
            yield await rig(sink.url, sink)


@asynccontextmanager
async def log_rig(behaviour: str) -> AsyncIterator[Rig]:
    yield Rig(LogNotifier(), "log", list)


@asynccontextmanager
async def webhook_rig(behaviour: str) -> AsyncIterator[Rig]:
    def rig(port: str | int, arrived: Callable[[], list[str]] = list, deadline_s: float = 20) -> Rig:
        secrets = ("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",)
        notifier = WebhookNotifier(("127.0.0.0/8",), deadline_s)
        return Rig(notifier, "0d6c1f4be2a90c11", arrived, Endpoint(f"http://127.0.0.1:{port}/{LINK.rpartition('/')[2]}", secrets))

    if behaviour == "unreachable":
        yield rig(free_port())
    elif behaviour in ("hangs", "drops"):
        async with deaf_server(hangs=behaviour == "hangs") as port:
            yield rig(port, deadline_s=0.3 if behaviour == "hangs" else 20)
    else:
        with HttpSink() as sink:
            sink.answers = list(WEBHOOK_ANSWERS[behaviour])
            yield rig(sink.url.rpartition(":")[2], lambda: [request.headers["webhook-id"] for request in sink.requests])


EVERY = pytest.mark.parametrize("build", [email_rig, sms_rig, push_rig, log_rig, webhook_rig])
NETWORKED = pytest.mark.parametrize("build", [email_rig, sms_rig, push_rig, webhook_rig])


async def deliver(rig: Rig, attempt: int = 1) -> Outcome:
    """As the courier does, but straight: what the notifier itself says, not what its wall makes of it."""
    moment = "store_closed" if rig.recipient == "log" else "called"
    return await rig.notifier.deliver(parcel(rig, moment, attempt))


def parcel(rig: Rig, moment: str, attempt: int = 1) -> OutgoingDelivery:
    made = outgoing(Delivery(rig.notifier.name, rig.recipient, moment, BODY), attempt=attempt)
    return msgspec.structs.replace(made, endpoint=rig.endpoint, subscription=rig.browsers.get(rig.recipient))


@pytest.fixture
def logged() -> Iterator[StringIO]:
    """What reaches the server's log at the level debug. pytest's own capture also listens where a library was silenced."""
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(lambda record: record.name != "mail.log")  # the log of the mail server that the test brings
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


@NETWORKED
async def test_a_recipient_that_is_none_is_refused_before_anything_is_sent(build: Build) -> None:
    async with build("takes") as rig:
        for recipient in (
            "",
            "nobody",
            "a@example.com, b@example.com",
            "a@example.com\r\nRCPT TO:<b@example.com>",
            "+49151/../x",
            "+49 151 1\n",
        ):
            rig.recipient, rig.endpoint = recipient, None
            assert isinstance(await deliver(rig), Permanent | Gone)

        assert rig.arrived() == []


@NETWORKED
@pytest.mark.parametrize("behaviour", ["takes", "busy", "refuses", "drops", "unreachable", "hangs"])
async def test_neither_the_log_nor_a_reason_names_the_recipient_or_the_link(build: Build, behaviour: str, logged: StringIO) -> None:
    async with build(behaviour) as rig:
        outcome = await deliver(rig)

        told = logged.getvalue() + getattr(outcome, "reason", "")
        assert rig.recipient not in told
        assert rig.recipient.removeprefix("+") not in told
        assert LINK not in told


@EVERY
async def test_reasons_are_sentences(build: Build) -> None:
    for behaviour in ("busy", "refuses", "unreachable"):
        async with build(behaviour) as rig:
            outcome = await deliver(rig)

            reason = getattr(outcome, "reason", "Sent.")
            assert reason[0].isupper()
            assert reason.endswith(".")


@EVERY
async def test_the_registry_takes_it_and_lets_it_close(build: Build) -> None:
    async with build("takes") as rig:
        registry = await load_async(("under_test", Brings(rig.notifier)))
        assert registry.notifiers() == {rig.notifier.name}
        moment = "store_closed" if rig.recipient == "log" else "called"

        outcome = await registry.deliver(parcel(rig, moment))
        await registry.close()

        assert isinstance(outcome, Sent | Accepted)
        assert registry.plugins()[0].failures == 0
