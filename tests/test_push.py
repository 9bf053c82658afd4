"""What browsers say of a subscription is checked: where it leads, and that its keys are keys."""

from __future__ import annotations

from typing import Any

import pytest

from realtime.errors import InvalidInput
from realtime.push import on_curve, subscription
from realtime.push_messages import PushKeys, SubscribePush
from tests.support.subscriber import Subscriber, decoded, encoded

LOCAL = ["127.0.0.0/8", "::1/128"]
GENERATOR = decoded("BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU")
"""The base point of P-256 (SEC 2, section 2.4.2)."""


def asking(endpoint: str = "", p256dh: str = "", auth: str = "") -> SubscribePush:
    whole = Subscriber().json()
    keys: Any = whole["keys"]
    return SubscribePush(endpoint or whole["endpoint"], PushKeys(p256dh or keys["p256dh"], auth or keys["auth"]))


def test_a_subscription_is_kept_as_it_is() -> None:
    subscriber = Subscriber()
    keys = subscriber.json()["keys"]

    checked = subscription(SubscribePush(subscriber.endpoint, PushKeys(**keys)))

    assert checked == subscriber.row()
    assert len(checked.id) == 22
    assert checked.id not in subscriber.endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://fcm.googleapis.com/fcm/send/abc:def-_~",
        "https://updates.push.services.mozilla.com/wpush/v2/gAAAA",
        "https://web.push.apple.com/QGuQyavXutnMH",
        "https://wns2-am3p.notify.windows.com/w/?token=BQYAAA%2bx",
        "https://push.example.com:8443/x",
        "https://93.184.216.34/x",
    ],
)
def test_the_addresses_of_push_services_are_taken(endpoint: str) -> None:
    assert subscription(asking(endpoint)).endpoint == endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example.com/x",
        "ftp://push.example.com/x",
        "//push.example.com/x",
        "push.example.com",
        "https://",
        "https:///x",
        "https://user:pass@push.example.com/x",
        "https://push.example.com:99999/x",
        "https://push.example.com:x/x",
        "https://[::1",
        "https://push.example.com/x y",
        "https://push.example.com/x\r\nHost: other",
        "https://push.example.com/\u00e9",
        "https://push.example.com/x#part",
        "https://push.example.com\\@127.0.0.1/",
        "https://127.0.0.1/x",
        "https://10.0.0.1/x",
        "https://169.254.169.254/latest",
        "https://[::1]/x",
        "https://[fd00::1]/x",
        "https://[::ffff:127.0.0.1]/x",
        "https://localhost/x",
        "https://a.localhost/x",
        "http://127.0.0.1/x",
        "javascript:alert(1)",
        "data:text/plain,x",
        "file:///etc/passwd",
    ],
)
def test_nothing_else_is(endpoint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        subscription(asking(endpoint))

    assert refused.value.field == "endpoint"


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:8080/x", "https://127.0.0.1/x", "http://[::1]/x"])
def test_a_network_of_the_operators_own_may_be_called_also_without_tls(endpoint: str) -> None:
    assert subscription(asking(endpoint), LOCAL).endpoint == endpoint
    for other in ("http://10.0.0.1/x", "http://push.example.com/x"):
        with pytest.raises(InvalidInput):
            subscription(asking(other), LOCAL)


def test_a_public_key_is_a_point_on_the_curve() -> None:
    assert on_curve(GENERATOR)
    assert on_curve(decoded(Subscriber().p256dh))


@pytest.mark.parametrize(
    "point",
    [
        b"",
        GENERATOR[:-1],
        GENERATOR + b"\0",
        b"\x02" + GENERATOR[1:],
        b"\x03" + GENERATOR[1:33],
        b"\x04" + bytes(64),
        b"\x04" + b"\xff" * 64,
        GENERATOR[:-1] + bytes([GENERATOR[-1] ^ 1]),
        b"\x04" + GENERATOR[33:] + GENERATOR[1:33],
    ],
)
def test_nothing_else_is_one(point: bytes) -> None:
    assert not on_curve(point)
    with pytest.raises(InvalidInput):
        subscription(asking(p256dh=encoded(point) or "AA"))


@pytest.mark.parametrize("auth", ["AA", encoded(b"x" * 15), encoded(b"x" * 17), "a", "ä" * 22])
def test_the_secret_of_a_browser_has_16_bytes(auth: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        subscription(asking(auth=auth))

    assert refused.value.field == "keys.auth"
