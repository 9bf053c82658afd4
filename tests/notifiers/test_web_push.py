"""Notifications in browsers: who is owed one, how it is sealed and signed, and what each answer of a push service means."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from importlib import util
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, derive_private_key, generate_private_key

from notifiers import web_push
from notifiers.web_push.push import LONGEST_TTL_S, WebPushNotifier, message, topic, ttl_s
from notifiers.web_push.sealing import MOST_BYTES, seal
from notifiers.web_push.vapid import Vapid
from notifiers.web_push.words import spoken
from realtime.builtin_wordings import LANGUAGES
from realtime.hookspecs import Accepted, Gone, Idle, Outcome, OutgoingDelivery, Permanent, Retry, TicketFacts
from realtime.model import Delivery, Subscription
from realtime.settings import Settings
from tests.plugins.facts import LINK, OPENED_MS, TICKET, notice, outgoing
from tests.support.sink import Answer, HttpSink
from tests.support.subscriber import Subscriber, decoded, encoded, who_sent

NOW_S = OPENED_MS / 1000
SECRET = b"s" * 32
LOCAL = ("127.0.0.0/8",)
CONTACT = "mailto:queue@example.com"


def asked(*browsers: str) -> TicketFacts:
    return msgspec.structs.replace(TICKET, push=browsers)


def parcel(subscriber: Subscriber | None, moment: str = "called", **body: str | int) -> OutgoingDelivery:
    (owed,) = web_push.compose_ticket_notice(notice(moment, asked(subscriber.id if subscriber else "nobody")))
    owed = msgspec.structs.replace(owed, body=owed.body | body)
    return msgspec.structs.replace(outgoing(owed), subscription=subscriber.row() if subscriber else None)


@pytest.fixture
async def notifier() -> AsyncIterator[WebPushNotifier]:
    made = await asyncio.to_thread(WebPushNotifier, CONTACT, LOCAL, 20.0, lambda: NOW_S)
    made.use_secret(SECRET)
    yield made
    await made.close()


# ---- who is owed one


def test_every_browser_that_asked_is_owed_one_that_does_not_come_late() -> None:
    owed = web_push.compose_ticket_notice(notice("called", asked("one", "two")))

    assert [(each.notifier, each.recipient, each.moment) for each in owed] == [("web_push", "one", "called"), ("web_push", "two", "called")]
    assert {each.not_after_ms for each in owed} == {OPENED_MS + 30 * 60_000}


def test_nobody_else_is() -> None:
    assert web_push.compose_ticket_notice(notice("called")) == []
    assert web_push.compose_ticket_notice(notice("joined", asked("one"))) == []
    assert web_push.compose_ticket_notice(notice("something new", asked("one"))) == []


def test_what_is_kept_of_it_holds_no_secret() -> None:
    subscriber = Subscriber()

    kept = msgspec.json.encode(parcel(subscriber).delivery).decode()

    assert LINK not in kept
    assert subscriber.endpoint not in kept


# ---- set up, or idle


@pytest.mark.parametrize(
    ("settings", "contact"),
    [
        ({"mail_from": "Luigi's <queue@example.com>"}, "mailto:queue@example.com"),
        ({"mail_from": "queue@example.com", "public_url": "https://queue.example.com"}, "mailto:queue@example.com"),
        ({"public_url": "https://queue.example.com"}, "https://queue.example.com"),
        ({"public_url": "http://queue.example.com"}, ""),
        ({}, ""),
    ],
)
def test_push_services_are_told_whom_to_ask(settings: dict[str, str], contact: str) -> None:
    known = Settings.defaults(**settings)

    assert web_push.contact(known) == contact
    assert isinstance(web_push.register_notifiers(known), Idle) == (not contact)


def test_without_its_library_it_is_idle_and_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    find = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *rest: None if name == "cryptography" else find(name, *rest))

    registered = web_push.register_notifiers(Settings.defaults(mail_from="queue@example.com"))

    assert registered == Idle("cryptography is not installed; pip install 'nowserving[web_push]'")


# ---- sealed and signed


def test_it_seals_as_the_example_of_rfc_8291_does() -> None:
    own = derive_private_key(int.from_bytes(decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")), SECP256R1())
    theirs = decoded("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
    auth, salt = decoded("BTBZMqHH6r4Tts7J_aSIgg"), decoded("DGv6ra1nlYgDCS1FRnbzlw")

    sealed = seal(b"When I grow up, I want to be a watermelon", theirs, auth, own, salt)

    assert encoded(sealed) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6"
        "cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_the_longest_message_fits_into_one_record_and_a_longer_one_is_refused() -> None:
    subscriber = Subscriber().row()
    args = decoded(subscriber.p256dh), decoded(subscriber.auth), generate_private_key(SECP256R1()), b"s" * 16

    assert len(seal(b"x" * MOST_BYTES, *args)) == 4096
    with pytest.raises(ValueError, match="more than one record"):
        seal(b"x" * (MOST_BYTES + 1), *args)


def test_one_secret_makes_one_key_pair_and_another_one_another() -> None:
    keys = [Vapid(secret, CONTACT).public_key for secret in (SECRET, SECRET, b"t" * 32)]

    assert keys[0] == keys[1] != keys[2]
    assert len(decoded(keys[0])) == 65


async def test_what_arrives_can_be_read_by_the_browser_alone_and_says_who_sent_it(notifier: WebPushNotifier, http_sink: HttpSink) -> None:
    subscriber = Subscriber(http_sink.url)

    assert await notifier.deliver(parcel(subscriber)) == Accepted()

    (request,) = http_sink.requests
    assert who_sent(request, notifier.push_key, http_sink.url, NOW_S) == CONTACT
    assert subscriber.read(request) == {
        "id": "luigis/7-email",
        "tag": request.headers["topic"],
        "moment": "called",
        "label": "A07",
        "title": "A07 · It’s your turn",
        "body": "Desk 2.\nLuigi's",
        "url": "/ticket",
        "lang": "en",
    }
    assert {name: request.headers[name] for name in ("ttl", "urgency", "content-type")} == {
        "ttl": "1800",
        "urgency": "high",
        "content-type": "application/octet-stream",
    }
    stranger = Subscriber(http_sink.url)
    stranger.endpoint = subscriber.endpoint
    with pytest.raises(Exception, match=r".*"):
        stranger.read(request)


async def test_every_message_has_a_key_and_a_salt_of_its_own(notifier: WebPushNotifier, http_sink: HttpSink) -> None:
    subscriber = Subscriber(http_sink.url)
    for _ in range(2):
        await notifier.deliver(parcel(subscriber))

    first, second = http_sink.requests
    assert first.body[:16] != second.body[:16]
    assert first.body[20:86] != second.body[20:86]
    assert first.headers["topic"] == second.headers["topic"]


def test_what_is_newer_takes_the_place_of_what_is_older_of_the_same_ticket_only() -> None:
    called, almost = parcel(None, "called").delivery, parcel(None, "almost").delivery
    other = parcel(None, "called", label="A08").delivery

    assert topic(called) == topic(almost) != topic(other)
    assert len(topic(called)) <= 32
    assert base64.urlsafe_b64decode(topic(called))


@pytest.mark.parametrize(
    ("not_after_s", "ttl"),
    [(NOW_S + 60, 60), (NOW_S - 60, 0), (NOW_S + 10**9, LONGEST_TTL_S), (0, LONGEST_TTL_S)],
)
def test_a_push_service_holds_it_as_long_as_it_is_of_use(not_after_s: float, ttl: int) -> None:
    assert ttl_s(Delivery("web_push", "x", "called", {}, int(not_after_s * 1000)), NOW_S) == ttl


# ---- what it says


@pytest.mark.parametrize(
    ("moment", "body", "title", "said"),
    [
        ("called", {}, "A07 · It’s your turn", "Desk 2.\nLuigi's"),
        ("called", {"desk": ""}, "A07 · It’s your turn", "Please come to the counter.\nLuigi's"),
        ("almost", {"ahead": 0}, "A07 · Almost your turn", "You are next.\nLuigi's"),
        ("almost", {"ahead": 1}, "A07 · Almost your turn", "1 party ahead of you.\nLuigi's"),
        ("almost", {"ahead": 3}, "A07 · Almost your turn", "3 parties ahead of you.\nLuigi's"),
        ("almost", {"text": "Come closer."}, "A07 · Almost your turn", "Come closer.\nLuigi's"),
    ],
)
def test_it_says_what_a_guest_needs(moment: str, body: dict[str, str | int], title: str, said: str) -> None:
    shown = message(parcel(Subscriber(), moment, **body))

    assert (shown["title"], shown["body"]) == (title, said)


@pytest.mark.parametrize("language", sorted(LANGUAGES))
@pytest.mark.parametrize("moment", ["called", "almost"])
def test_it_says_so_in_the_guests_language(moment: str, language: str) -> None:
    shown = message(parcel(Subscriber(), moment, language=language, desk="", ahead=3))
    english = message(parcel(Subscriber(), moment, desk="", ahead=3))

    assert shown["lang"] == language
    assert all((shown[part] == english[part]) == (language == "en") for part in ("title", "body"))
    assert all(part in shown["title"] + shown["body"] for part in ("A07", "Luigi's"))


@pytest.mark.parametrize(
    ("wanted", "language"), [(("tr", "de"), "tr"), (("pl", "it"), "it"), (("pl", "nl"), "en"), (("", "de"), "de"), ((), "en")]
)
def test_a_guest_is_told_in_a_language_that_there_are_words_in(wanted: tuple[str, ...], language: str) -> None:
    assert spoken(wanted) == language


def test_what_it_does_not_know_it_says_all_the_same() -> None:
    made = message(outgoing(Delivery("web_push", "x", "closing_soon", {"text": "Last orders.", "store": "Luigi's"})))

    assert (made["title"], made["body"]) == ("Luigi's", "Last orders.")


async def test_the_largest_texts_that_a_store_can_have_fit(notifier: WebPushNotifier, http_sink: HttpSink) -> None:
    subscriber = Subscriber(http_sink.url)

    outcome = await notifier.deliver(parcel(subscriber, store="\U0001f355" * 80, desk="\U0001f355" * 40, label="A" * 16))

    assert outcome == Accepted()
    assert await notifier.deliver(parcel(subscriber, store="x" * MOST_BYTES)) == Permanent("The notification is too long.")


# ---- what push services answer


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (Answer(200), Accepted()),
        (Answer(201, headers=(("Location", "https://push.example.com/m/1"),)), Accepted()),
        (Answer(202), Accepted()),
        (Answer(204, b""), Accepted()),
        (Answer(404), Gone("The browser's subscription has ended.")),
        (Answer(410), Gone("The browser's subscription has ended.")),
        (Answer(400), Permanent("The push service refused the notification (400).")),
        (Answer(413), Permanent("The push service refused the notification (413).")),
        (Answer(429, headers=(("Retry-After", "17"),)), Retry("The push service answered 429.", 17.0)),
        (Answer(503, headers=(("Retry-After", "Sat, 22 Nov 2025 17:01:00 GMT"),)), Retry("The push service answered 503.", 60.0)),
        (Answer(503, headers=(("Retry-After", "soon"),)), Retry("The push service answered 503.")),
        (Answer(500), Retry("The push service answered 500.")),
        (Answer(307, headers=(("Location", "http://127.0.0.1/"),)), Retry("The push service answered 307.")),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else "",
)
async def test_each_answer_of_a_push_service_has_its_meaning(
    notifier: WebPushNotifier, http_sink: HttpSink, answer: Answer, outcome: Outcome
) -> None:
    http_sink.answers.append(answer)

    assert await notifier.deliver(parcel(Subscriber(http_sink.url))) == outcome
    assert len(http_sink.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_a_push_service_that_does_not_know_us_is_a_matter_for_the_operator(
    notifier: WebPushNotifier, http_sink: HttpSink, status: int
) -> None:
    http_sink.answers.append(Answer(status))

    outcome = await notifier.deliver(parcel(Subscriber(http_sink.url)))

    assert isinstance(outcome, Retry)
    assert "Check mail_from, public_url and this machine's clock." in outcome.reason


async def test_a_browser_that_took_it_back_hears_nothing(notifier: WebPushNotifier, http_sink: HttpSink) -> None:
    assert isinstance(await notifier.deliver(parcel(None)), Gone)
    assert http_sink.requests == []


async def test_an_address_in_a_private_network_is_never_called(http_sink: HttpSink) -> None:
    made = await asyncio.to_thread(WebPushNotifier, CONTACT, (), 20.0, lambda: NOW_S)
    made.use_secret(SECRET)

    outcome = await made.deliver(parcel(Subscriber(http_sink.url)))
    await made.close()

    assert outcome == Permanent("This address leads into a private network.")
    assert http_sink.requests == []


@pytest.mark.parametrize("changes", [{"p256dh": encoded(b"\x04" + b"\x01" * 64)}, {"p256dh": ""}, {"p256dh": "!!!"}])
async def test_keys_that_are_none_send_nothing(notifier: WebPushNotifier, http_sink: HttpSink, changes: dict[str, Any]) -> None:
    whole = parcel(Subscriber(http_sink.url))
    assert isinstance(whole.subscription, Subscription)
    broken = msgspec.structs.replace(whole, subscription=msgspec.structs.replace(whole.subscription, **changes))

    assert await notifier.deliver(broken) == Permanent("The browser's keys are none.")
    assert http_sink.requests == []


async def test_before_it_has_a_secret_it_waits(http_sink: HttpSink) -> None:
    made = await asyncio.to_thread(WebPushNotifier, CONTACT, LOCAL, 20.0)

    assert made.push_key == ""
    assert isinstance(await made.deliver(parcel(Subscriber(http_sink.url))), Retry)
    await made.close()
