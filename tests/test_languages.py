"""What a browser says of its languages, however it says it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from realtime.languages import MOST, is_language, preferred


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", ()),
        ("de", ("de",)),
        ("de-AT,de;q=0.9,en;q=0.8", ("de", "en")),
        ("en;q=0.5, tr", ("tr", "en")),
        ("zh-Hant-TW, *;q=0.1", ("zh",)),
        ("*", ()),
        ("fr;q=0, it", ("it",)),
        ("DE", ("de",)),
        ("x, english, de;q=2, es;q=1.000", ("es",)),
        ("en\r\nSet-Cookie: a", ()),
        ("a1,<script>,..", ()),
    ],
)
def test_it_reads_the_dearest_first(header: str, expected: tuple[str, ...]) -> None:
    assert preferred(header) == expected


@settings(deadline=None)
@given(st.text(max_size=600) | st.lists(st.sampled_from(["de", "en-GB", "fr;q=0.3", "*", ";", "tr;q=1", ",", " "])).map(",".join))
def test_whatever_comes_it_answers_with_few_languages(header: str) -> None:
    found = preferred(header)

    assert len(found) <= MOST
    assert len(set(found)) == len(found)
    assert all(map(is_language, found))
