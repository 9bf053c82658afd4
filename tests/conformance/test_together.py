"""Calls that storage may run as one operation: each has its own outcome, as if it had been run by itself, on each database."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from realtime.errors import Conflict, NotFound
from realtime.storage.statement import Operation, Statement, Storage, Together, changed_each, every
from tests.conformance.conftest import MakeStorage
from tests.storage.steps import names

SIZES: list[int] = []


def _put(group: int, name: str, value: str = "") -> Operation[str]:
    if value == "bad":
        raise NotFound
    yield Statement("insert into installation (name, value) values ($1, $2)", (name, value))
    return name


def _put_many(calls: Sequence[Any]) -> Operation[list[str]]:
    SIZES.append(len(calls))
    yield Statement("insert into installation (name, value) values ($1, $2)", each=[(name, value) for _, name, value in calls])
    if any(value == "bad" for _, _, value in calls):
        raise NotFound
    return [name for _, name, _ in calls]


put = Together(_put, _put_many)


@pytest.fixture(autouse=True)
def sizes() -> list[int]:
    SIZES.clear()
    return SIZES


async def test_each_has_its_value_in_its_place(storage: Storage, sizes: list[int]) -> None:
    told: list[str] = []
    wanted = [f"row {number:03d}" for number in range(100)]

    values = await asyncio.gather(*(storage.write_and_tell(told.append, put, 1, name, "x") for name in wanted))

    assert values == wanted
    assert told == wanted
    assert await storage.read(names) == wanted
    assert max(sizes) > 1, "nothing was done together"


async def test_one_by_itself_is_one(storage: Storage, sizes: list[int]) -> None:
    assert await storage.write(put, 1, "a", "x") == "a"
    assert await storage.write(put, 1, "b", value="x") == "b"
    assert sizes == []


@pytest.mark.parametrize(("args", "refusal"), [(("new", "bad"), NotFound), (("there", "x"), Conflict)])
async def test_the_failure_of_one_is_its_own(storage: Storage, args: tuple[str, str], refusal: type[Exception], sizes: list[int]) -> None:
    await storage.write(put, 1, "there", "x")
    calls = [("a", "x"), ("b", "x"), args, ("c", "x")]

    outcomes = await asyncio.gather(*(storage.write(put, 1, *call) for call in calls), return_exceptions=True)

    assert [outcome for outcome in outcomes if isinstance(outcome, str)] == ["a", "b", "c"]
    assert isinstance(outcomes[2], refusal)
    assert await storage.read(names) == ["a", "b", "c", "there"]


async def test_one_that_is_taken_back_does_not_happen(storage: Storage) -> None:
    calls = [asyncio.ensure_future(storage.write(put, 1, name, "x")) for name in ("a", "b", "c")]
    calls[1].cancel()

    await asyncio.gather(*calls, return_exceptions=True)

    assert await storage.read(names) == ["a", "c"]


async def test_what_was_accepted_before_the_end_is_finished(make_storage: MakeStorage) -> None:
    storage = make_storage()
    await storage.open()
    calls = [asyncio.ensure_future(storage.write(put, number % 2, f"{number}", "x")) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    await storage.close()

    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    again = make_storage()
    await again.open()
    assert await again.read(names) == sorted(outcome for outcome in outcomes if isinstance(outcome, str))
    await again.close()


async def test_a_change_that_is_done_with_each_of_many_counts_all_rows(storage: Storage) -> None:
    await asyncio.gather(*(storage.write(put, 1, name, "x") for name in "abc"))

    def rename(*to: tuple[str, str]) -> Operation[int]:
        return (yield from changed_each("update installation set value = $2 where name = $1", to))

    assert await storage.write(rename, ("a", "1"), ("nobody", "2"), ("c", "3")) == 2
    assert await storage.write(rename, ("nobody", "2")) == 0
    found = await storage.read(every, "select name, value from installation where name in ('a', 'b', 'c') order by name")
    assert [tuple(row) for row in found] == [("a", "1"), ("b", "x"), ("c", "3")]
