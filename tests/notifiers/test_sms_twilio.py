"""Twilio without Apprise: what is sent, what each answer means, and which URLs are meant."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Iterator
from urllib.parse import parse_qsl, urlencode

import pytest

from notifiers import sms
from notifiers.sms.gateway import SmsNotifier
from notifiers.sms.twilio import Account, Twilio, account
from realtime.hookspecs import Accepted, Outcome, Permanent, Retry, Suppressed
from realtime.model import Delivery
from realtime.outbound import Outbound
from realtime.settings import Settings
from tests.plugins.facts import LINK, outgoing
from tests.support.sink import Answer, HttpSink

NUMBER = "+4915112345678"
BODY: dict[str, str | int | bool] = {"store": "Luigi's", "text": f"Luigi's: it's your turn, A07. {LINK}"}
BACK = "https://queue.example.com/v1/callbacks/sms/status"
OWN = Account("AC0123", "s3cret", "+15005550006")


@pytest.fixture
def api() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


@pytest.fixture
async def notifier(api: HttpSink) -> AsyncIterator[SmsNotifier]:
    outbound = await asyncio.to_thread(Outbound, ["127.0.0.0/8"], 20)
    notifier = await asyncio.to_thread(SmsNotifier, "twilio://", 20, Twilio(OWN, outbound, BACK, api.url))
    yield notifier
    await notifier.close()


async def send(notifier: SmsNotifier, not_after_ms: int = 0) -> Outcome:
    return await notifier.deliver(outgoing(Delivery("sms", NUMBER, "called", BODY, not_after_ms)))


async def test_it_sends_the_form_that_twilio_takes(notifier: SmsNotifier, api: HttpSink) -> None:
    api.answers = [Answer(201, json.dumps({"sid": "SM42", "status": "queued"}).encode())]

    assert await send(notifier, int(time.time() * 1000) + 600_000) == Accepted("SM42")

    (request,) = api.requests
    form = dict(parse_qsl(request.body.decode()))
    assert (request.method, request.path) == ("POST", "/2010-04-01/Accounts/AC0123/Messages.json")
    assert base64.b64decode(request.headers["authorization"].removeprefix("Basic ")) == b"AC0123:s3cret"
    assert 500 < int(form.pop("ValidityPeriod")) <= 600
    assert form == {
        "To": NUMBER,
        "From": "+15005550006",
        "Body": f"Luigi's: it's your turn, A07. {LINK}",
        "StatusCallback": f"{BACK}?{urlencode({'delivery': outgoing(Delivery('sms', NUMBER, 'called', BODY)).id})}",
    }


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"no json", Accepted("")),
        (201, b'{"sid": 7}', Accepted("")),
        (400, b'{"code": 21610}', Suppressed("The guest wants no messages.")),
        (400, b'{"code": 21211}', Permanent("There is no such number.")),
        (400, b'{"code": 29999}', Permanent("The gateway refused the message (29999).")),
        (400, b'{"code": "x"}', Permanent("The gateway refused the message (400).")),
        (404, b"", Permanent("The gateway refused the message (404).")),
        (401, b'{"code": 20003}', Retry("The gateway refuses us (401). Check the credentials in sms_url, and the account.", 1800.0, True)),
        (429, b'{"code": 20429}', Retry("The gateway answered 429.", 60.0)),
        (503, b"\xff", Retry("The gateway answered 503.", provider_down=True)),
        (302, b"", Retry("The gateway answered 302.")),
    ],
)
async def test_what_each_answer_means(notifier: SmsNotifier, api: HttpSink, status: int, body: bytes, outcome: Outcome) -> None:
    api.answers = [Answer(status, body, (("location", "/elsewhere"),))]

    assert await send(notifier) == outcome
    assert len(api.requests) == 1


async def test_it_waits_as_long_as_twilio_asks(notifier: SmsNotifier, api: HttpSink) -> None:
    api.answers = [Answer(429, b"{}", (("retry-after", "17"),)), Answer(429, b"{}", (("retry-after", "soon"),))]

    assert await send(notifier) == Retry("The gateway answered 429.", 17.0)
    assert await send(notifier) == Retry("The gateway answered 429.", 60.0)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("twilio://AC01:tok@+15005550006", Account("AC01", "tok", "+15005550006")),
        ("twilio://AC01:tok@15005550006/", Account("AC01", "tok", "+15005550006")),
        ("twilio://AC01:tok@12345", Account("AC01", "tok", "12345")),
        ("twilio://AC01:key@15005550006?apikey=SK09", Account("AC01", "key", "+15005550006", "SK09")),
        ("twilio://AC01:tok@15005550006?method=call", None),
        ("twilio://AC01:tok@w:15005550006", None),
        ("twilio://AC01:tok@15005550006/15005550007", None),
        ("twilio://nobody:tok@15005550006", None),
        ("twilio://AC01@15005550006", None),
        ("twilio://[", None),
        ("vonage://AC01:tok@15005550006", None),
        ("json://127.0.0.1", None),
    ],
)
def test_which_urls_are_twilios(url: str, meant: Account | None) -> None:
    assert account(url) == meant


@pytest.mark.parametrize(
    ("settings", "hears"),
    [
        ({"sms_url": "twilio://AC01:tok@15005550006", "public_url": "https://q.example"}, "TwilioCallbacks"),
        ({"sms_url": "twilio://AC01:tok@15005550006"}, "TwilioCallbacks"),
        ({"sms_url": "twilio://AC01:key@15005550006?apikey=SK09"}, "NoneType"),
        ({"sms_url": "twilio://AC01:key@15005550006?apikey=SK09", "sms_callback_secret": "the auth token of it"}, "TwilioCallbacks"),
        ({"sms_url": "json://127.0.0.1"}, "NoneType"),
        ({"sms_url": "json://127.0.0.1", "sms_callback_secret": "a secret of our own"}, "OwnCallbacks"),
    ],
)
async def test_who_may_call_back(settings: dict[str, str], hears: str) -> None:
    registered = await asyncio.to_thread(lambda: sms.register_notifiers(Settings.defaults(**settings)))
    assert isinstance(registered, list)
    (notifier,) = registered

    assert isinstance(notifier, SmsNotifier)
    assert type(notifier.callback).__name__ == hears
    await notifier.close()
