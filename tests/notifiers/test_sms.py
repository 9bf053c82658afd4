"""Short messages: what they say, where they go, and what each answer of a gateway means."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from importlib import util

import pytest

from notifiers import sms
from notifiers.sms import gateway as sms_gateway
from notifiers.sms.gateway import SmsNotifier, target
from notifiers.sms.meaning import MISCONFIGURED_RETRY_S
from realtime.hookspecs import Accepted, Idle, Outcome, Permanent, Retry, Suppressed, TicketFacts
from realtime.model import Delivery
from realtime.settings import Settings
from realtime.sms_length import length
from tests.plugins.facts import LINK, OPENED_MS, notice, outgoing
from tests.support.sink import Answer, HttpSink

# Apprise imports a module that Python 3.13 no longer has, and brings its own where it is missing.
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")

NUMBER = "+4915112345678"


@pytest.fixture
def gateway() -> Iterator[HttpSink]:
    with HttpSink() as sink:
        yield sink


async def send(gateway: HttpSink, delivery: Delivery, url: str = "{to}?rto=2") -> Outcome:
    notifier = await asyncio.to_thread(SmsNotifier, f"json://{gateway.url.removeprefix('http://')}/{url}", 20)
    outcome = await notifier.deliver(outgoing(delivery))
    await notifier.close()
    return outcome


def owed(moment: str = "called") -> Delivery:
    composed = sms.compose_ticket_notice(notice(moment))
    assert composed
    return composed


def test_a_party_with_a_phone_is_owed_a_message_that_does_not_come_late() -> None:
    composed = owed("called")

    assert (composed.notifier, composed.recipient, composed.not_after_ms) == ("sms", NUMBER, OPENED_MS + 30 * 60_000)


def test_a_party_without_a_phone_is_owed_nothing() -> None:
    assert sms.compose_ticket_notice(notice("called", TicketFacts(id=7, label="A07", name="Ann"))) is None
    assert sms.compose_ticket_notice(notice("something new")) is None


@pytest.mark.parametrize(
    ("moment", "said"),
    [
        ("joined", f"Luigi's: you are A07. 3 parties ahead of you. Your place: {LINK}"),
        ("almost", f"Luigi's: almost your turn, A07. 3 parties ahead of you. Please come. {LINK}"),
        ("called", f"Luigi's: it's your turn, A07. Desk 2. {LINK}"),
    ],
)
async def test_it_says_the_number_the_place_and_the_link(gateway: HttpSink, moment: str, said: str) -> None:
    assert await send(gateway, owed(moment)) == Accepted()
    assert gateway.requests[0].json()["message"] == said


async def test_a_long_name_is_cut_where_that_saves_a_part_and_the_link_is_not(gateway: HttpSink) -> None:
    name, link = "The Very Long Name of a Pub", "https://queue.example.com/t#" + "k" * 90
    said = "{}: it's your turn, A07. Desk 2. {}"

    await send(gateway, Delivery("sms", NUMBER, "called", {"text": said.format(name, LINK), "store": name}))
    await send(gateway, Delivery("sms", NUMBER, "called", {"text": said.format(name, link), "store": name}))

    whole, cut = (request.json()["message"] for request in gateway.requests)
    assert whole == said.format(name, LINK)
    assert cut.startswith("The Ve")
    assert cut.endswith(f": it's your turn, A07. Desk 2. {link}")
    assert length(cut).segments == 1


async def test_a_curly_quote_does_not_make_it_twice_as_long(gateway: HttpSink) -> None:
    await send(
        gateway, Delivery("sms", NUMBER, "called", {"text": f"Luigi’s – bar: it’s your turn, A07. {LINK}", "store": "Luigi’s – bar"})
    )

    assert gateway.requests[0].json()["message"] == f"Luigi's - bar: it's your turn, A07. {LINK}"


async def test_what_would_be_too_many_parts_is_not_sent(gateway: HttpSink) -> None:
    outcome = await send(gateway, Delivery("sms", NUMBER, "birthday", {"text": "я" * 269}))

    assert outcome == Permanent("The message is too long: it would be sent as 5 parts, and 4 are the most. Shorten its text.")
    assert gateway.requests == []
    assert await send(gateway, Delivery("sms", NUMBER, "birthday", {"text": "я" * 268})) == Accepted()


async def test_another_plugin_may_send_a_text_of_its_own(gateway: HttpSink) -> None:
    assert await send(gateway, Delivery("sms", NUMBER, "birthday", {"text": "Many happy\nreturns"})) == Accepted()
    assert gateway.requests[0].json()["message"] == "Many happy returns"
    assert isinstance(await send(gateway, Delivery("sms", NUMBER, "birthday", {})), Permanent)


def test_the_preview_is_what_would_be_sent() -> None:
    notifier = SmsNotifier("", 20)

    assert notifier.preview(outgoing(owed())).text == f"Luigi's: it's your turn, A07. Desk 2. {LINK}"


@pytest.mark.parametrize(
    ("url", "there"),
    [
        ("twilio://SID:TOKEN@15005550006", "twilio://SID:TOKEN@15005550006/%2B4915112345678"),
        ("twilio://SID:TOKEN@15005550006/", "twilio://SID:TOKEN@15005550006/%2B4915112345678"),
        ("vonage://KEY:SECRET@ACME?ttl=600000", "vonage://KEY:SECRET@ACME/%2B4915112345678?ttl=600000"),
        ("json://sms.example.com/send?:to={to}", "json://sms.example.com/send?:to=%2B4915112345678"),
    ],
)
def test_the_number_goes_where_the_gateway_looks_for_it(url: str, there: str) -> None:
    assert target(url, NUMBER) == there


async def test_the_number_reaches_the_gateway(gateway: HttpSink) -> None:
    await send(gateway, owed())
    await send(gateway, owed(), "send?:to={to}")
    await send(gateway, owed(), "send")

    assert [request.path for request in gateway.requests] == [f"/{NUMBER}", "/send", f"/send/{NUMBER}"]
    assert gateway.requests[1].json()["to"] == NUMBER


@pytest.mark.parametrize(
    ("status", "kind", "after_s"),
    [
        (200, Accepted, None),
        (201, Accepted, None),
        (202, Accepted, None),
        (302, Retry, None),
        (400, Permanent, None),
        (401, Retry, MISCONFIGURED_RETRY_S),
        (402, Retry, MISCONFIGURED_RETRY_S),
        (403, Retry, MISCONFIGURED_RETRY_S),
        (404, Permanent, None),
        (408, Retry, None),
        (413, Permanent, None),
        (429, Retry, 60),
        (500, Retry, None),
        (503, Retry, None),
    ],
)
async def test_what_each_answer_means(gateway: HttpSink, status: int, kind: type, after_s: float | None) -> None:
    gateway.answers = [Answer(status, headers=(("location", "/elsewhere"),))]

    outcome = await send(gateway, owed())

    assert isinstance(outcome, kind)
    assert getattr(outcome, "after_s", None) == after_s
    assert len(gateway.requests) == 1, "a redirect is not followed: it would take the credentials along"


@pytest.mark.parametrize(("code", "kind"), [(21610, Suppressed), (21211, Permanent), (20003, Retry), (20429, Retry), (20503, Retry)])
def test_twilio_speaks_in_codes_of_its_own(code: int, kind: type) -> None:
    """Its plugin in Apprise has the address of Twilio built in, so what it logs is given here as it stands there."""

    class Line:
        message = f"Failed to send Twilio notification to +4915112345678: some words of theirs, error={code}."

    class Result:
        def __bool__(self) -> bool:
            return False

        def logs(self) -> list[Line]:
            return [Line()]

    outcome = sms_gateway._outcome(Result())

    assert isinstance(outcome, kind)
    assert NUMBER not in getattr(outcome, "reason", "")


async def test_a_url_that_no_gateway_has_is_told_without_its_secrets() -> None:
    notifier = await asyncio.to_thread(SmsNotifier, "pigeon://user:hidden@nowhere", 20)

    outcome = await notifier.deliver(outgoing(owed()))

    assert isinstance(outcome, Retry)
    assert "sms_url" in outcome.reason
    assert "hidden" not in outcome.reason


def test_without_a_gateway_it_is_idle() -> None:
    assert sms.register_notifiers(Settings.defaults()) == Idle("sms_url is not set")


def test_where_nothing_leaves_it_needs_no_gateway() -> None:
    registered = sms.register_notifiers(Settings.defaults(capture_messages=True))

    assert isinstance(registered, list)


def test_without_apprise_it_is_idle_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(util, "find_spec", lambda name: None)

    assert sms.register_notifiers(Settings.defaults(sms_url="json://127.0.0.1")) == Idle(
        "Apprise is not installed; pip install 'nowserving[sms]'"
    )
