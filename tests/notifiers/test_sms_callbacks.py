"""What a gateway tells later, and who is not the gateway."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest

from notifiers.sms.callbacks import OwnCallbacks, TwilioCallbacks, twilio_signature
from realtime.hookspecs import Arrival, Callback, Wish
from realtime.signed_callbacks import sign

TOKEN = "12345"
"""In the example of Twilio's documentation."""
URL = "https://queue.example.com/v1/callbacks/sms/status?delivery=shop-12-0"
NUMBER = "+4915112345678"
SECRET = "a secret of our own"
NOW_S = 1_795_393_110


def from_twilio(kind: str = "status", url: str = URL, token: str = TOKEN, **fields: str) -> Callback:
    body = urlencode(fields)
    signature = twilio_signature(token, url, parse_qsl(body, keep_blank_values=True))
    return Callback(kind=kind, url=url, headers={"x-twilio-signature": signature}, body=body.encode())


def ours(kind: str = "status", at_s: int = NOW_S, secret: str = SECRET, signed_as: str = "", **fields: str) -> Callback:
    body = urlencode(fields).encode()
    headers = {"nowserving-signature": sign(secret, signed_as or kind, body, at_s)}
    return Callback(kind=kind, url=URL, headers=headers, body=body)


def read(callback: Callback) -> list[Arrival | Wish] | None:
    own = "nowserving-signature" in callback.headers
    return OwnCallbacks(SECRET, lambda: NOW_S)(callback) if own else TwilioCallbacks(TOKEN)(callback)


# ---- signatures


