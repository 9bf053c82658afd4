"""Which error of the tree a word of the server's becomes."""

from __future__ import annotations

import inspect

import pytest

from realtime import errors
from realtime.client import refusals
from realtime.errors import CannotStart, Dropped, NowServingError, Overloaded, Restarting, TooLarge, Unavailable

TOLD = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, NowServingError) and not issubclass(kind, CannotStart)
]


@pytest.mark.parametrize("kind", TOLD, ids=lambda kind: kind.code)
def test_each_error_comes_back_as_what_it_was(kind: type[NowServingError]) -> None:
    sent = kind("In its own words.", field="a.b")

    found = refusals.refusal({"code": sent.code, "message": sent.message, "retry": sent.retry, "field": sent.field})

    assert (type(found), found.message, found.field) == (kind, "In its own words.", "a.b")


def test_a_code_of_another_version_keeps_its_words_and_whether_to_try_again() -> None:
    later = refusals.refusal({"code": "moon_full", "message": "Wait for the moon.", "retry": True, "field": None})
    never = refusals.refusal({"code": "moon_gone", "message": "There is no moon.", "retry": False, "field": None})

    assert (type(later), later.message, later.retry) == (Unavailable, "Wait for the moon.", True)
    assert (type(never), never.message, never.retry) == (NowServingError, "There is no moon.", False)


@pytest.mark.parametrize("kind", [kind for kind in TOLD if "close_code" in vars(kind) and kind.close_code], ids=lambda kind: kind.code)
def test_each_close_code_is_its_error(kind: type[NowServingError]) -> None:
    assert kind.close_code is not None
    assert type(refusals.ended(kind.close_code, "Why.")) is kind


@pytest.mark.parametrize(
    ("code", "again"),
    [(0, True), (1000, True), (1006, True), (1011, True), (4001, True), (4399, True), (4400, False), (4999, False), (1009, False)],
)
def test_codes_below_4400_are_for_coming_back(code: int, again: bool) -> None:
    assert refusals.ended(code).retry is again


def test_a_refused_handshake_is_final_only_in_the_servers_own_words() -> None:
    ours = {"content-type": "application/problem+json", "retry-after": "7"}
    theirs = {"content-type": "text/html"}

    restarting = refusals.refused(503, ours, b'{"code":"restarting","detail":"Soon.","retry":true}')
    assert (type(restarting), restarting.retry_after, restarting.message) == (Restarting, 7, "Soon.")
    assert type(refusals.refused(413, ours, b'{"code":"too_large","detail":"No."}')) is TooLarge
    assert type(refusals.refused(503, theirs, b"<p>")) is Overloaded
    assert type(refusals.refused(403, theirs, b"<p>")) is Dropped
    assert type(refusals.refused(400, ours, b"cut")) is Dropped
