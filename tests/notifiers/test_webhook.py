"""What the webhook notifier sends, and what it makes of answers, against a real server and the reference verifier."""

from __future__ import annotations

import base64
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook as Verifier

from notifiers.webhook import CANNOT_SIGN, WebhookNotifier, outcome, signature
from realtime.hookspecs import Gone, OutgoingDelivery, Permanent, Retry, Sent
from realtime.model import Delivery, Endpoint
from realtime.outbound import Answer as Said
from tests.notifiers.post import deaf_server
from tests.support.process import free_port
from tests.support.sink import HttpSink, Request

SECRET, OLD = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
SEED, PUBLIC = (
    bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"),
    bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"),
)
PAIR = "whsk_" + base64.b64encode(SEED + PUBLIC).decode()
"""The first key pair of RFC 8032, section 7.1."""
LOOPBACK = ("127.0.0.0/8",)
PAYLOAD = '{"type":"ticket.called","data":{"label":"A07"}}'


@pytest.fixture
async def notifier() -> AsyncIterator[WebhookNotifier]:
    made = WebhookNotifier(LOOPBACK, 10)
    yield made
    await made.close()


def outgoing(url: str, *secrets: str, attempt: int = 1) -> OutgoingDelivery:
    delivery = Delivery("webhook", "a" * 16, "ticket.called", {"payload": PAYLOAD})
    return OutgoingDelivery(id="msg-1", attempt=attempt, delivery=delivery, endpoint=Endpoint(url, secrets or (SECRET,)))


async def test_the_reference_verifier_takes_it(notifier: WebhookNotifier, http_sink: HttpSink) -> None:
    assert await notifier.deliver(outgoing(f"{http_sink.url}/hook?key=1")) == Sent()
    (request,) = http_sink.requests
    assert Verifier(SECRET).verify(request.body, request.headers) == {"type": "ticket.called", "data": {"label": "A07"}}
    assert (request.method, request.path, request.body) == ("POST", "/hook?key=1", PAYLOAD.encode())


async def test_two_secrets_are_two_signatures(notifier: WebhookNotifier, http_sink: HttpSink) -> None:
    await notifier.deliver(outgoing(http_sink.url, SECRET, OLD))
    (request,) = http_sink.requests
    for secret in (SECRET, OLD):
        Verifier(secret).verify(request.body, request.headers)


async def test_the_time_is_of_the_attempt_and_the_id_is_not(http_sink: HttpSink) -> None:
    now = [time.time() - 200]
    notifier = WebhookNotifier(LOOPBACK, 10, lambda: now[0])
    await notifier.deliver(outgoing(http_sink.url))
    now[0] += 100
    await notifier.deliver(outgoing(http_sink.url, attempt=2))
    await notifier.close()

    first, second = http_sink.requests
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 100
    assert first.headers["webhook-id"] == second.headers["webhook-id"] == "msg-1"
    Verifier(SECRET).verify(second.body, second.headers)


def test_a_signature_is_the_one_of_the_specification() -> None:
    """The example of its reference libraries' tests, made with their own code."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    verifier = Verifier(secret)
    at = datetime.fromtimestamp(1_614_265_330, UTC)
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}') == verifier.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}'
    )
    assert signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}') == (
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    )


def verify_asymmetric(request: Request) -> None:
    """As the specification says, with another's code. Raises: InvalidSignature."""
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.body
    (given,) = (each for each in request.headers["webhook-signature"].split() if each.startswith("v1a,"))
    Ed25519PublicKey.from_public_bytes(PUBLIC).verify(base64.b64decode(given.removeprefix("v1a,")), signed)


async def test_a_key_pair_signs_so_that_its_public_half_can_check_it(notifier: WebhookNotifier, http_sink: HttpSink) -> None:
    assert await notifier.deliver(outgoing(http_sink.url, PAIR)) == Sent()

    (request,) = http_sink.requests
    verify_asymmetric(request)
    assert request.headers["webhook-signature"].count(" ") == 0
    with pytest.raises(InvalidSignature):
        verify_asymmetric(replace(request, body=request.body + b" "))


async def test_for_a_day_a_key_pair_and_a_secret_sign_side_by_side(notifier: WebhookNotifier, http_sink: HttpSink) -> None:
    for secrets in ((PAIR, SECRET), (SECRET, PAIR)):
        await notifier.deliver(outgoing(http_sink.url, *secrets))

    for request in http_sink.requests:
        verify_asymmetric(request)
        Verifier(SECRET).verify(request.body, request.headers)


async def test_without_the_library_a_key_pair_waits_and_says_what_to_install(
    notifier: WebhookNotifier, http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.ed25519", None)

    said = await notifier.deliver(outgoing(http_sink.url, PAIR))

    assert said == Retry(CANNOT_SIGN)
    assert "pip install 'nowserving[ed25519]'" in CANNOT_SIGN
    assert http_sink.requests == []


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Sent),
        (202, Sent),
        (204, Sent),
        (300, Retry),
        (302, Retry),
        (400, Retry),
        (404, Retry),
        (410, Gone),
        (429, Retry),
        (503, Retry),
    ],
)
def test_only_2xx_is_success_and_only_410_is_the_end(status: int, kind: type) -> None:
    assert isinstance(outcome(Said(status, {}, b""), 0), kind)


@pytest.mark.parametrize(
    ("said", "after_s"),
    [
        ("120", 120.0),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 110.0),
        ("Thu, 01 Jan 1970 00:00:01 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("99999999999999999999", 999_999_999.0),
        ("Fri, 31 Dec 99999 23:59:59 GMT", None),
        ("\u0661", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(said: str, after_s: float | None) -> None:
    assert outcome(Said(503, {"retry-after": said}, b""), 10) == Retry("It answered 503.", after_s)


async def test_a_webhook_that_is_off_or_deleted_is_posted_nothing(notifier: WebhookNotifier, http_sink: HttpSink) -> None:
    delivery = Delivery("webhook", "a" * 16, "ticket.called", {"payload": PAYLOAD})
    assert isinstance(await notifier.deliver(OutgoingDelivery(id="1", attempt=1, delivery=delivery)), Permanent)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::1]:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
    ],
)
async def test_private_networks_are_not_called(http_sink: HttpSink, url: str) -> None:
    notifier = WebhookNotifier((), 10)
    said = await notifier.deliver(outgoing(url.replace("{port}", http_sink.url.rpartition(":")[2])))
    await notifier.close()
    assert isinstance(said, Retry)
    assert http_sink.requests == []


@pytest.mark.parametrize("make", [lambda sink: f"http://127.0.0.1:{free_port()}", lambda sink: sink.url.replace("http:", "https:")])
async def test_what_cannot_be_spoken_to_is_tried_again(
    notifier: WebhookNotifier, http_sink: HttpSink, make: Callable[[HttpSink], str]
) -> None:
    said = await notifier.deliver(outgoing(make(http_sink)))
    assert isinstance(said, Retry)
    assert said.reason.endswith(".")


async def test_one_that_hangs_is_left_before_the_notifiers_time_is_over() -> None:
    notifier = WebhookNotifier(LOOPBACK, 0.3)
    async with deaf_server(hangs=True) as port:
        said = await notifier.deliver(outgoing(f"http://127.0.0.1:{port}"))
    await notifier.close()
    assert isinstance(said, Retry)
    assert said.reason.startswith("No answer within")
