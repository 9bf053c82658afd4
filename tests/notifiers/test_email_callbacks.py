"""What is told of a mail later, and who is not believed."""

from __future__ import annotations

import json
from urllib.parse import urlencode

import pytest

from notifiers.email.callbacks import EmailCallbacks
from realtime.hookspecs import Arrival, Callback, Wish
from realtime.signed_callbacks import mark, sign

SECRET = "a secret of our own"
NOW_S = 1_795_393_110
ANN = "ann@example.com"
DELIVERY = "shop-12-0"
MESSAGE = f"<{DELIVERY}.{mark(SECRET, DELIVERY, ANN)}@queue.example.com>"


def read(body: bytes = b"", *, kind: str = "status", secret: str = SECRET, at_s: int = NOW_S, **fields: str) -> list[Arrival | Wish] | None:
    body = body or urlencode(fields).encode()
    callback = Callback(kind=kind, url="", headers={"nowserving-signature": sign(secret, kind, body, at_s)}, body=body)
    return EmailCallbacks(SECRET, lambda: NOW_S)(callback)


def test_a_forged_or_old_one_is_refused() -> None:
    assert read(event="delivered", to=ANN, secret="another secret of ours") is None
    assert read(event="delivered", to=ANN, at_s=NOW_S - 301) is None
    assert EmailCallbacks(SECRET, lambda: NOW_S)(Callback(kind="status", url="", headers={}, body=b"event=delivered")) is None


def test_one_that_arrived_is_told_and_is_not_the_last_word() -> None:
    assert read(event="delivered", to=ANN, message_id=MESSAGE) == [Arrival(True, DELIVERY, ANN)]


def test_one_that_came_back_for_good_is_told_and_nothing_more_is_sent() -> None:
    body = {"event": "Bounced", "kind": "Permanent", "to": "Ann@Example.com", "message_id": MESSAGE}
    for reason, why in (
        ("550 5.1.1 <ann@example.com> unknown", "There is no such mailbox (5.1.1)."),
        ("x 5.9.9 y", "The mail came back (5.9.9)."),
    ):
        told = read(urlencode({**body, "reason": reason}).encode())
        assert told == [Arrival(False, DELIVERY, ANN, why, outranks=True), Wish(ANN, wanted=False, source="bounce")]


@pytest.mark.parametrize("kind", ["", "transient", "undetermined"])
def test_only_what_is_called_permanent_is_for_good(kind: str) -> None:
    told = read(urlencode({"event": "bounced", "kind": kind, "to": ANN, "message_id": MESSAGE, "reason": "5.1.1"}).encode())

    assert told == [Arrival(False, DELIVERY, ANN, "There is no such mailbox (5.1.1).", outranks=True)]


def test_one_that_came_back_for_now_changes_the_timeline_only() -> None:
    body = {"event": "bounced", "kind": "transient", "to": ANN, "message_id": MESSAGE, "reason": "4.2.2"}
    assert read(urlencode(body).encode()) == [Arrival(False, DELIVERY, ANN, "The mailbox is full (4.2.2).", outranks=True)]


def test_a_complaint_is_told_and_nothing_more_is_sent() -> None:
    assert read(event="complained", to=ANN, message_id=MESSAGE) == [
        Arrival(False, DELIVERY, ANN, "The guest marked it as unwanted.", outranks=True),
        Wish(ANN, wanted=False, source="complaint"),
    ]


@pytest.mark.parametrize("message", ["<shop-12-0@queue.example.com>", MESSAGE.replace("12", "13"), "<somebody@elses.example>"])
def test_a_message_that_is_not_ours_says_nothing_of_the_one_we_sent_last(message: str) -> None:
    body = {"event": "bounced", "kind": "permanent", "to": ANN, "message_id": message}

    assert read(urlencode(body).encode()) == [Wish(ANN, wanted=False, source="bounce")]


def test_without_a_message_the_recipient_stands_for_it() -> None:
    assert read(event="delivered", to=ANN) == [Arrival(True, "", ANN)]


def test_json_says_the_same_as_a_form() -> None:
    body = {"event": "bounced", "kind": "permanent", "to": ANN, "message_id": MESSAGE, "reason": "5.1.1", "more": {"a": [1]}}

    assert read(json.dumps(body).encode()) == read(urlencode({**body, "more": "x"}).encode()) != []


@pytest.mark.parametrize("reason", ["", "ann@example.com said no", "x" * 100_000, "5.1.1.1", "15.1.1", "\0\ufffd"])
def test_of_what_a_server_says_nothing_but_its_code_is_kept(reason: str) -> None:
    told = read(json.dumps({"event": "bounced", "to": ANN, "message_id": MESSAGE, "reason": reason}).encode())

    assert told == [Arrival(False, DELIVERY, ANN, "The mail came back, for now.", outranks=True)]


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{}",
        b'{"event": 7}',
        b'{"event": "delivered"}',
        b"{" * 50_000,
        b'{"a":' + b"[" * 50_000,
        b"\xff\xfe%zz",
        b"&".join([b"a=1"] * 101),
        b"event=sent&to=ann@example.com",
        b"event=delivered&to=nobody",
        b"event=delivered&to=ann@example.com,bo@example.com",
        b"event=delivered&to=" + b"a" * 10_000 + b"@example.com",
    ],
    ids=range(12),
)
def test_what_tells_nothing_that_we_know_changes_nothing(body: bytes) -> None:
    assert read(body) == []


def test_nobody_writes_back() -> None:
    assert read(event="delivered", to=ANN, kind="inbound") == []
