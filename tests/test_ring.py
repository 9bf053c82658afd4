"""The ring: what it gives, and what it forgets."""

from __future__ import annotations

import pytest

from realtime.model import Event
from realtime.ring import Ring


def event(seq: int, size: int = 2) -> Event:
    return Event("s", seq, 0, "ticket", "x" * (size // 2), "x" * (size - size // 2))


def seqs(ring: Ring, since: int) -> list[int] | None:
    found = ring.since(since)
    return None if found is None else [each.seq for each in found]


def test_it_gives_all_events_after_one_or_none_at_all() -> None:
    ring = Ring(3, 1000)
    ring.extend(event(seq) for seq in range(5, 10))

    assert seqs(ring, 6) == [7, 8, 9]
    assert seqs(ring, 8) == [9]
    assert seqs(ring, 9) == []
    assert seqs(ring, 5) is None, "6 is gone"
    assert seqs(ring, 10) is None, "nobody can know what comes after what is not yet"
    assert seqs(ring, -(10**18)) is None


def test_an_empty_one_knows_nothing() -> None:
    assert Ring(3, 1000).since(0) is None


def test_the_oldest_give_way_to_the_limit_in_bytes() -> None:
    ring = Ring(100, 10)
    ring.extend(event(seq, 4) for seq in range(1, 5))

    assert len(ring) == 2
    assert seqs(ring, 2) == [3, 4]


def test_one_that_is_larger_than_the_limit_is_not_kept() -> None:
    ring = Ring(100, 10)
    ring.extend([event(1), event(2, 11)])

    assert len(ring) == 0
    assert ring.since(2) is None


@pytest.mark.parametrize("seq", [1, 2, 4, 9])
def test_one_that_is_not_the_next_begins_anew(seq: int) -> None:
    ring = Ring(100, 1000)
    ring.extend([event(1), event(2), event(seq)])

    assert seqs(ring, seq - 1) == [seq]
    assert len(ring) == 1
