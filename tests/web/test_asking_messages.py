"""The message queue over HTTP, where a program asks in another way than usual: numbers for ids, a receive again with a smaller limit."""

from __future__ import annotations

import httpx
import pytest_asyncio

from tests.web.conftest import House, Owner, program_of
from tests.web.test_messages import _consume, _publish


@pytest_asyncio.fixture
async def program(house: House, owner: Owner) -> httpx.AsyncClient:
    return await program_of(house, owner, "publish", "consume")


async def test_a_receive_that_got_nothing_is_asked_for_anew(program: httpx.AsyncClient) -> None:
    assert await _consume(program, attempt_id="a1") == []
    await _publish(program)

    assert len(await _consume(program, attempt_id="a1")) == 1


async def test_the_same_receive_with_a_smaller_limit_gets_no_more_than_that(program: httpx.AsyncClient) -> None:
    for number in range(3):
        await _publish(program, number)
    first = await _consume(program, limit=2, attempt_id="a1")

    assert await _consume(program, limit=1, attempt_id="a1") == first[:1]
    assert await _consume(program, limit=3, attempt_id="a1") == first


async def test_ids_and_consumers_may_be_numbers_where_they_are_digits(program: httpx.AsyncClient) -> None:
    first, second = int(await _publish(program)), int(await _publish(program))
    await _consume(program, cid="7")

    assert (await program.patch("/v1/consumer", json={"cid": 7, "id": first, "vt": 60})).json() is True
    done = await program.post("/v1/consumer/batch", json={"messages": [{"cid": 7, "id": first}, {"cid": "7", "id": second}]})
    assert done.json() == [True, True]
    assert (await program.patch("/v1/consumer", json={"cid": 7, "id": -1, "vt": 60})).status_code == 422
