"""Totals: what processes count adds up, whatever is lost, repeated or never taken back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from realtime.totals import Totals

PROCESSES = st.sampled_from(["one", "two", "three"])
NAMES = st.sampled_from(["bar", "shop"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("hear"), PROCESSES, NAMES, st.integers(1, 5)),
        st.tuples(st.just("take back"), PROCESSES, NAMES, st.just(0)),
        st.tuples(st.just("wait"), PROCESSES, NAMES, st.integers(1, 40)),
    ),
    max_size=40,
)


@given(STEPS)
def test_the_total_is_the_last_word_of_each_process_that_still_holds(steps: list[tuple[str, str, str, int]]) -> None:
    totals: Totals[int] = Totals(60, 1000)
    told: dict[tuple[str, str], tuple[int, float]] = {}
    now = 0.0
    for what, process, name, number in steps:
        if what == "wait":
            now += number
            before = {name: sorted(totals.of(name)) for name in ("bar", "shop")}
            told = {key: (value, at) for key, (value, at) in told.items() if at + 60 > now}
            changed = totals.expire(now)
            assert changed == {name for name in before if sorted(totals.of(name)) != before[name]}
        elif what == "hear":
            news = told.get((process, name), (0, 0))[0] != number
            assert totals.hear(process, name, number, now) == news
            told[process, name] = number, now
        else:
            assert totals.take_back(process, name) == (told.pop((process, name), None) is not None)

        for each in ("bar", "shop"):
            assert sum(totals.of(each)) == sum(value for (_, of), (value, _) in told.items() if of == each)
        assert len(totals) == len(told)


def test_of_very_many_the_one_told_longest_ago_gives_way() -> None:
    totals: Totals[int] = Totals(60, 2)
    totals.hear("one", "bar", 1, 0)
    totals.hear("two", "bar", 2, 1)
    totals.hear("one", "bar", 1, 2)

    totals.hear("one", "shop", 4, 3)

    assert list(totals.of("bar")) == [1]
    assert list(totals.of("shop")) == [4]
