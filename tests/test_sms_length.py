"""The length of short messages, by the tables and figures of 3GPP TS 23.038, and what stands in for typographic signs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.sms_length import Length, beyond, length, plain


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 0),
        ("a", "GSM-7", 1, 1),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        ("a" * 158 + "€", "GSM-7", 160, 1),
        ("äöüßÄÖÜñàèé@£¥", "GSM-7", 14, 1),
        ("[]{}~^|\\\f", "GSM-7", 18, 1),
        ("ç", "UCS-2", 1, 1),
        ("Ç", "GSM-7", 1, 1),
        ("я" * 70, "UCS-2", 70, 1),
        ("я" * 71, "UCS-2", 71, 2),
        ("я" * 134, "UCS-2", 134, 2),
        ("я" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("a" * 100 + "’", "UCS-2", 101, 2),
    ],
)
def test_a_text_has_this_length(text: str, encoding: str, units: int, segments: int) -> None:
    assert length(text) == Length(encoding, units, segments)


def test_an_escaped_character_is_not_cut_in_half_between_two_parts() -> None:
    assert length("a" * 152 + "€" + "a" * 152) == Length("GSM-7", 306, 3)


def test_a_surrogate_pair_is_not_cut_in_half_between_two_parts() -> None:
    assert length("я" * 66 + "😀" + "я" * 66) == Length("UCS-2", 134, 3)


def test_signs_of_typography_are_replaced_where_that_makes_it_short() -> None:
    assert plain("Luigi’s – “the bar”…\u00a0now") == 'Luigi\'s - "the bar"... now'
    assert plain("soft\u00adhyphen\u200b") == "softhyphen"


def test_where_another_script_needs_the_long_alphabet_they_stay() -> None:
    assert plain("«Привет» – …") == "«Привет» – …"
    assert plain("…" * 60) == "…" * 60, "three dots each would make it longer"


@settings(deadline=None)  # a busy machine is no fault of the text
@given(st.text(max_size=400))
def test_a_message_is_never_longer_when_it_is_made_plain(text: str) -> None:
    simple = plain(text)

    assert length(simple).segments <= length(text).segments
    assert plain(simple) == simple


@settings(deadline=None)  # a busy machine is no fault of the text
@given(st.text(max_size=700))
def test_parts_hold_what_they_are_counted_for(text: str) -> None:
    counted = length(text)
    most = {"GSM-7": (160, 153), "UCS-2": (70, 67)}[counted.encoding]

    assert counted.units <= (most[0] if counted.segments <= 1 else most[1] * counted.segments)
    assert counted.segments == 0 or counted.units > most[1] * (counted.segments - 1) // 2


def test_what_does_not_fit_is_named_once() -> None:
    assert beyond("“Ciao”, dit-on, “ça va”") == "“”ç"


@settings(deadline=None)  # a busy machine is no fault of the text
@given(st.text(max_size=400))
def test_room_is_what_fits_without_another_part(text: str) -> None:
    found = length(text)

    assert found.room >= 0
    assert (found.encoding == "GSM-7") is (beyond(text) == "")
