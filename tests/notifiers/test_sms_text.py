"""A message in the fewest parts: the name gives way, nothing else does."""

from __future__ import annotations

import pytest

from notifiers.sms.text import TooLong, cut, fit
from realtime.sms_length import length

REST = ": it's your turn, A07. https://queue.example.com/t#"


def message(size: int) -> str:
    return REST + "k" * (size - len(REST))


@pytest.mark.parametrize(("room", "name"), [(16, "The Old Lantern"), (14, "The Old Lan..."), (13, "The Old La..."), (10, "The Old...")])
def test_as_much_of_the_name_is_kept_as_one_part_holds(room: int, name: str) -> None:
    rest = message(160 - room)

    assert fit(lambda store: store + rest, "The Old Lantern") == name + rest


def test_where_no_cut_saves_a_part_the_name_stays_whole() -> None:
    rest = message(152)

    said = fit(lambda store: store + rest, "The Old Lantern")

    assert said == "The Old Lantern" + rest
    assert length(said).segments == 2


def test_a_name_in_another_script_is_cut_by_the_count_of_that_script() -> None:
    said = fit(lambda store: f"{store}: A07. https://q.example.com/t#0123456789", "Ресторан «Старый фонарь на углу»")

    assert length(said) == length(said[:70])
    assert said.startswith("Ресторан «Старый фонарь")
    assert said.endswith("...: A07. https://q.example.com/t#0123456789")


def test_more_parts_than_are_sent_are_refused_with_what_to_do() -> None:
    assert fit(lambda store: "a" * 612, "")
    with pytest.raises(TooLong, match=r"5 parts, and 4 are the most\. Shorten"):
        fit(lambda store: "a" * 613, "")


@pytest.mark.parametrize(
    ("name", "size", "said"),
    [
        ("Luigi's", 10, "Luigi's"),
        ("The Old Lantern", 12, "The Old L..."),
        ("The Old Lantern", 11, "The Old..."),
        ("Bar Cafe\u0301 Noir", 11, "Bar Caf..."),
        ("Familie 👩\u200d👩\u200d👧 Haus", 12, "Familie..."),
    ],
)
def test_a_cut_name_loses_no_half_character(name: str, size: int, said: str) -> None:
    assert cut(name, size) == said
