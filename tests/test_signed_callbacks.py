"""The signature of our own on callbacks, and the mark in a mail's Message-ID. What is forged in every part: tests/notifiers/test_sms_callbacks.py."""

from __future__ import annotations

import pytest

from realtime.signed_callbacks import delivery_of, mark

SECRET = "a secret of our own"
ANN, BO = "ann@example.com", "bo@example.com"


def name(delivery: str = "shop-12-0", to: str = ANN, secret: str = SECRET) -> str:
    return f"<{delivery}.{mark(secret, delivery, to)}@queue.example.com>"


def test_the_delivery_is_read_back_from_a_mail_of_ours() -> None:
    assert delivery_of(SECRET, name(), ANN) == "shop-12-0"
    assert delivery_of(SECRET, f" {name()} ", "Ann@Example.COM ") == "shop-12-0"
    assert delivery_of(SECRET, name().strip("<>"), ANN) == "shop-12-0"


@pytest.mark.parametrize(
    "message",
    [
        name(secret="another secret of ours"),
        name(to=BO),
        name().replace("shop-12", "shop-13"),
        "<shop-12-0@queue.example.com>",
        "<shop-12-0." + "a" * 26 + "@queue.example.com>",
        "<shop-12-0.\u00e4" + "a" * 25 + "@queue.example.com>",
        "<" + "x" * 100_000,
        "",
        "\0",
    ],
)
def test_what_is_not_ours_or_went_to_somebody_else_is_no_delivery(message: str) -> None:
    assert delivery_of(SECRET, message, ANN) == ""


def test_an_address_may_be_anything() -> None:
    assert delivery_of(SECRET, name(), "\ud800\0") == ""