@pytest.mark.parametrize(
    ("fields", "signature"),
    [
        (
            "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212",
            "RSOYDt4T1cUTdK1PDd93/VVr8B8=",
        ),
        ("Sid=CA123&SidAccount=AC123&Digits=5678&Digits=1234&Digits=1234", "IK+Dwps556ElfBT0I3Rgjkr1wJU="),
    ],
    ids=["documentation", "several values"],
)
def test_twilios_signature_is_twilios(fields: str, signature: str) -> None:
    """The example of https://www.twilio.com/docs/usage/security, and the one with repeated fields that its libraries are tested with."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"

    assert twilio_signature("12345", url, parse_qsl(fields)) == signature
    assert TwilioCallbacks("12345")(
        Callback(kind="status", url=url, headers={"x-twilio-signature": signature}, body=fields.encode())
    ) == []  # fmt: skip


def test_whatever_is_changed_in_a_request_of_twilio_it_is_refused() -> None:
    right = from_twilio(MessageStatus="delivered", To=NUMBER)
    signature = right.headers["x-twilio-signature"]
    assert read(right)

    for wrong in (
        Callback(kind="status", url=right.url + "0", headers=right.headers, body=right.body),
        Callback(kind="status", url=right.url.replace("https", "http"), headers=right.headers, body=right.body),
        Callback(kind="status", url=right.url, headers=right.headers, body=right.body + b"&x=1"),
        Callback(kind="status", url=right.url, headers=right.headers, body=right.body.replace(b"delivered", b"failed")),
        Callback(kind="status", url=right.url, headers={}, body=right.body),
        Callback(kind="status", url=right.url, headers={"x-twilio-signature": ""}, body=right.body),
        Callback(kind="status", url=right.url, headers={"x-twilio-signature": signature.lower()}, body=right.body),
        Callback(kind="status", url=right.url, headers={"x-twilio-signature": "ünï"}, body=right.body),
        from_twilio(token="another", MessageStatus="delivered", To=NUMBER),
    ):
        assert TwilioCallbacks(TOKEN)(wrong) is None


@pytest.mark.parametrize("body", [b"\xff\xfe%zz", b"&".join([b"a=1"] * 101), b"=" * 50_000, b"", b"%00=%00"], ids=repr)
def test_a_body_that_is_no_form_is_refused_or_means_nothing(body: bytes) -> None:
    assert TwilioCallbacks(TOKEN)(Callback(kind="status", url=URL, headers={"x-twilio-signature": "x"}, body=body)) is None
    signature = sign(SECRET, "status", body, NOW_S)
    signed = Callback(kind="status", url=URL, headers={"nowserving-signature": signature}, body=body)
    assert not OwnCallbacks(SECRET, lambda: NOW_S)(signed)


def test_our_own_signature_is_checked_in_every_part() -> None:
    assert read(ours(MessageStatus="delivered", To=NUMBER))
    signed = ours(MessageStatus="delivered", To=NUMBER)
    later = signed.headers["nowserving-signature"].replace(str(NOW_S), str(NOW_S + 1))

    for wrong in (
        ours(secret="another secret of ours", MessageStatus="delivered", To=NUMBER),
        ours(signed_as="inbound", MessageStatus="delivered", To=NUMBER),
        Callback(kind="status", url=URL, headers={"nowserving-signature": later}, body=signed.body),
        Callback(kind="status", url=URL, headers=signed.headers, body=signed.body + b"&"),
        Callback(kind="status", url=URL, headers={"nowserving-signature": "v1=0"}, body=signed.body),
    ):
        assert read(wrong) is None


@pytest.mark.parametrize(("off_s", "fits"), [(-301, False), (-300, True), (300, True), (301, False)])
def test_one_that_is_old_or_early_is_refused(off_s: int, fits: bool) -> None:
    assert (read(ours(at_s=NOW_S + off_s, MessageStatus="delivered", To=NUMBER)) is not None) == fits


# ---- what they say


@pytest.mark.parametrize(
    ("status", "arrived"),
    [("delivered", True), ("read", True), ("undelivered", False), ("failed", False), ("canceled", False), ("Delivered", True)],
)
def test_a_status_that_is_the_last_is_told(status: str, arrived: bool) -> None:
    heard = read(from_twilio(MessageStatus=status, To=NUMBER))

    assert heard is not None
    (told,) = heard
    assert isinstance(told, Arrival)
    assert (told.delivered, told.delivery_id, told.recipient) == (arrived, "shop-12-0", NUMBER)


@pytest.mark.parametrize("status", ["accepted", "queued", "sending", "sent", "receiving", "", "whatever"])
def test_others_tell_nothing(status: str) -> None:
    assert read(from_twilio(MessageStatus=status, To=NUMBER)) == []


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("30003", "The phone is off or out of reach."),
        ("30004", "The number refused it."),
        ("31999", "The gateway gives the code 31999."),
        ("", "The gateway does not say why."),
        ("x" * 50, "The gateway does not say why."),
        ("9" * 5000, "The gateway does not say why."),
    ],
)
def test_what_did_not_arrive_has_a_sentence(code: str, why: str) -> None:
    assert read(from_twilio(MessageStatus="undelivered", To=NUMBER, ErrorCode=code)) == [Arrival(False, "shop-12-0", NUMBER, why)]


def test_who_had_opted_out_is_remembered_from_a_status_too() -> None:
    told = read(from_twilio(MessageStatus="failed", To=NUMBER, ErrorCode="21610")) or []

    assert told[1:] == [Wish(NUMBER, wanted=False)]


def test_without_a_delivery_id_the_recipient_stands_for_it() -> None:
    assert read(ours(MessageStatus="delivered", To=NUMBER)) == [Arrival(True, "", NUMBER, outranks=True)]
    assert read(ours(MessageStatus="delivered", delivery="shop-12-0")) == [Arrival(True, "shop-12-0", "", outranks=True)]
    assert read(ours(MessageStatus="delivered")) == []
    assert read(ours(MessageStatus="delivered", To="nobody")) == []


@pytest.mark.parametrize(("status", "outranks"), [("delivered", True), ("read", True), ("undelivered", False), ("failed", False)])
def test_a_phones_receipt_outranks_what_the_network_supposed(status: str, outranks: bool) -> None:
    heard = read(from_twilio(MessageStatus=status, To=NUMBER))

    assert heard is not None
    assert [each.outranks for each in heard if isinstance(each, Arrival)] == [outranks]


@pytest.mark.parametrize("name", ["MessageSid", "SmsSid"])
def test_the_gateways_own_id_of_the_message_is_handed_on(name: str) -> None:
    heard = read(from_twilio(MessageStatus="undelivered", To=NUMBER, **{name: "SM1" * 100}))

    assert heard is not None
    assert [each.message for each in heard if isinstance(each, Arrival)] == [("SM1" * 100)[:160]]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("STOP", False),
        (" stop. ", False),
        ("Stop All", False),
        ("unsubscribe", False),
        ("STOPP!", False),
        ("start", True),
        ("UNSTOP", True),
        ("Yes", True),
    ],
)
def test_a_word_of_who_answers_counts(said: str, wanted: bool) -> None:
    assert read(from_twilio("inbound", From=NUMBER, Body=said)) == [Wish(NUMBER, wanted=wanted)]
    assert read(ours("inbound", From=NUMBER, Body=said)) == [Wish(NUMBER, wanted=wanted)]


@pytest.mark.parametrize("said", ["", "please stop by at nine", "We are on our way", "stop " * 5000, "STOP\0"])
def test_what_else_people_write_changes_nothing(said: str) -> None:
    assert read(from_twilio("inbound", From=NUMBER, Body=said)) == []


def test_twilios_own_reading_of_an_answer_wins() -> None:
    assert read(from_twilio("inbound", From=NUMBER, Body="arrêt", OptOutType="STOP")) == [Wish(NUMBER, wanted=False)]
    assert read(from_twilio("inbound", From="whatsapp:" + NUMBER, Body="stop")) == [Wish(NUMBER, wanted=False)]
    assert read(from_twilio("inbound", From="12345", Body="stop")) == []
